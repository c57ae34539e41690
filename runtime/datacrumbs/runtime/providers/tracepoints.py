"""Kernel tracepoints: raw tracepoint links, and the helpers that remember who causes what."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Final

from datacrumbs.core.kernelprobes import Field, Holder, KernelFunction, Tracepoint
from datacrumbs.core.probes import Probe, ProbeSet
from datacrumbs.runtime._native import ffi, lib
from datacrumbs.runtime.plan import AttachPlan, EventLinks, Refused
from datacrumbs.runtime.programs import SLOT, Programs, update

OBJECT: Final = "events"
TABLE: Final = "event_counts"
_HELPERS: Final = {
    "dc_dirty": (("writeback_mark_inode_dirty",), ("inode", "file", "dentry", "folio", "bio", "request")),
    "dc_submit": (("block_bio_queue", "block_split"), ("bio", "request")),
    "dc_take_part": (("jbd2_handle_start",), ("transaction",)),
}
"""Programs that remember who causes what: their tracepoints, and the kinds of holders that ask for it."""
_HOLDERS: Final = {
    "inode": lib.DC_INODE,
    "file": lib.DC_FILE_POINTER,
    "dentry": lib.DC_DENTRY,
    "folio": lib.DC_FOLIO,
    "bio": lib.DC_BIO,
    "request": lib.DC_REQUEST,
    "transaction": lib.DC_TRANSACTION,
}


def wanted(probes: ProbeSet, links: EventLinks) -> dict[str, int]:
    """The programs to load, for `Programs`."""
    ours = ("dc_event", "dc_event_begin", "dc_event_end") if links == "cookie" else ()
    return helpers(probes) | dict.fromkeys(ours, 0)


def helpers(probes: ProbeSet) -> dict[str, int]:
    """The programs that remember who causes what, as far as these probes need them."""
    return dict.fromkeys((name for name, (_, kinds) in _HELPERS.items() if kinds_of(probes) & set(kinds)), 0)


def kinds_of(probes: ProbeSet) -> set[str]:
    """The kinds of objects by which the set's events are attributed."""
    targets = (probe.target for probe in probes.probes)
    return {t.holder.kind for t in targets if isinstance(t, Tracepoint | KernelFunction) and t.holder}


@contextlib.contextmanager
def attached(programs: Programs, plan: AttachPlan, probes: ProbeSet) -> Iterator[tuple[Refused, ...]]:
    """Attaches the tracepoints of the plan for the length of the context, and yields those that this kernel has not."""
    refused = []
    with contextlib.ExitStack() as stack:
        if plan.events or plan.kernel:
            _attach_helpers(stack, programs, kinds_of(probes))
        for index in plan.events:
            probe = probes.probes[index]
            assert isinstance(probe.target, Tracepoint)
            fill(programs, index, probe)
            why = _attach(stack, programs, plan, index, probe.target)
            if why:
                refused.append(Refused(probe.name, why, index))
        yield tuple(refused)


def _attach_helpers(stack: contextlib.ExitStack, programs: Programs, kinds: set[str]) -> None:
    for name, (events, wanting) in _HELPERS.items():
        if not kinds & set(wanting):
            continue
        for event in events:
            link = lib.dc_link_tracepoint(_descriptor(programs.program(name)), event.encode(), 0)
            if link >= 0:  # a kernel without it has no events that would ask
                stack.callback(os.close, link)


def _attach(stack: contextlib.ExitStack, programs: Programs, plan: AttachPlan, index: int, target: Tracepoint) -> str:
    """Attaches one event or pair. Returns why not, or ""."""
    cookie = SLOT << 32 | index
    # The end first: a beginning whose end is not seen would wait for it.
    ends = (
        [("dc_event_end", target.end), ("dc_event_begin", target.event)] if target.end else [("dc_event", target.event)]
    )
    made: list[int] = []
    for name, event in ends:
        fixed = plan.event_links == "fixed"
        own = programs.load_again(OBJECT, [name], cookie)[name] if fixed else programs.program(name)
        short = event.partition(":")[2].encode()
        link = lib.dc_link_tracepoint(_descriptor(own), short, 0 if fixed else cookie)
        if link < 0:
            for other in made:
                os.close(other)
            return f"this kernel has no tracepoint {event}" if link == -2 else f"{event}: {os.strerror(-link)}"
        made.append(link)
    for link in made:
        stack.callback(os.close, link)
    return ""


def _descriptor(program: Any) -> int:
    return int(lib.bpf_program__fd(program))


def fill(programs: Programs, index: int, probe: Probe) -> None:
    """Tells the programs what to capture of a tracepoint or a kernel function."""
    target = probe.target
    assert isinstance(target, Tracepoint | KernelFunction)
    spec = ffi.new(
        "struct dc_event_spec *",
        {
            "selected": 1,
            "extended": len(target.fields) > 2,
            "count": len(target.fields),
        },
    )
    if isinstance(target, Tracepoint):
        spec.key, spec.end_key, spec.result = _place(target.key), _place(target.end_key), _place(target.result)
    else:
        spec.key = spec.end_key = spec.result = lib.DC_NONE
        spec.parameters = target.parameters
        spec.returned = target.returned | (lib.DC_RETURNS_SIGNED if target.signed else 0)
    if target.holder:
        spec.holder = _HOLDERS[target.holder.kind]
        _put(spec.to_holder, target.holder, lib.DC_FIELD_EMBEDDED if target.holder.embedded else 0)
    for i, field in enumerate(target.fields):
        flags = (lib.DC_FIELD_SIGNED if field.signed else 0) | (lib.DC_FIELD_AT_END if field.at_end else 0)
        _put(spec.fields[i], field, flags)
        spec.fields[i].size = field.size
    update(programs.map("events"), ffi.new("uint32_t *", index), spec)


def _put(place: Any, what: Field | Holder, flags: int) -> None:
    place.argument, place.flags, place.steps = what.argument, flags, len(what.offsets)
    for i, offset in enumerate(what.offsets):
        place.offset[i] = offset


def _place(argument: int) -> int:
    return argument if argument >= 0 else int(lib.DC_NONE)
