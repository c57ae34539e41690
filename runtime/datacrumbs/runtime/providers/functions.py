"""User functions: uprobe sessions, else uprobe_multi, else one perf event for each end of each function."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from typing import Final

from datacrumbs.core.errors import KernelError
from datacrumbs.core.probes import ProbeSet
from datacrumbs.runtime._native import ffi, lib
from datacrumbs.runtime.plan import AttachPlan, FunctionGroup, FunctionLinks, Refused
from datacrumbs.runtime.programs import SLOT, Programs, last_warning

OBJECT: Final = "functions"
Places = Sequence[tuple[int, int]]
"""Offset in the file and probe id."""

_NOT_THESE: Final = frozenset({errno.EINVAL, errno.EIO, errno.ENOEXEC, errno.EOPNOTSUPP, 524})
"""What the kernel says of an instruction that it cannot probe; 524 is its own ENOTSUPP (include/linux/errno.h)."""


@contextlib.contextmanager
def attached(programs: Programs, plan: AttachPlan, probes: ProbeSet) -> Iterator[tuple[Refused, ...]]:
    """Attaches the functions of the plan for the length of the context, and yields those that the kernel refuses.

    Raises:
        KernelError: the kernel refuses for a reason that is not one function's.
    """
    refused: list[int] = []
    with contextlib.ExitStack() as stack:
        for group in plan.groups:
            _attach(stack, programs, plan.links, group, refused)
        why = "the kernel cannot probe its first instruction"
        yield tuple(Refused(probes.probes[i].name, why, i) for i in refused)


def _attach(
    stack: contextlib.ExitStack, programs: Programs, way: FunctionLinks | None, group: FunctionGroup, refused: list[int]
) -> None:
    """Attaches functions together; where the kernel refuses them, halves of them, down to those that it means."""
    try:
        with contextlib.ExitStack() as made:
            _link_all(made, programs, way, group)
            stack.push(made.pop_all())
    except OSError as error:
        if error.errno not in _NOT_THESE:
            raise KernelError(
                f"cannot attach to {len(group.ids)} functions of {group.path}: {error.strerror}",
                "remove the file from the host YAML, or report it with the kernel's version",
            ) from error
        if len(group.ids) == 1:
            refused += group.ids
            return
        middle = len(group.ids) // 2
        for half in (group.ids[:middle], group.ids[middle:]):
            _attach(stack, programs, way, group.only(set(half)), refused)


def _link_all(stack: contextlib.ExitStack, programs: Programs, way: FunctionLinks | None, group: FunctionGroup) -> None:
    entries = list(zip(group.offsets, group.ids, strict=True))
    # The far end first: an entry whose end is not seen would stay in the thread's stack of frames.
    if group.exits:
        _link(stack, programs, "dc_function_leave", lib.DC_UPROBE_MULTI, group, group.exits)
        _link(stack, programs, "dc_function_enter", lib.DC_UPROBE_MULTI, group, entries)
    elif way == "session":
        _link(stack, programs, "dc_function_session", lib.DC_UPROBE_SESSION, group, entries)
    elif way == "multi":
        _link(stack, programs, "dc_function_return", lib.DC_UPROBE_MULTI, group, entries, returns=True)
        _link(stack, programs, "dc_function_enter", lib.DC_UPROBE_MULTI, group, entries)
    else:
        _link_each(stack, programs, "dc_function_return", group, entries, returns=True)
        _link_each(stack, programs, "dc_function_enter", group, entries)


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
        raise OSError(-link, os.strerror(-link))
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
            raise OSError(ffi.errno, f"{os.strerror(ffi.errno)}: {last_warning()}")
        stack.callback(lib.bpf_link__destroy, link)
