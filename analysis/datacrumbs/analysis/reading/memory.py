"""How much memory this process may use: the machine's, or less where a job or a shell has a limit.

A scheduler puts a job into a control group with a limit of its own, and the kernel kills what goes beyond it; the
machine's own memory says nothing there.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from datacrumbs.core.errors import BusyError

_LEAST: Final = 256 << 20
"""Bytes that libraries and threads take before there is a call."""
_LIMITS: Final = ("memory.max", "memory.high", "memory.limit_in_bytes")
"""Files of a control group that hold a number of bytes, or "max": the first two of version 2, the last of version 1
(Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst)."""


def check() -> None:
    """Sees whether `ulimit -d` leaves enough for anything: else a library ends the process, or a thread never starts.

    Raises:
        BusyError: it does not.
    """
    own = resource.getrlimit(resource.RLIMIT_DATA)[0]
    if own != resource.RLIM_INFINITY and own < _LEAST:
        raise BusyError(
            f"not enough memory for any answer: ulimit -d allows {own >> 20} MiB",
            f"allow {_LEAST >> 20} MiB and what the events take, with ulimit -d",
        )


def limit(proc: Path = Path("/proc/self")) -> int:
    """Bytes: the least of the machine's memory, of each control group around a process, and of `ulimit -d`.

    Args:
        proc: the process's folder in /proc.
    """
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    own = resource.getrlimit(resource.RLIMIT_DATA)[0]
    if own != resource.RLIM_INFINITY:
        found.append(own)
    for root, group in _groups(proc):
        for folder in (group, *group.parents):
            found += (number for name in _LIMITS if (number := _number(folder / name)))
            if folder == root:
                break
    return min(found)


def share() -> int:
    """Bytes that each of the things that take much may have in memory: columns of calls are one, DuckDB is another.

    A quarter: the rest is for what is reckoned on the way, and for pages of files that are being read and written.
    """
    return limit() // 4


def _groups(proc: Path) -> Iterator[tuple[Path, Path]]:
    """Where each hierarchy that limits memory is mounted, and the folder of the process's group there."""
    own = {}
    for line in _lines(proc / "cgroup"):
        _, names, path = line.split(":", 2)
        if not names or "memory" in names.split(","):
            own["cgroup" if names else "cgroup2"] = Path(path)
    for line in _lines(proc / "mountinfo"):
        mount, _, kind = line.partition(" - ")
        top, at = map(Path, mount.split()[3:5])
        group = own.get(kind.split()[0])
        if group and (kind.startswith("cgroup2 ") or "memory" in kind.split()[-1].split(",")):
            # A container may see its own part of the hierarchy alone, and name its group as seen from outside.
            yield at, at / (group.relative_to(top) if group.is_relative_to(top) else Path())


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _number(path: Path) -> int:
    """What a file holds; 0: no number, or no such file."""
    text = "".join(_lines(path))
    return int(text) if text.isdigit() else 0
