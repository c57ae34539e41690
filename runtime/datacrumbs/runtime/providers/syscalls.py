"""System calls and following: tracepoints with BTF."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Final

from datacrumbs.core.errors import KernelError
from datacrumbs.runtime._native import ffi, lib
from datacrumbs.runtime.programs import Programs, last_warning

OBJECT: Final = "calls"
_FOLLOWING: Final = ("dc_exit", "dc_exec", "dc_fork")
_TOOLS: Final = ("dc_pid_level",)


def wanted(*, calls: bool) -> dict[str, int]:
    """The programs to load and their attach types.

    Args:
        calls: whether system calls are traced. Markers only begin as ones: other runs need not see the end of calls,
            which every call on the node would pay for.
    """
    return dict.fromkeys((*_FOLLOWING, *(["dc_sys_exit"] if calls else []), "dc_sys_enter", *_TOOLS), 0)


@contextlib.contextmanager
def attached(programs: Programs, *, calls: bool) -> Iterator[None]:
    """Attaches the programs for the length of the context.

    Args:
        programs: the loaded programs.
        calls: as they were loaded.

    Raises:
        KernelError: the kernel has none of these tracepoints, or refuses.
    """
    with contextlib.ExitStack() as stack:
        for name in (name for name in wanted(calls=calls) if name not in _TOOLS):
            link = lib.bpf_program__attach(programs.program(name))
            if link == ffi.NULL:
                why = os.strerror(ffi.errno)
                raise KernelError(
                    f"cannot attach {name}: {why}: {last_warning()}", "the kernel needs CONFIG_FTRACE_SYSCALLS"
                )
            stack.callback(lib.bpf_link__destroy, link)
        yield
