"""The reasons to leave an executable alone: whatever would lose rights, a signature or its meaning by an edit."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Final

from datacrumbs.client.elf import Image
from datacrumbs.core.errors import BusyError, DataError, RefusedError

_WRAP: Final = "use datacrumbs_wrap, which changes no file"
_SIGNATURE_SECTIONS: Final = frozenset({".sig", ".signature", "signature", ".text_sig"})
"""Of elfsign and bsign kind; the kernel's own kind is appended to the file."""
_PADDING: Final = 16
"""Bytes behind the last table that a linker may have aligned the file with."""


def file_reasons(path: Path, file: BufferedReader) -> None:
    """Refuses what the file's inode forbids.

    Raises:
        RefusedError: it has more than one name, or rights or a signature that a new content would void.
    """
    status = os.fstat(file.fileno())
    attributes = _attributes(file)
    if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
        raise RefusedError(f"{path} is setuid or setgid", "such programs cannot be tracked")
    if "security.capability" in attributes:
        raise RefusedError(f"{path} has file capabilities", "such programs cannot be tracked")
    if attributes & {"security.ima", "security.evm"}:
        raise RefusedError(f"{path} is signed (IMA or EVM)", _WRAP)
    if status.st_nlink > 1:
        raise RefusedError(f"{path} has {status.st_nlink} names (hard links)", "make a copy and track that")


def image_reasons(path: Path, size: int, image: Image, library: Image) -> None:
    """Refuses what cannot load the library, or would not survive an edit.

    Args:
        path: the file, for messages.
        size: its size in bytes.
        image: its structure.
        library: the structure of the client library.

    Raises:
        DataError: it cannot load the library.
        RefusedError: it carries a signature or other data outside of its ELF structures.
    """
    if image.machine != library.machine:
        raise DataError(
            f"{path} is for another machine ({image.machine}) than the client library ({library.machine})",
            "use a library for it with --library",
        )
    if not image.interpreter:
        raise DataError(f"{path} is static, or a library: no dynamic loader starts it", _WRAP)
    if signature := image.sections & _SIGNATURE_SECTIONS:
        raise RefusedError(f"{path} is signed (section {min(signature)})", _WRAP)
    if size > image.end + _PADDING:
        raise RefusedError(f"{path} has {size - image.end} bytes appended: a signature or packed data", _WRAP)


def running_reason(path: Path, status: os.stat_result) -> None:
    """Refuses a program that runs at this moment.

    Raises:
        BusyError: it does; the message names a process where we may know it.
    """
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        with contextlib.suppress(OSError):  # gone, or not ours to look at
            text = os.stat(f"/proc/{pid}/exe")  # noqa: PTH116
            if (text.st_dev, text.st_ino) == (status.st_dev, status.st_ino):
                raise BusyError(f"{path} is running as process {pid}", "try again when it has ended")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC))
    except OSError as error:
        if error.errno == errno.ETXTBSY:
            raise BusyError(f"{path} is running", "try again when it has ended") from error


def _attributes(file: BufferedReader) -> set[str]:
    try:
        return set(os.listxattr(file.fileno()))
    except OSError:
        return set()
