"""A world of the cluster's own: process ids, mounts and network, held by one process that dies with us.

The kernel ends a process-id namespace with its first process, a mount namespace with its last one, and a network
namespace likewise: so however we end, nothing of a cluster stays.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from nodes.errors import NodesError

FOLDER: Final = Path("/run/datacrumbs-nodes")
"""In the world: a file system in memory for layers, roots and what the nodes share. Outside: an empty folder.

In memory, since it must be able to be an overlay's upper layer, which an overlay cannot: so nodes also boot where `/`
is an overlay itself. And it must be another file system than `/`, since one overlay cannot have both a folder and a
folder below that as its lower layers.
"""
_KEEP: Final = "ip link set lo up && ip link add nodes type bridge && ip link set nodes up && echo ready && "
_SECONDS: Final = 60


class World:
    """The namespaces, by the process that holds them."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._enter = ["nsenter", "-t", str(pid), "--mount", "--pid"]

    def path(self, inside: Path | str) -> Path:
        """Where a path of the world is to be found from outside."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def run(self, *command: str | Path, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command among the world's mounts and processes, with this machine's network.

        Raises:
            NodesError: it fails, and `check` is true; with what it said.
        """
        done = subprocess.run(
            [*self._enter, "--", *map(str, command)],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **options,
        )  # fmt: skip
        if check and done.returncode:
            said = (done.stderr + done.stdout).strip()[-2000:]
            raise NodesError(f"{' '.join(map(str, command))} ends with {done.returncode}: {said}")
        return done

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Starts a command that belongs to the world altogether, and ends with it."""
        return subprocess.Popen([*self._enter, "--net", "--", *command], **options)


@contextlib.contextmanager
def created() -> Iterator[World]:
    """A new world with FOLDER and a network bridge `nodes`; all of it is gone after the context.

    Raises:
        NodesError: the kernel refuses a part of it.
    """
    FOLDER.mkdir(mode=0o755, exist_ok=True)
    mount = f"mount -t tmpfs -o mode=0755 nodes {FOLDER} && "
    command = [
        # The process that unshare forks dies with unshare, and that with us.
        *("setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--pid", "--kill-child=KILL", "--mount-proc"),
        *("--mount", "--propagation", "private", "--net", "sh", "-c", mount + _KEEP + "exec sleep infinity"),
    ]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout and process.stderr
    try:
        if process.stdout.readline().strip() != b"ready":
            raise NodesError(f"cannot make namespaces: {process.stderr.read().decode().strip()}")
        (child,) = children(process.pid)
        yield World(child)
    finally:
        process.kill()
        process.wait(_SECONDS)
        process.stdout.close()
        process.stderr.close()


def children(pid: int) -> list[int]:
    """The child processes of a process, as we see their numbers."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name of a program, in parentheses, may hold anything; what follows the last one may not.
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == pid:
                    found.append(int(entry.name))
    return found
