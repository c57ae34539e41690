"""What this machine lacks for a cluster of nodes: said in one line, for who would have liked one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from nodes import cgroups

TOOLS: Final = {
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "chroot": "coreutils",
    "apt-get": "apt",
    "tar": "tar",
}
"""What we call, and the Debian package that has it."""
_CAP_SYS_ADMIN: Final = 21
_CAP_NET_ADMIN: Final = 12


def find() -> str:
    """What is missing, or "" where a cluster can be had."""
    if os.geteuid() != 0:
        return "not root"
    absent = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)})
    if absent:
        return f"missing packages: {' '.join(absent)} (scripts/install-dependencies.sh test)"
    if not Path("/lib/systemd/systemd").exists():
        return "no /lib/systemd/systemd to boot nodes with: install the package systemd"
    for capability, name in ((_CAP_SYS_ADMIN, "CAP_SYS_ADMIN"), (_CAP_NET_ADMIN, "CAP_NET_ADMIN")):
        if not _effective() & 1 << capability:
            return f"no {name}: this container may not make nodes"
    if "overlay" not in Path("/proc/filesystems").read_text().split():
        return "this kernel has no overlay file system (modprobe overlay)"
    return cgroups.missing()


def _effective() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[1], 16)
