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
PROGRAMS: Final = dict.fromkeys(("dc_exit", "dc_exec", "dc_fork", "dc_sys_exit", "dc_sys_enter", "dc_pid_level"), 0)
_ATTACHED: Final = [name for name in PROGRAMS if name != "dc_pid_level"]


@contextlib.contextmanager
def attached(programs: Programs) -> Iterator[None]:
    """Attaches the programs for the length of the context.

    Raises:
        KernelError: the kernel has none of these tracepoints, or refuses.
    """
    with contextlib.ExitStack() as stack:
        for name in _ATTACHED:
            link = lib.bpf_program__attach(programs.program(name))
            if link == ffi.NULL:
                why = os.strerror(ffi.errno)
                raise KernelError(
                    f"cannot attach {name}: {why}: {last_warning()}", "the kernel needs CONFIG_FTRACE_SYSCALLS"
                )
            stack.callback(lib.bpf_link__destroy, link)
        yield
