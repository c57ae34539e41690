"""System calls that a kernel header declares: include/linux/syscalls.h.

Upstream's files name such a header. Compute nodes seldom have it, and then the running kernel's own list serves.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from datacrumbs.configurator.material import SystemCalls
from datacrumbs.configurator.sources import kernel
from datacrumbs.configurator.spec import Entry
from datacrumbs.core.files import read_error, read_regular
from datacrumbs.core.syscalls import KERNEL_NAMES

_DECLARATION: Final = re.compile(rb"\basmlinkage\s+long\s+(?:__\w+_)?sys_([a-z0-9_]+)\s*\(")
_MOST: Final = 4 << 20


def find(entry: Entry) -> SystemCalls:
    """The system calls of this machine that the entry's header declares.

    Raises:
        NoInputError: the header is there but cannot be read.
        DataError: it is too large for a header.
    """
    calls = kernel.find(entry)
    missing = lack(entry)
    if missing:
        return SystemCalls(calls.numbers, (*calls.notes, f"{missing}: the names come from the kernel"))
    declared = {name.decode("ascii") for name in _DECLARATION.findall(read_regular(entry.file, _MOST))}
    meant = {KERNEL_NAMES.get(name, name) for name in declared}
    if not meant & set(calls.numbers):
        return SystemCalls(
            calls.numbers, (*calls.notes, f"{entry.file} declares no system calls: the names come from the kernel")
        )
    return SystemCalls({name: number for name, number in calls.numbers.items() if name in meant}, calls.notes)


def lack(entry: Entry) -> str:
    """What is missing of the header that an entry names, with the place in the host YAML; "" where it is there.

    Raises:
        NoInputError: one cannot tell.
    """
    if not entry.file:
        return f"{entry.place}: no header is named"
    try:
        Path(entry.file).stat()
    except (FileNotFoundError, NotADirectoryError):
        return f"{entry.file_place}: {entry.file} is not on this machine"
    except OSError as error:
        raise read_error(entry.file, error) from error
    return ""
