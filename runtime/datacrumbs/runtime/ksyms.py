"""Where kernel functions are, and which of them the kernel lets be traced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from datacrumbs.core.kernelprobes import KernelFunction

KALLSYMS: Final = Path("/proc/kallsyms")
TRACEABLE: Final = Path("/sys/kernel/tracing/available_filter_functions")


def addresses(wanted: Iterable[KernelFunction]) -> Mapping[KernelFunction, int | str]:
    """The address of each function, or why it cannot be attached to."""
    functions = set(wanted)
    if not functions:
        return {}
    found: dict[tuple[str, str], list[int]] = {(f.symbol, f.module): [] for f in functions}
    with KALLSYMS.open("rb") as lines:
        for line in lines:
            address, kind, name, *module = line.split()
            if kind in b"tT":
                key = (name.decode("ascii", "replace"), module[0].decode()[1:-1] if module else "")
                if key in found:
                    found[key].append(int(address, 16))
    traceable = _traceable({f.symbol for f in functions})
    return {f: _one(f, found[f.symbol, f.module], traceable) for f in functions}


def _one(function: KernelFunction, places: list[int], traceable: frozenset[str] | None) -> int | str:
    where = f"module {function.module}" if function.module else "this kernel"
    if not places:
        return f"{where} has no function {function.symbol}"
    if not all(places):
        return "the kernel hides its addresses (kptr_restrict)"
    if len(set(places)) > 1:
        return f"{where} has several functions {function.symbol}"
    if traceable is not None and function.symbol not in traceable:
        return f"the kernel does not let {function.symbol} be traced (notrace, or built in elsewhere)"
    return places[0]


def _traceable(wanted: set[str]) -> frozenset[str] | None:
    """Those of these names that ftrace knows; None where it does not tell."""
    try:
        with TRACEABLE.open("rb") as lines:
            names = {line.split(None, 1)[0].decode("ascii", "replace") for line in lines if line.strip()}
    except OSError:
        return None
    return frozenset(wanted & names)
