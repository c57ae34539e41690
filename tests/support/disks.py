"""A disk of a test's own: a file with a file system, mounted as a loop device."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MAKERS = {
    "ext4": (64, ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"]),
    "xfs": (320, ["mkfs.xfs", "-q"]),
    "btrfs": (256, ["mkfs.btrfs", "-q"]),
}
"""By kind: the size of the file, MiB (it has holes), and what makes the file system."""


def ext4(folder: Path) -> contextlib.AbstractContextManager[Path]:
    """The usual kind; see `made`."""
    return made("ext4", folder)


@contextlib.contextmanager
def made(kind: str, folder: Path) -> Iterator[Path]:
    """Makes the disk in a folder and mounts it there; skips the test where this machine has no loop devices, or the
    kind is unknown to it or to the kernel.
    """
    size, maker = MAKERS[kind]
    if shutil.which(maker[0]) is None:
        pytest.skip(f"no {maker[0]}")
    image, mounted = folder / "image", folder / "mounted"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(size << 20)
    subprocess.run([*maker, image], check=True, capture_output=True)
    done = subprocess.run(["mount", "-t", kind, "-o", "loop", image, mounted], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no loop mounts of {kind} here: {done.stderr.strip()}")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", mounted], check=True)
