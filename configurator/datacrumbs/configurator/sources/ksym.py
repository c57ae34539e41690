"""Kernel functions: the symbols of the kernel and its modules, as far as BTF says what their arguments are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from datacrumbs.configurator import kernelunsafe
from datacrumbs.configurator.arguments import headers
from datacrumbs.configurator.kernelargs import describe
from datacrumbs.configurator.material import KernelProbe, KernelProbes
from datacrumbs.configurator.sources.header import lack
from datacrumbs.configurator.spec import Entry
from datacrumbs.core import btf
from datacrumbs.core.errors import DataError
from datacrumbs.core.kernelprobes import MAX_KERNEL_ARGUMENTS, KernelFunction
from datacrumbs.core.probes import Capture, Probe, ResultType

KALLSYMS: Final = Path("/proc/kallsyms")
_AGAIN: Final = "run datacrumbs_probe_configurator again on this machine"
_REGISTERS: Final = 6
"""Arguments that are passed in registers on x86-64; arm64 has eight."""


def find(entry: Entry) -> KernelProbes:
    """The functions of the kernel and of loaded modules that the entry selects.

    Raises:
        UnavailableError: this kernel has no BTF.
    """
    return _select(entry, lambda _symbol, _module: True)


def find_in_module(entry: Entry) -> KernelProbes:
    """The functions of the module that the entry's `file` names: `ext4`, or the path of `ext4.ko`.

    Raises:
        DataError: no such module is loaded, or it has no BTF.
    """
    name = Path(entry.file).name.partition(".ko")[0].replace("-", "_")
    if name in ("", "vmlinux", "vmlinuz"):
        return _select(entry, lambda _symbol, module: not module)
    if btf.module(name) is None and name not in _builtin():
        raise DataError(f"no module {name} is loaded, or it has no BTF", f"load it with modprobe {name}")
    found = _select(entry, lambda _symbol, module: module == name)
    note = f"{name} is built into this kernel: its functions cannot be told from others; use type: ksym and a pattern"
    return found if btf.module(name) else KernelProbes((), found.kernel, (note,))


def find_declared(entry: Entry) -> KernelProbes:
    """The kernel's functions that the entry's header declares; where it is missing, those that the pattern fits.

    Raises:
        NoInputError: the header is there but cannot be read.
    """
    missing = lack(entry)
    if missing:
        if entry.pattern.text == ".*":
            return KernelProbes((), btf.fingerprint(), (f"{missing}, and no pattern says which functions are meant",))
        found = find(entry)
        return KernelProbes(found.probes, found.kernel, (f"{missing}: the names come from the kernel",))
    declared = headers.read([entry.file]).keys()
    return _select(entry, lambda symbol, _module: symbol in declared)


def check(probe: Probe) -> None:
    """Refuses a probe that asks for more of a kernel function than this module would have it take.

    Raises:
        DataError: naming the function.
    """
    target = probe.target
    assert isinstance(target, KernelFunction)
    whole = _probe(target.symbol, target.module, "", "")
    if whole is None:
        raise DataError(f"this kernel has no function {target.symbol} that it describes", _AGAIN)
    if whole.problem:
        raise DataError(f"kernel function {target.symbol}: {whole.problem}", "exclude it")
    mine = whole.probe.target
    assert isinstance(mine, KernelFunction)
    same = (target.parameters, target.returned, target.signed) == (mine.parameters, mine.returned, mine.signed)
    fits = same and set(target.fields) <= set(mine.fields) and target.holder in (None, mine.holder)
    if not fits or len(target.fields) != len(probe.capture.arguments):
        raise DataError(f"kernel function {target.symbol} is described otherwise than by this kernel", _AGAIN)


def _select(entry: Entry, wanted: Callable[[str, str], bool]) -> KernelProbes:
    found = []
    for symbol, module in _symbols():
        if not wanted(symbol, module) or not entry.selects(symbol):
            continue
        probe = _probe(symbol, module, entry.category, symbol)
        if probe:
            found.append(probe)
    return KernelProbes(tuple(found), btf.fingerprint())


def _probe(symbol: str, module: str, category: str, shown: str) -> KernelProbe | None:
    """A function as it will be probed; None for one that BTF does not describe."""
    types = btf.module(module) if module else btf.kernel()
    prototype = types.functions().get(symbol) if types else None
    if types is None or prototype is None:
        return None
    parameters = types.parameters(prototype)
    problem = kernelunsafe.reason(symbol) or _problem(types, parameters)
    if problem:
        return KernelProbe(Probe(shown, category, "kprobe", KernelFunction(symbol, module)), (symbol,), problem)
    captured = describe(types, parameters[:_REGISTERS], results=False)
    result = types.integer(types.returns(prototype))
    target = KernelFunction(
        symbol,
        module,
        len(parameters),
        result.size if result else 0,
        bool(result and result.signed),
        captured.holder,
        tuple(captured.fields),
    )
    returns: ResultType = ("errno" if result.signed else "u64") if result else ""
    capture = Capture(arguments=tuple(captured.arguments), returns=returns)
    return KernelProbe(Probe(shown, category, "kprobe", target, capture), (symbol,))


def _problem(types: btf.Btf, parameters: tuple[btf.Parameter, ...]) -> str:
    if len(parameters) > MAX_KERNEL_ARGUMENTS:
        return f"has more than {MAX_KERNEL_ARGUMENTS} arguments"
    plain = all(types.integer(p.type) or types.pointer_to(p.type) is not None for p in parameters)
    return "" if plain else "takes a structure by value, which shifts its other arguments"


@functools.cache
def _symbols() -> tuple[tuple[str, str], ...]:
    """All functions with the modules that they are in, each name once."""
    return tuple(sorted({(symbol, module) for symbol, module in _lines()}))


def _lines() -> Iterator[tuple[str, str]]:
    described: Mapping[str, int] = btf.kernel().functions()
    with KALLSYMS.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            _, kind, symbol, *module = line.split()
            if kind in "tT" and (module or symbol in described):
                yield symbol, module[0][1:-1] if module else ""


def _builtin() -> frozenset[str]:
    """The modules that are built into this kernel and have parameters or versions: sysfs knows no others."""
    return frozenset(path.name for path in Path("/sys/module").iterdir())
