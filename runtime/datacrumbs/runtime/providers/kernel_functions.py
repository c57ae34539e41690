"""Kernel functions: kprobe sessions, else pairs of kprobe_multi links, else trampolines for a few functions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from datacrumbs.core.errors import KernelError
from datacrumbs.core.kernelprobes import KernelFunction
from datacrumbs.core.probes import ProbeSet
from datacrumbs.runtime._native import ffi, lib
from datacrumbs.runtime.plan import AttachPlan, KernelLinks, Refused
from datacrumbs.runtime.programs import SLOT, Programs
from datacrumbs.runtime.providers.tracepoints import fill

OBJECT: Final = "kernel_functions"
PROGRAMS: Final[Mapping[KernelLinks, dict[str, int]]] = {
    "session": {"dc_kernel_session": lib.DC_KPROBE_SESSION},
    "multi": {"dc_kernel_enter": lib.DC_KPROBE_MULTI, "dc_kernel_return": lib.DC_KPROBE_MULTI},
    "trampoline": {},
}
"""The programs to load by the kind of link, with their attach types; trampolines load their own."""
_TRAMPOLINE: Final = ("dc_kernel_fexit", "dc_kernel_fentry")
"""The far end first, as everywhere."""


@contextlib.contextmanager
def attached(programs: Programs, plan: AttachPlan, probes: ProbeSet) -> Iterator[tuple[Refused, ...]]:
    """Attaches the kernel functions of the plan for the length of the context, and yields those that were refused."""
    with contextlib.ExitStack() as stack:
        for index in plan.kernel:
            fill(programs, index, probes.probes[index])
        refused: list[int] = []
        if plan.kernel and plan.kernel_links == "trampoline":
            refused = [i for i in plan.kernel if not _trampoline(stack, programs, i, probes)]
        elif plan.kernel:
            _links(stack, programs, plan, list(plan.kernel), refused)
        why = "the kernel refuses to attach to it"
        yield tuple(Refused(probes.probes[i].name, why, i) for i in refused)


def _links(
    stack: contextlib.ExitStack, programs: Programs, plan: AttachPlan, ids: Sequence[int], refused: list[int]
) -> None:
    """Attaches functions together; where the kernel refuses them, halves of them, down to those that it means."""
    made = try_links(programs, plan.kernel_links or "multi", [plan.addresses[i] for i in ids], ids)
    if made is not None:
        for link in made:
            stack.callback(os.close, link)
    elif len(ids) == 1:
        refused += ids
    else:
        middle = len(ids) // 2
        _links(stack, programs, plan, ids[:middle], refused)
        _links(stack, programs, plan, ids[middle:], refused)


def try_links(
    programs: Programs, way: KernelLinks, addresses: Sequence[int], ids: Sequence[int]
) -> tuple[int, ...] | None:
    """Links on functions at these addresses; None where the kernel refuses."""
    places = ffi.new("unsigned long long[]", list(addresses))
    cookies = ffi.new("unsigned long long[]", [SLOT << 32 | i for i in ids])
    made: list[int] = []
    for name in reversed(PROGRAMS[way]):  # the far end first: an entry whose end is not seen would stay
        link = lib.dc_link_kernel_functions(
            lib.bpf_program__fd(programs.program(name)),
            PROGRAMS[way][name],
            places,
            cookies,
            len(ids),
            name == "dc_kernel_return",
        )
        if link < 0:
            for other in made:
                os.close(other)
            return None
        made.append(link)
    return tuple(made)


def _trampoline(stack: contextlib.ExitStack, programs: Programs, index: int, probes: ProbeSet) -> bool:
    target = probes.probes[index].target
    assert isinstance(target, KernelFunction)
    links = try_trampoline(programs, target.symbol, SLOT << 32 | index)
    for link in links or ():
        stack.callback(lib.bpf_link__destroy, link)
    return links is not None


def try_trampoline(programs: Programs, symbol: str, cookie: int) -> tuple[Any, ...] | None:
    """A trampoline at a function's entry and one at its return; None where the kernel refuses."""
    try:
        loaded = programs.load_again(OBJECT, _TRAMPOLINE, cookie or 1, symbol)
    except KernelError:
        return None
    made: list[Any] = []
    for name in _TRAMPOLINE:
        link = lib.bpf_program__attach(loaded[name])
        if link == ffi.NULL:
            for other in made:
                lib.bpf_link__destroy(other)
            return None
        made.append(link)
    return tuple(made)
