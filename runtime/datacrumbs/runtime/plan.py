"""Which program goes where: pure, so that `--dry-run` prints exactly what a run would do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

from datacrumbs.core.customprobes import Custom
from datacrumbs.core.errors import KernelError
from datacrumbs.core.kernelprobes import KernelFunction, Tracepoint
from datacrumbs.core.probes import Function, ProbeSet, Syscall
from datacrumbs.core.usdt import Mark, Usdt

FunctionLinks = Literal["session", "multi", "perf"]
"""How user functions are attached: uprobe sessions, pairs of uprobe_multi links, or one perf event for each end."""
EventLinks = Literal["cookie", "fixed"]
"""How tracepoints are attached: links with cookies (Linux 6.10), or programs of their own, one for each."""
KernelLinks = Literal["session", "multi", "trampoline"]
"""How kernel functions are attached: kprobe sessions, pairs of kprobe_multi links, or fentry and fexit for each."""
MAX_TRAMPOLINES: Final = 100
"""Each is two programs that are loaded and attached by themselves, about 10 ms."""
MAX_PERF_FUNCTIONS: Final = 64
"""Perf uprobes detach in about 0.1 s each, and the process cannot be killed meanwhile."""


@dataclass(frozen=True, slots=True)
class Features:
    """What this kernel was seen to do; see features.py."""

    function_links: FunctionLinks | None
    """The best way to attach user functions; None where there is none."""
    event_links: EventLinks = "cookie"
    kernel_links: KernelLinks | None = None
    """The best way to attach kernel functions; None where there is none."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found in a probed file when it was opened for this run."""

    descriptor: int
    """An open descriptor of the very file that was inspected; -1 where it cannot be used."""
    problem: str = ""
    """Why it cannot be used."""
    exits: Mapping[int, tuple[int, ...]] | None = None
    """Where C++ exceptions may pass through the file's functions: for each probed offset its function's exits."""


@dataclass(frozen=True, slots=True)
class FunctionGroup:
    """Functions of one file, attached together: `offsets` in bytes and probe ids side by side."""

    path: str
    descriptor: int
    offsets: tuple[int, ...]
    ids: tuple[int, ...]
    exits: tuple[tuple[int, int], ...] = ()
    """Offset and probe id of each exit, where return probes would stop C++ exceptions; empty elsewhere."""

    def only(self, ids: Collection[int]) -> FunctionGroup:
        """Those of the group's functions that have one of these ids."""
        pairs = [(offset, i) for offset, i in zip(self.offsets, self.ids, strict=True) if i in ids]
        return replace(
            self,
            offsets=tuple(offset for offset, _ in pairs),
            ids=tuple(i for _, i in pairs),
            exits=tuple(end for end in self.exits if end[1] in ids),
        )


