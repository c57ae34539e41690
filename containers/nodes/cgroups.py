"""Control groups: each node has one of its own, below which its systemd makes those of its services.

Without one of its own, all nodes' systemds would take the group that we are in for theirs.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from nodes.errors import NodesError

_TOP: Final = Path("/sys/fs/cgroup")
_PREFIX: Final = "datacrumbs-nodes-"
_PATIENCE: Final = 30.0
"""Seconds until the processes of a node that was killed are gone."""


def _hierarchies() -> list[Path]:
    """The root of each hierarchy that a node needs a group in: one on a unified machine, three on a hybrid one."""
    if (_TOP / "cgroup.controllers").exists():
        return [_TOP]
    return [_TOP / name for name in ("unified", "systemd", "freezer") if (_TOP / name / "cgroup.procs").exists()]


def missing() -> str:
    """Why no group can be made here, or ""."""
    roots = _hierarchies()
    if not any((root / "cgroup.controllers").exists() for root in roots):
        return f"no cgroup2 is mounted at {_TOP} or {_TOP}/unified"
    if not all(os.access(root, os.W_OK) and not os.statvfs(root).f_flag & os.ST_RDONLY for root in roots):
        return f"{_TOP} is read-only: run privileged"
    return ""


def name_of(owner: int, node: str) -> str:
    """The name of the group of a node that process `owner` boots."""
    return f"{_PREFIX}{owner}-{node}"


def create(name: str) -> list[Path]:
    """Makes a group in each hierarchy; returns the files that a process joins by writing 0 to them.

    Raises:
        NodesError: the kernel refuses.
    """
    try:
        for root in _hierarchies():
            (root / name).mkdir(exist_ok=True)
    except OSError as error:
        raise NodesError(f"cannot make the control group {error.filename}: {error.strerror}") from error
    return [root / name / "cgroup.procs" for root in _hierarchies()]


def remove(name: str) -> None:
    """Removes a group and all below it, once its processes are gone.

    Raises:
        NodesError: processes stay.
    """
    deadline = time.monotonic() + _PATIENCE
    for root in _hierarchies():
        while (root / name).exists():
            for folder, _, _ in os.walk(root / name, topdown=False):
                with contextlib.suppress(OSError):  # busy while a process ends
                    Path(folder).rmdir()
            if (root / name).exists():
                if time.monotonic() > deadline:
                    raise NodesError(f"processes stay in {root / name}")
                time.sleep(0.05)


def sweep() -> None:
    """Removes the groups of clusters whose owner was killed."""
    for root in _hierarchies():
        for group in root.glob(f"{_PREFIX}*"):
            owner = group.name.removeprefix(_PREFIX).split("-")[0]
            if not Path("/proc", owner).exists():
                with contextlib.suppress(NodesError):
                    remove(group.name)
