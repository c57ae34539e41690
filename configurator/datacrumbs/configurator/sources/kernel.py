"""System calls from the running kernel: no file is needed, and no privilege.

Numbers come from the `system-calls` package, which carries the kernel's tables. Which of those calls this kernel has is
read from /proc/kallsyms, whose names everybody may read even where addresses are hidden (kptr_restrict), or else from
the tracepoints' folder. A kernel that tells neither is believed to have all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import system_calls
from datacrumbs.configurator.material import SystemCalls
from datacrumbs.configurator.spec import Entry
from datacrumbs.core.errors import UnavailableError
from datacrumbs.core.syscalls import KERNEL_NAMES

KALLSYMS: Final = Path("/proc/kallsyms")
TRACEPOINTS: Final = Path("/sys/kernel/tracing/events/syscalls")

_TABLES: Final = {
    "x86_64": "x86_64",
    "aarch64": "arm64",
    "ppc64le": "powerpc64",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "loongarch64": "loongarch64",
}
"""From `uname -m` to the package's names."""
_FUNCTION: Final = re.compile(rb" [tT] (?:__(?:x64|arm64|s390x|riscv|se)_)?sys_([a-z0-9_]+)$", re.MULTILINE)
_MOST: Final = 64 << 20


def find(entry: Entry) -> SystemCalls:
    """The system calls of this machine; `entry` does not matter."""
    del entry
    return available(os.uname().machine)


def available(arch: str) -> SystemCalls:
    """The system calls that a machine of this architecture with the running kernel has.

    Raises:
        UnavailableError: the architecture is unknown.
    """
    numbers = table(arch)
    present = {KERNEL_NAMES.get(name, name) for name in _kernel_functions()} & set(numbers)
    if not present:
        return SystemCalls(numbers, ("this kernel does not list its system calls; all that Linux has are assumed",))
    return SystemCalls({name: number for name, number in numbers.items() if name in present})


def table(arch: str) -> Mapping[str, int]:
    """All system calls of an architecture by name, as `uname -m` calls it."""
    if arch not in _TABLES:
        raise UnavailableError(f"system calls of {arch} are not known", "ask for this architecture", who="developer")
    return dict(system_calls.syscalls().load_arch_table(_TABLES[arch]))


def _kernel_functions() -> Iterator[str]:
    try:
        with KALLSYMS.open("rb") as symbols:
            yield from (name.decode("ascii") for name in _FUNCTION.findall(symbols.read(_MOST)))
    except OSError:
        pass
    try:
        yield from (path.name.removeprefix("sys_enter_") for path in TRACEPOINTS.iterdir())
    except OSError:
        return
