"""Putting a file in another's place so that nothing but its content differs: mode, owner, attributes and times stay."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Final

from datacrumbs.core.errors import BusyError, OutputError, RefusedError

_CHUNK: Final = 1 << 20


def sha256(file: BufferedReader) -> str:
    """The hash of a whole file, in hex."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def require_unchanged(path: Path, seen: os.stat_result) -> None:
    """Makes sure that a name still stands for the file that was looked at.

    Raises:
        BusyError: somebody wrote or replaced it meanwhile.
    """
    try:
        now = path.lstat()
    except OSError:
        now = None
    if now is None or _identity(now) != _identity(seen):
        raise BusyError(f"{path} changed meanwhile", "try again")


def publish(content: BufferedReader, model: BufferedReader, path: Path) -> None:
    """Gives `path` a new content at once: readers see the old file or the new one, also after a power cut.

    Args:
        content: the bytes.
        model: the open file whose mode, owner, extended attributes and times the new file gets.
        path: its name; a file there is replaced.

    Raises:
        OutputError: it cannot be written.
        RefusedError: its owner or attributes cannot be kept.
    """
    try:
        with _folder(path) as folder:
            beside = f".{path.name[:200]}.{secrets.token_hex(4)}.tmp"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(beside, flags, 0o600, dir_fd=folder)
            try:
                with os.fdopen(fd, "wb") as out:
                    content.seek(0)
                    while chunk := content.read(_CHUNK):
                        out.write(chunk)
                    out.flush()
                    _copy_properties(model.fileno(), fd, path)
                    os.fsync(fd)
                os.rename(beside, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(beside, dir_fd=folder)
                raise
            _sync(folder)
    except OSError as error:
        raise _cannot_write(path, error) from error


def move(source: Path, path: Path) -> None:
    """Renames a file over another one in the same folder, for good.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        with _folder(path) as folder:
            os.rename(source.name, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            _sync(folder)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path}: {error.strerror}", "make its folder writable, or make room")


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _sync(folder: int) -> None:
    with contextlib.suppress(OSError):  # some file systems know no fsync of a folder; the rename is done anyway
        os.fsync(folder)


def _copy_properties(source: int, target: int, name: Path) -> None:
    status = os.fstat(source)
    fresh = os.fstat(target)
    try:
        if (status.st_uid, status.st_gid) != (fresh.st_uid, fresh.st_gid):
            os.fchown(target, status.st_uid, status.st_gid)
    except OSError as error:
        raise RefusedError(
            f"{name} would not keep its owner: {error.strerror}", "let its owner or root do it"
        ) from error
    _copy_attributes(source, target, name)
    os.fchmod(target, stat.S_IMODE(status.st_mode))  # after the ACL, which is an attribute and has a say in the mode
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _copy_attributes(source: int, target: int, name: Path) -> None:
    present = set(_attributes(target))
    for attribute in _attributes(source):
        value = os.getxattr(source, attribute)
        # A security module labels new files by itself, and may forbid us to.
        if attribute in present and os.getxattr(target, attribute) == value:
            continue
        try:
            os.setxattr(target, attribute, value)
        except OSError as error:
            raise RefusedError(
                f"{name} would not keep its attribute {attribute}: {error.strerror}", "let root do it"
            ) from error


def _attributes(fd: int) -> list[str]:
    try:
        return os.listxattr(fd)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise
