"""From wishes and material to probes: which functions, where they are, and what to capture of each. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from datacrumbs.configurator import marks, unsafe
from datacrumbs.configurator.material import (
    Code,
    CustomProbes,
    Functions,
    KernelProbes,
    Material,
    Name,
    Points,
    SystemCalls,
)
from datacrumbs.configurator.spec import Entry, Spec
from datacrumbs.core import syscalls
from datacrumbs.core.customprobes import Custom, CustomProgram
from datacrumbs.core.errors import DataError
from datacrumbs.core.probes import MAX_FILES, MAX_NAME, Binary, Capture, Function, Probe, ProbeSet, Syscall
from datacrumbs.core.usdt import MAX_ENDS, Usdt

INDIRECT: Final = "is not the function but what chooses it when the program starts (IFUNC)"
UNREACHABLE_CALLS: Final = {
    "exit": "does not return",
    "exit_group": "does not return",
    "rt_sigreturn": "returns to where a signal struck, with that place's registers",
}
"""System calls that are not probed, with the reasons."""
_LONGEST_NOTE: Final = 4 * MAX_NAME


@dataclass(frozen=True, slots=True)
class Resolution:
    """A resolved spec: the probes, and what people should know about them."""

    probes: ProbeSet
    origins: tuple[str, ...]
    """For each probe the name of the entry that it came from."""
    unwinds: frozenset[int]
    """The indices of those files whose functions take part in C++ exceptions."""
    notes: tuple[str, ...]
    """What is worth a line on the terminal, besides `probes.excluded`."""


@dataclass(slots=True)
class _Selection:
    """Probes so far. What an earlier entry has selected stays that entry's."""

    probes: list[Probe] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    files: dict[Binary, int] = field(default_factory=dict)
    unwinds: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    programs: list[CustomProgram] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    taken: set[object] = field(default_factory=set)
    kernel: str = ""

    def add(self, entry: Entry, probe: Probe, place: object) -> None:
        if place not in self.taken:
            self.taken.add(place)
            self.probes.append(probe)
            self.origins.append(entry.name)

    def leave_out(self, entry: Entry, left: Iterable[tuple[str, str]]) -> None:
        """Notes names that were selected but are not probed, one line for each reason."""
        by_reason: dict[str, list[str]] = defaultdict(list)
        for name, why in left:
            by_reason[why].append(name)
        for why, names in by_reason.items():
            self.excluded.append(_line(f"{entry.name}: ", names, f": {why}"))


def resolve(spec: Spec, material: Material, *, arch: str, most: int) -> Resolution:
    """Selects the functions that a spec means.

    Args:
        spec: the wishes.
        material: what the machine has for each entry.
        arch: the machine, as `uname -m` says it.
        most: the largest number of functions.

    Raises:
        DataError: nothing is selected, or too much.
    """
    selection = _Selection(notes=list(spec.notes))
    told: list[str] = []
    for index, entry in enumerate(spec.entries):
        found = material[index]
        before = len(selection.taken), len(selection.excluded)
        if isinstance(found, SystemCalls):
            _system_calls(entry, found, selection)
        elif isinstance(found, Points):
            _marks(entry, found, selection)
        elif isinstance(found, CustomProbes):
            _custom(entry, found, selection)
        elif isinstance(found, KernelProbes):
            _kernel(entry, found, selection)
        else:
            _functions(entry, found, selection)
        told += [f"{entry.name}: {note}" for note in found.notes]
        selection.notes += [f"{entry.name}: {note}" for note in found.notes]
        if before == (len(selection.taken), len(selection.excluded)):
            selection.notes.append(f"entry {entry} selects nothing that an earlier one has not, or nothing at all")
    _check_size(spec, len(selection.probes), len(selection.files), most, told)
    return Resolution(
        ProbeSet(
            arch=arch,
            probes=tuple(selection.probes),
            files=tuple(selection.files),
            mode=spec.mode,
            min_duration_ns=spec.min_duration_ns,
            kernel=selection.kernel,
            interval_ns=spec.interval_ns,
            rate_limit=spec.rate_limit,
            programs=tuple(selection.programs),
            excluded=tuple(selection.excluded),
        ),
        tuple(selection.origins),
        frozenset(selection.unwinds),
        tuple(selection.notes),
    )


def _custom(entry: Entry, found: CustomProbes, selection: _Selection) -> None:
    """All events of a program: it is compiled as it is, so none can be left out."""
    index = len(selection.programs)
    selection.programs.append(found.program)
    for probe in found.probes:
        assert isinstance(probe.target, Custom)
        selection.add(entry, replace(probe, target=replace(probe.target, program=index)), (index, probe.target.event))


def _check_size(spec: Spec, functions: int, files: int, most: int, told: Sequence[str]) -> None:
    if not functions:
        patterns = ", ".join(f"{entry} {entry.pattern.text}" for entry in spec.entries[:5])
        why = f" ({'; '.join(told[:5])})" if told else ""
        raise DataError(f"no function fits: {patterns}{why}", "widen 'regex', or look with --list at what there is")
    if functions > most:
        raise DataError(f"{functions} functions are selected, {most} are allowed", "narrow 'regex', or add 'exclude'")
    if files > MAX_FILES:
        raise DataError(f"functions of {files} files are selected, {MAX_FILES} files are allowed", "name fewer files")


def _system_calls(entry: Entry, found: SystemCalls, selection: _Selection) -> None:
    forms = _forms(entry)
    left: list[tuple[str, str]] = []
    for call, number in sorted(found.numbers.items(), key=lambda item: item[1]):
        if not entry.selects(*forms(call)):
            continue
        if call in UNREACHABLE_CALLS:
            left.append((call, UNREACHABLE_CALLS[call]))
            continue
        probe = Probe(
            syscalls.trace_name(call), entry.category, "syscall", Syscall(call, number), syscalls.capture(call)
        )
        selection.add(entry, probe, number)
    selection.leave_out(entry, left)


def _forms(entry: Entry) -> Callable[[str], tuple[str, ...]]:
    """The names of a system call that a pattern is compared with.

    Upstream's files write sys_read or __x64_sys_read, others read. Comparing with all forms would break look-ahead:
    `(?!read$).*` means to leave read out, and sys_read would fit it. So the pattern itself says which form it means.
    """
    if "sys_" in entry.pattern.text.lower():
        return lambda call: (f"sys_{call}", f"__x64_sys_{call}")
    return lambda call: (call,)


def _functions(entry: Entry, found: Functions, selection: _Selection) -> None:
    left: list[tuple[str, str]] = []
    for code in found.functions:
        chosen = next((name for name in code.names if _fits(entry, name)), None)
        if chosen is None or any(entry.excludes(name.symbol, name.shown) for name in code.names):
            continue
        why = INDIRECT if code.indirect else next(_reasons(code), None)
        if why:
            left.append((chosen.shown, why))
            continue
        index = selection.files.setdefault(found.binary, len(selection.files))
        if found.unwinds:
            selection.unwinds.add(index)
        shown = f"{chosen.shown}:{code.offset:#x}" if entry.include_offsets else chosen.shown
        probe = Probe(
            shown[: 4 * MAX_NAME],
            entry.category,
            "uprobe",
            Function(index, code.offset, chosen.symbol, found.skips.get(code.offset, 0)),
            found.captures.get(code.offset, Capture()),
        )
        selection.add(entry, probe, (index, code.offset))
    selection.leave_out(entry, left)


def _kernel(entry: Entry, found: KernelProbes, selection: _Selection) -> None:
    """Tracepoints and kernel functions: their source has selected them already."""
    selection.kernel = found.kernel
    for item in found.probes:
        if not item.problem:
            selection.add(entry, item.probe, item.names[0])
    selection.leave_out(entry, ((item.probe.name, item.problem) for item in found.probes if item.problem))


def _marks(entry: Entry, found: Points, selection: _Selection) -> None:
    wanted = [p for p in found.points if entry.selects(p.name, f"{p.provider}:{p.name}")]
    for name, point, ends in marks.spans(wanted):
        index = selection.files.setdefault(found.binary, len(selection.files))
        switch = found.switches.get((point.provider, point.name))
        target = Usdt(
            index,
            point.provider,
            point.name,
            point.mark,
            tuple(end.mark for end in ends[:MAX_ENDS]),
            (switch,) if switch and ends else (),
        )
        level = entry.arguments != "none"
        probe = Probe(name, entry.category, "usdt", target, marks.capture(point) if level else Capture())
        selection.add(entry, probe, (index, point.mark.offset, point.name))


def _fits(entry: Entry, name: Name) -> bool:
    return entry.pattern.fits(name.symbol) or (name.shown != name.symbol and entry.pattern.fits(name.shown))


def _reasons(code: Code) -> Iterator[str]:
    return filter(None, (unsafe.reason(name.symbol) for name in code.names))


def _line(start: str, names: list[str], end: str) -> str:
    """A line of limited length that holds as many of the names as fit."""
    room = _LONGEST_NOTE - len(start) - len(end) - 24
    text = start[: MAX_NAME + 2]
    for count, name in enumerate(names):
        piece = name if count == 0 else f", {name}"
        if len(text) - len(start) + len(piece) > room:
            return f"{text} and {len(names) - count} more{end}"
        text += piece
    return text + end
