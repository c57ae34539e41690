"""USDT probes: uprobes on places that programs mark, and the kernel's count in each semaphore."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Final

from datacrumbs.core.errors import KernelError
from datacrumbs.core.usdt import Mark
from datacrumbs.runtime._native import ffi, lib
from datacrumbs.runtime.plan import AttachPlan, MarkGroup
from datacrumbs.runtime.programs import SLOT, Programs, last_warning

Places = Sequence[tuple[Mark, int]]
"""Marks and probe ids."""
_KINDS: Final = (("dc_mark_end", True), ("dc_mark", False))


@contextlib.contextmanager
def attached(programs: Programs, plan: AttachPlan) -> Iterator[None]:
    """Attaches the marks of the plan for the length of the context.

    Raises:
        KernelError: the kernel refuses.
    """
    with contextlib.ExitStack() as stack:
        for group in plan.marks:
            for program, ends in _KINDS:
                places = group.ends if ends else group.begins
                if places and plan.mark_links == "perf":
                    _link_each(stack, programs, program, group, places)
                elif places:
                    _link(stack, programs, program, group, places)
        yield


def _path(group: MarkGroup) -> bytes:
    return b"/proc/self/fd/%d" % group.descriptor


def _link(stack: contextlib.ExitStack, programs: Programs, program: str, group: MarkGroup, places: Places) -> None:
    link = lib.dc_link_marks(
        lib.bpf_program__fd(programs.program(program)),
        lib.DC_UPROBE_MULTI,
        _path(group),
        ffi.new("unsigned long[]", [mark.offset for mark, _ in places]),
        ffi.new("unsigned long[]", [mark.semaphore for mark, _ in places]),
        ffi.new("unsigned long long[]", [SLOT << 32 | index for _, index in places]),
        len(places),
        False,
    )
    if link < 0:
        raise _refusal(group, os.strerror(-link))
    stack.callback(os.close, link)


def _link_each(stack: contextlib.ExitStack, programs: Programs, program: str, group: MarkGroup, places: Places) -> None:
    for mark, index in places:
        options = ffi.new(
            "struct bpf_uprobe_opts *",
            {
                "sz": ffi.sizeof("struct bpf_uprobe_opts"),
                "ref_ctr_offset": mark.semaphore,
                "bpf_cookie": SLOT << 32 | index,
            },
        )
        link = lib.bpf_program__attach_uprobe_opts(programs.program(program), -1, _path(group), mark.offset, options)
        if link == ffi.NULL:
            raise _refusal(group, f"{os.strerror(ffi.errno)}: {last_warning()}")
        stack.callback(lib.bpf_link__destroy, link)


def _refusal(group: MarkGroup, why: str) -> KernelError:
    return KernelError(
        f"cannot attach to the USDT probes of {group.path}: {why}",
        "remove the file from the host YAML, or report it with the kernel's version",
    )