@dataclass(frozen=True, slots=True)
class MarkGroup:
    """USDT probes of one file, attached together: marks and probe ids."""

    path: str
    descriptor: int
    begins: tuple[tuple[Mark, int], ...]
    ends: tuple[tuple[Mark, int], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A probe that will not be attached, and why."""

    name: str
    reason: str
    index: int = -1
    """Its id, where the kernel refused it: a function and a tracepoint may have the same name."""


@dataclass(frozen=True, slots=True)
class AttachPlan:
    """All that a run attaches."""

    syscalls: tuple[int, ...]
    """Ids of the probes on system calls."""
    groups: tuple[FunctionGroup, ...]
    links: FunctionLinks | None
    refused: tuple[Refused, ...]
    customs: tuple[int, ...] = ()
    """Ids of the events of custom probes."""
    events: tuple[int, ...] = ()
    """Ids of the probes on tracepoints."""
    event_links: EventLinks = "cookie"
    marks: tuple[MarkGroup, ...] = ()
    mark_links: FunctionLinks | None = None
    kernel: tuple[int, ...] = ()
    """Ids of the probes on kernel functions."""
    kernel_links: KernelLinks | None = None
    addresses: Mapping[int, int] = field(default_factory=dict)
    """Where they are, by id."""

    @property
    def attached(self) -> int:
        """How many probes will be attached."""
        functions = sum(len(group.ids) for group in self.groups) + sum(len(group.begins) for group in self.marks)
        return len(self.syscalls) + len(self.customs) + len(self.events) + len(self.kernel) + functions


def make_plan(
    probes: ProbeSet,
    features: Features,
    files: Sequence[Inspected],
    machine: str,
    places: Mapping[KernelFunction, int | str] = MappingProxyType({}),
) -> AttachPlan:
    """Plans a run.

    Args:
        probes: the verified probes.
        features: what the kernel can do.
        files: one for each of `probes.files`.
        machine: this machine's architecture as `uname -m` has it.
        places: for each kernel function its address, or why it cannot be attached to.

    Raises:
        KernelError: the probes are for another architecture, or nothing is left to attach.
    """
    if probes.arch != machine:
        raise KernelError(
            f"the probes file is for {probes.arch}, this machine is {machine}",
            "make it on a machine like this one",
            who="user",
        )
    syscalls = tuple(i for i, probe in enumerate(probes.probes) if isinstance(probe.target, Syscall))
    functions = {i: probe.target for i, probe in enumerate(probes.probes) if isinstance(probe.target, Function)}
    reasons = {i: _problem(target, features, files[target.file], len(functions)) for i, target in functions.items()}
    in_kernel = {i: probe.target for i, probe in enumerate(probes.probes) if isinstance(probe.target, KernelFunction)}
    reasons |= {i: _kernel_problem(target, features, places, len(in_kernel)) for i, target in in_kernel.items()}
    kernel = tuple(i for i in in_kernel if not reasons[i])
    usable = {i: target for i, target in functions.items() if not reasons[i]}
    marked = {i: probe.target for i, probe in enumerate(probes.probes) if isinstance(probe.target, Usdt)}
    reasons |= {i: _mark_problem(features, files[target.file], len(marked)) for i, target in marked.items()}
    marks = _marks(probes, {i: target for i, target in marked.items() if not reasons[i]}, files)
    plan = AttachPlan(
        syscalls=syscalls,
        customs=tuple(i for i, probe in enumerate(probes.probes) if isinstance(probe.target, Custom)),
        groups=tuple(_groups(probes, usable, files)),
        links=features.function_links if usable else None,
        events=tuple(i for i, probe in enumerate(probes.probes) if isinstance(probe.target, Tracepoint)),
        event_links=features.event_links,
        marks=marks,
        mark_links=features.function_links if marks else None,
        kernel=kernel,
        kernel_links=features.kernel_links,
        addresses={i: place for i in kernel if isinstance(place := places.get(in_kernel[i]), int)},
        refused=tuple(Refused(probes.probes[i].name, reason) for i, reason in reasons.items() if reason),
    )
    if not plan.attached:
        reason = plan.refused[0].reason
        raise KernelError(f"none of the {len(reasons)} probes can be attached: {reason}", "see the host YAML")
    return plan


def without(plan: AttachPlan, refused: Sequence[Refused]) -> AttachPlan:
    """The plan after the kernel has refused some of its tracepoints and functions.

    Raises:
        KernelError: nothing is left.
    """
    gone = {item.index for item in refused}
    groups = tuple(group.only(set(group.ids) - gone) for group in plan.groups)
    events = tuple(i for i in plan.events if i not in gone)
    kernel = tuple(i for i in plan.kernel if i not in gone)
    left = replace(plan, groups=groups, events=events, kernel=kernel, refused=(*plan.refused, *refused))
    if not left.attached:
        raise KernelError(f"none of the probes can be attached: {left.refused[0].reason}", "see the host YAML")
    return left


def _kernel_problem(
    target: KernelFunction, features: Features, places: Mapping[KernelFunction, int | str], functions: int
) -> str:
    place = places.get(target, "")
    if isinstance(place, str):
        return place or f"this kernel has no function {target.symbol}"
    if features.kernel_links is None:
        return "this kernel attaches to no functions: it has neither kprobe_multi (CONFIG_FPROBE) nor fentry"
    if features.kernel_links == "trampoline" and functions > MAX_TRAMPOLINES:
        return (
            f"this kernel has no kprobe_multi (CONFIG_FPROBE, Linux 5.18), and without it at most {MAX_TRAMPOLINES}"
            " kernel functions"
        )
    return ""


def _problem(target: Function, features: Features, file: Inspected, functions: int) -> str:
    if file.problem:
        return file.problem
    if features.function_links is None:
        return "this kernel has no uprobes"
    if file.exits is not None and not file.exits.get(target.offset):
        return "C++ exceptions may pass through it and its exits are not known: a return probe would stop them"
    if features.function_links == "perf" and file.exits is not None:
        return "C++ exceptions may pass through it, and this kernel has no uprobe_multi (Linux 6.6)"
    if features.function_links == "perf" and functions > MAX_PERF_FUNCTIONS:
        return f"this kernel has no uprobe_multi (Linux 6.6), and without it at most {MAX_PERF_FUNCTIONS} functions"
    return ""


def _mark_problem(features: Features, file: Inspected, marks: int) -> str:
    if file.problem:
        return file.problem
    if features.function_links is None:
        return "this kernel has no uprobes"
    if features.function_links == "perf" and marks > MAX_PERF_FUNCTIONS:
        return f"this kernel has no uprobe_multi (Linux 6.6), and without it at most {MAX_PERF_FUNCTIONS} USDT probes"
    return ""


def _marks(probes: ProbeSet, usable: Mapping[int, Usdt], files: Sequence[Inspected]) -> tuple[MarkGroup, ...]:
    groups = []
    for index, binary in enumerate(probes.files):
        own = {i: target for i, target in usable.items() if target.file == index}
        if own:
            begins = tuple((target.mark, i) for i, target in own.items())
            ends = tuple((end, i) for i, target in own.items() for end in (*target.ends, *target.switches))
            groups.append(MarkGroup(binary.path, files[index].descriptor, begins, ends))
    return tuple(groups)


def _groups(probes: ProbeSet, usable: Mapping[int, Function], files: Sequence[Inspected]) -> list[FunctionGroup]:
    groups = []
    for index, binary in enumerate(probes.files):
        targets = {i: target for i, target in usable.items() if target.file == index}
        if not targets:
            continue
        file = files[index]
        offsets = tuple(target.offset + target.skip for target in targets.values())
        exits = tuple((end, i) for i, target in targets.items() for end in (file.exits or {}).get(target.offset, ()))
        groups.append(FunctionGroup(binary.path, file.descriptor, offsets, tuple(targets), exits))
    return groups
