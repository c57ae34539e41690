"""User functions: uprobe sessions, else uprobe_multi, else one perf event for each end of each function."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Final

from datacrumbs.core.errors import KernelError
from datacrumbs.runtime._native import ffi, lib
from datacrumbs.runtime.plan import AttachPlan, FunctionGroup
from datacrumbs.runtime.programs import SLOT, Programs, last_warning

OBJECT: Final = "functions"


@contextlib.contextmanager
def attached(programs: Programs, plan: AttachPlan) -> Iterator[None]:
    """Attaches the functions of the plan for the length of the context.

    Raises:
        KernelError: the kernel refuses.
    """
    with contextlib.ExitStack() as stack:
        for group in plan.groups:
            if plan.links == "session":
                _link(stack, programs, "dc_function_session", lib.DC_UPROBE_SESSION, group, False)
            elif plan.links == "multi":
                # Returns first: an entry without its return would stay in the thread's stack of frames.
                _link(stack, programs, "dc_function_return", lib.DC_UPROBE_MULTI, group, True)
                _link(stack, programs, "dc_function_enter", lib.DC_UPROBE_MULTI, group, False)
            else:
                _link_each(stack, programs, "dc_function_return", group, True)
                _link_each(stack, programs, "dc_function_enter", group, False)
        yield


def _path(group: FunctionGroup) -> bytes:
    """The file that was inspected, whatever its name stands for by now."""
    return b"/proc/self/fd/%d" % group.descriptor


def _link(
    stack: contextlib.ExitStack, programs: Programs, program: str, kind: int, group: FunctionGroup, returns: bool
) -> None:
    link = lib.dc_link_functions(
        lib.bpf_program__fd(programs.program(program)),
        kind,
        _path(group),
        ffi.new("unsigned long[]", group.offsets),
        ffi.new("unsigned long long[]", [SLOT << 32 | i for i in group.ids]),
        len(group.ids),
        returns,
    )
    if link < 0:
        raise _refusal(group, os.strerror(-link))
    stack.callback(os.close, link)


def _link_each(
    stack: contextlib.ExitStack, programs: Programs, program: str, group: FunctionGroup, returns: bool
) -> None:
    for offset, index in zip(group.offsets, group.ids, strict=True):
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
