"""Probes that were described by another kernel's types: where the same fields are in this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from datacrumbs.core import btf
from datacrumbs.core.kernelprobes import Field, Holder, KernelFunction, Tracepoint
from datacrumbs.core.probes import Probe, ProbeSet

_Way = TypeVar("_Way", Field, Holder)


def relocated(probes: ProbeSet) -> ProbeSet:
    """The set for the running kernel.

    A field that this kernel has not, or has elsewhere than its path says, is left out; so is a holder.

    Raises:
        UnavailableError: this kernel has no BTF.
    """
    if not probes.kernel or probes.kernel == btf.fingerprint():
        return probes
    return replace(probes, probes=tuple(map(_relocated, probes.probes)), kernel=btf.fingerprint())


def _relocated(probe: Probe) -> Probe:
    target = probe.target
    if isinstance(target, Tracepoint):
        begin = _event(target.event)
        end = _event(target.end) if target.end else None
    elif isinstance(target, KernelFunction):
        begin = end = _function(target)
    else:
        return probe
    if begin is None:
        return probe  # it will be refused when it is attached
    types, parameters = begin
    last = end[1] if end else ()
    holder = _moved(target.holder, types, parameters) if target.holder else None
    found = [_moved(field, types, last if field.at_end else parameters) for field in target.fields]
    kept = [i for i, field in enumerate(found) if field]
    arguments = tuple(replace(probe.capture.arguments[i], index=at) for at, i in enumerate(kept))
    fields = tuple(field for field in found if field)
    if isinstance(target, Tracepoint):
        result = target.result if target.result < len(last) else -1
        return replace(
            probe,
            target=replace(target, holder=holder, fields=fields, result=result),
            capture=replace(probe.capture, arguments=arguments),
        )
    return replace(
        probe, target=replace(target, holder=holder, fields=fields), capture=replace(probe.capture, arguments=arguments)
    )


def _event(full: str) -> tuple[btf.Btf, Sequence[btf.Parameter]] | None:
    for types in btf.all_loaded():
        found = types.tracepoint(full.partition(":")[2])
        if found is not None:
            return types, found
    return None


def _function(target: KernelFunction) -> tuple[btf.Btf, Sequence[btf.Parameter]] | None:
    types = btf.module(target.module) if target.module else btf.kernel()
    prototype = types.functions().get(target.symbol) if types else None
    return (types, types.parameters(prototype)) if types and prototype else None


def _moved(way: _Way, types: btf.Btf, parameters: Sequence[btf.Parameter]) -> _Way | None:
    name, _, member = way.path.partition(".")
    index = int(name[1:]) if name.startswith("#") else next((i for i, p in enumerate(parameters) if p.name == name), -1)
    if not 0 <= index < len(parameters):
        return None
    if not member:  # the argument itself, or what it points to ("pos.")
        return replace(way, argument=index)
    structure = types.pointer_to(parameters[index].type)
    place = types.member(structure, member) if structure else None
    return replace(way, argument=index, offsets=place.offsets) if place else None
