"""Kernel tracepoints, from the kernel's BTF: everybody may read it, unlike tracefs."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from datacrumbs.configurator.kernelargs import describe
from datacrumbs.configurator.material import KernelProbe, KernelProbes
from datacrumbs.configurator.pairs import Pair, pairs_of, subsystem_of
from datacrumbs.configurator.spec import Entry
from datacrumbs.core import btf
from datacrumbs.core.errors import DataError
from datacrumbs.core.kernelprobes import Tracepoint
from datacrumbs.core.probes import Capture, Probe

_AGAIN: Final = "run datacrumbs_probe_configurator again on this machine"
_PREFIX: Final = "btf_trace_"


def find(entry: Entry) -> KernelProbes:
    """The events of the running kernel that the entry selects, joined into spans where both ends are selected.

    Raises:
        UnavailableError: this kernel has no BTF.
    """
    known = _events()
    owner = dict(known)
    selected = {event for event in owner if entry.selects(_full(event))}
    pairs = [pair for pair in pairs_of(owner) if _wanted(pair, selected, entry)]
    taken: set[str] = set()
    found = []
    for pair in pairs:
        if not taken & {pair.begin, pair.end}:
            taken |= {pair.begin, pair.end}
            found.append(_probe(owner[pair.begin], pair, entry))
    found += [_probe(owner[event], Pair(event, "", event), entry) for event in sorted(selected - taken)]
    found.sort(key=lambda probe: probe.probe.name)
    return KernelProbes(tuple(found), btf.fingerprint())


def _wanted(pair: Pair, selected: set[str], entry: Entry) -> bool:
    """Whether a span is meant: the pattern fits both of its ends, or the name that they have in common."""
    ends = {pair.begin, pair.end}
    if ends <= selected:
        return True
    stem = f"{_full(pair.begin).partition(':')[0]}:{pair.name}"
    return entry.pattern.fits(stem) and not entry.excludes(stem, *map(_full, ends))


def check(probe: Probe) -> None:
    """Refuses a probe that asks for more of a tracepoint than this module would have it take.

    Raises:
        DataError: naming the tracepoint.
    """
    target = probe.target
    assert isinstance(target, Tracepoint)
    begin, end = target.event.partition(":")[2], target.end.partition(":")[2]
    owner = dict(_events())
    pair = next((p for p in pairs_of(owner) if (p.begin, p.end) == (begin, end)), None) if end else Pair(begin, "", "")
    if begin not in owner or pair is None:
        raise DataError(
            f"this kernel has no tracepoint {target.event} {target.end}".rstrip(), "make the file again here"
        )
    whole = _target(owner[begin], pair)[0]
    same = replace(target, holder=None, fields=()) == replace(whole, holder=None, fields=())
    fits = same and set(target.fields) <= set(whole.fields)
    if not fits or target.holder not in (None, whole.holder) or len(target.fields) != len(probe.capture.arguments):
        raise DataError(
            f"tracepoint {target.event} is described otherwise than by this kernel", "make the file again here"
        )


def _full(event: str) -> str:
    return f"{subsystem_of(event)}:{event}"


def _target(types: btf.Btf, pair: Pair) -> tuple[Tracepoint, Capture]:
    first, last = types.tracepoint(pair.begin) or (), (types.tracepoint(pair.end) or ()) if pair.end else ()
    captured = describe(types, first, last)
    target = Tracepoint(
        _full(pair.begin),
        _full(pair.end) if pair.end else "",
        pair.key,
        pair.end_key,
        captured.result,
        captured.holder,
        tuple(captured.fields),
    )
    return target, Capture(arguments=tuple(captured.arguments), returns="errno" if captured.result >= 0 else "")


def _probe(types: btf.Btf, pair: Pair, entry: Entry) -> KernelProbe:
    target, capture = _target(types, pair)
    category = entry.category if entry.category != entry.name else target.event.partition(":")[0]
    names = (target.event, target.end) if target.end else (target.event,)
    return KernelProbe(Probe(pair.name, category, "tracepoint", target, capture), names)


@functools.cache
def _events() -> tuple[tuple[str, btf.Btf], ...]:
    """All events, each with the types that it is described in."""
    return tuple(_walk())


def _walk() -> Iterator[tuple[str, btf.Btf]]:
    for types in btf.all_loaded():
        for name in types.typedefs():
            if name.startswith(_PREFIX):
                yield name.removeprefix(_PREFIX), types
