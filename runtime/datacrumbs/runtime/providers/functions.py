"""User functions: uprobe sessions, else uprobe_multi, else one perf event for each end of each function."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Final

from datacrumbs.core.errors import KernelError
from datacrumbs.runtime._native import ffi, lib
from datacrumbs.runtime.plan import AttachPlan, FunctionGroup
from datacrumbs.runtime.programs import SLOT, Programs, last_warning

OBJECT: Final = "functions"
Places = Sequence[tuple[int, int]]
"""Offset in the file and probe id."""


@contextlib.contextmanager
def attached(programs: Programs, plan: AttachPlan) -> Iterator[None]:
    """Attaches the functions of the plan for the length of the context.

    Raises:
        KernelError: the kernel refuses.
    """
    with contextlib.ExitStack() as stack:
        for group in plan.groups:
            entries = list(zip(group.offsets, group.ids, strict=True))
            # The far end first: an entry whose end is not seen would stay in the thread's stack of frames.
            if group.exits:
                _link(stack, programs, "dc_function_leave", lib.DC_UPROBE_MULTI, group, group.exits)
                _link(stack, programs, "dc_function_enter", lib.DC_UPROBE_MULTI, group, entries)
            elif plan.links == "session":
                _link(stack, programs, "dc_function_session", lib.DC_UPROBE_SESSION, group, entries)
            elif plan.links == "multi":
                _link(stack, programs, "dc_function_return", lib.DC_UPROBE_MULTI, group, entries, returns=True)
                _link(stack, programs, "dc_function_enter", lib.DC_UPROBE_MULTI, group, entries)
            else:
                _link_each(stack, programs, "dc_function_return", group, entries, returns=True)
                _link_each(stack, programs, "dc_function_enter", group, entries)
        yield


def _path(group: FunctionGroup) -> bytes:
    """The file that was inspected, whatever its name stands for by now."""
    return b"/proc/self/fd/%d" % group.descriptor


def _link(
    stack: contextlib.ExitStack,
    programs: Programs,
    program: str,
    kind: int,
    group: FunctionGroup,
    places: Places,
    *,
    returns: bool = False,
) -> None:
    link = lib.dc_link_functions(
        lib.bpf_program__fd(programs.program(program)),
        kind,
        _path(group),
        ffi.new("unsigned long[]", [offset for offset, _ in places]),
        ffi.new("unsigned long long[]", [SLOT << 32 | index for _, index in places]),
        len(places),
        returns,
    )
    if link < 0:
        raise _refusal(group, os.strerror(-link))
    stack.callback(os.close, link)


def _link_each(
    stack: contextlib.ExitStack,
    programs: Programs,
    program: str,
    group: FunctionGroup,
    places: Places,
    *,
    returns: bool = False,
) -> None:
    for offset, index in places:
        options = ffi.new(
            "struct bpf_uprobe_opts *",
            {"sz": ffi.sizeof("struct bpf_uprobe_opts"), "bpf_cookie": SLOT << 32 | index, "retprobe": returns},
        )
        link = lib.bpf_program__attach_uprobe_opts(programs.program(program), -1, _path(group), offset, options)
        if link == ffi.NULL:
            raise _refusal(group, f"{os.strerror(ffi.errno)}: {last_warning()}")
        stack.callback(lib.bpf_link__destroy, link)


def _refusal(group: FunctionGroup, why: str) -> KernelError:
    return KernelError(
        f"cannot attach to {len(group.ids)} functions of {group.path}: {why}",
        "remove the file from the host YAML, or report it with the kernel's version",
    )
