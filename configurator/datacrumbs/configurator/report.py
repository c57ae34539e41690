"""A resolved selection for people: what `--dry-run` and `--list` print."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from datacrumbs.configurator.resolve import Resolution
from datacrumbs.core.customprobes import Custom
from datacrumbs.core.kernelprobes import KernelFunction, Tracepoint
from datacrumbs.core.probes import RESULT, Capture, Function, Probe, Syscall
from datacrumbs.core.text import printable
from datacrumbs.core.usdt import Usdt
from rich.table import Table
from rich.text import Text

_EXAMPLES: Final = 4
_EXAMPLE_WIDTH: Final = 32
_KERNEL: Final = {"syscall": -1, "tracepoint": -2, "kprobe": -3}
_WORDS: Final = {-1: "system calls", -2: "kernel tracepoints", -3: "kernel functions"}
"""What has no file, numbered where files have their places."""


def table(resolution: Resolution) -> Table:
    """One line for each entry and file: how many functions, where, and what is captured."""
    groups: dict[tuple[str, str, int], list[Probe]] = defaultdict(list)
    for origin, probe in zip(resolution.origins, resolution.probes.probes, strict=True):
        file = probe.target.file if isinstance(probe.target, Function | Usdt) else _KERNEL[probe.kind]
        groups[origin, probe.category, file].append(probe)
    result = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("entry", "category", "functions", "where", "captured", "for example"):
        result.add_column(heading, justify="right" if heading == "functions" else "left", overflow="fold")
    for (origin, category, file), probes in groups.items():
        cells = (origin, category, str(len(probes)), _where(resolution, file), _captured(probes), _examples(probes))
        result.add_row(*(Text(printable(cell)) for cell in cells))
    return result


def lines(resolution: Resolution) -> Iterator[str]:
    """One line for each function: name, category, kind and place, separated by tabs."""
    for probe in resolution.probes.probes:
        target = probe.target
        if isinstance(target, Function):
            place = f"{resolution.probes.files[target.file].path}+{target.offset:#x}"
            place += f", probe at +{target.skip}" if target.skip else ""
        elif isinstance(target, Syscall):
            place = f"{target.name} ({target.number})"
        elif isinstance(target, Usdt):
            place = f"{resolution.probes.files[target.file].path}:{target.provider}:{target.name}"
        elif isinstance(target, Custom):
            place = f"{resolution.probes.programs[target.program].name}, event {target.event}"
        elif isinstance(target, Tracepoint):
            place = f"{target.event} … {target.end}" if target.end else target.event
        else:
            place = f"{target.module or 'kernel'}+{target.symbol}"
        yield "\t".join(printable(cell) for cell in (probe.name, probe.category, probe.kind, place))


def remarks(resolution: Resolution) -> Iterator[str]:
    """What was left out, and what else a user should know: one sentence each."""
    yield from resolution.notes
    for index in sorted(resolution.unwinds):
        yield (
            f"{resolution.probes.files[index].path} takes part in C++ exceptions: the ends of its functions' calls are "
            "seen at their exits, which costs a few microseconds a call"
        )
    for line in resolution.probes.excluded:
        yield f"left out: {line}"


def _where(resolution: Resolution, file: int) -> str:
    return resolution.probes.files[file].path if file >= 0 else _WORDS[file]


def _captured(probes: list[Probe]) -> str:
    with_more = sum(1 for probe in probes if probe.capture.arguments or probe.capture.files)
    if not with_more:
        return "result" if any(probe.capture.returns for probe in probes) else "time"
    return "result, arguments" if with_more == len(probes) else f"result, arguments of {with_more}"


def _examples(probes: list[Probe]) -> str:
    names = list(dict.fromkeys(probe.name for probe in probes))
    shown = ", ".join(name[:_EXAMPLE_WIDTH] for name in names[:_EXAMPLES])
    return f"{shown}, …" if len(names) > _EXAMPLES else shown


def narrowed(capture: Capture, level: str) -> Capture:
    """A capture cut down to a level of `--capture`: none, integers or paths (and other texts)."""
    if level == "paths":
        return capture
    if level == "none":
        return Capture(returns="" if capture.returns == "string" else capture.returns)
    numbers = [i for i, argument in enumerate(capture.arguments) if argument.type != "string"]
    return Capture(
        tuple(capture.arguments[i] for i in numbers),
        (),
        "pointer" if capture.returns == "string" else capture.returns,
        tuple(RESULT if factor == RESULT else numbers.index(factor) for factor in capture.size),
    )


def narrowed_probe(probe: Probe, level: str) -> Probe:
    """A probe whose capture is cut down to a level of `--capture`."""
    target = probe.target
    if isinstance(target, Tracepoint | KernelFunction):
        keeps = target.holder if level == "paths" else None
        target = replace(target, holder=keeps, fields=target.fields if level != "none" else ())
    return replace(probe, target=target, capture=narrowed(probe.capture, level))
