"""Reading what others wrote, and writing so that nobody ever sees half a file."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from datacrumbs.core.errors import DataCrumbsError, DataError, NoInputError, OutputError

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link",
}
_CHUNK = 1 << 20


def kind_of(mode: int) -> str:
    """What a file is, from its `st_mode`, in words: "a directory", "a FIFO", …; "a regular file" for the rest."""
    return _KINDS.get(stat.S_IFMT(mode), "a regular file")


def read_error(path: str | Path, error: OSError) -> NoInputError:
    """The error for a file that the kernel would not let us open or read."""
    return NoInputError(f"cannot read {path}: {error.strerror}", "check the name and its permissions")


@contextlib.contextmanager
def open_regular(path: str | Path, *, follow: bool = False, dir_fd: int | None = None) -> Iterator[int]:
    """Opens a regular file for reading without ever blocking on what else the name may stand for.

    Args:
        path: the file.
        follow: whether the last component may be a symbolic link. A file that root opens in a user's folder must not.
        dir_fd: the folder that a relative path starts at.

    Yields:
        A descriptor of what is certainly a regular file; it is closed at the end.

    Raises:
        NoInputError: the file cannot be opened, or is not regular.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    try:
        fd = os.open(path, flags, dir_fd=dir_fd)
    except (OSError, ValueError) as error:
        if not isinstance(error, OSError):
            raise NoInputError(f"{path!r} is not a file name", "give another name") from error
        if not follow and _is_link(path, dir_fd):
            raise NoInputError(f"{path} is a symbolic link", "name the file that it points to") from error
        raise read_error(path, error) from error
    try:
        require_regular(fd, path)
        yield fd
    finally:
        os.close(fd)


def require_regular(fd: int, path: str | Path) -> None:
    """Refuses a descriptor of anything but a regular file.

    Raises:
        NoInputError: it is a directory, a FIFO, a device or a socket.
    """
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        raise NoInputError(f"{path} is {kind_of(mode)}", "name a regular file")


def read_bounded(fd: int, most: int, name: str | Path, *, error: type[DataCrumbsError] = DataError) -> bytes:
    """Reads all of a file, but never more than a limit, whatever its size claims to be.

    Args:
        fd: an open descriptor; read from its start, its position stays.
        most: the limit in bytes.
        name: the file's name for messages.
        error: the class for a file that is longer.

    Raises:
        error: the file is longer than `most`.
        NoInputError: the kernel refuses to read it.
    """
    parts: list[bytes] = []
    size = 0
    while size <= most:
        try:
            part = os.pread(fd, min(_CHUNK, most + 1 - size), size)
        except OSError as failure:
            raise read_error(name, failure) from failure
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
    raise error(f"{name} is larger than {most} bytes", "give the right file")


def read_regular(
    path: str | Path, most: int, *, follow: bool = True, error: type[DataCrumbsError] = DataError
) -> bytes:
    """All of a regular file of at most `most` bytes; see `open_regular` and `read_bounded` for what it raises."""
    with open_regular(path, follow=follow) as fd:
        return read_bounded(fd, most, path, error=error)


def make_folder(folder: Path, mode: int) -> None:
    """Makes a folder, and those above it, unless it exists.

    Args:
        folder: which one.
        mode: its permissions, exactly (the umask does not matter); those of an existing one stay as they are.

    Raises:
        OutputError: it cannot be made.
    """
    if folder.is_dir():
        return
    try:
        folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            folder.chmod(mode)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {error.strerror}", "make it by hand", who="administrator") from error


def write_atomically(path: str | Path, data: bytes, *, mode: int = 0o644, overwrite: bool = True) -> None:
    """Writes a file so that its name shows the old content or the new, never a part, even after a power cut.

    Args:
        path: the file; a symbolic link there is replaced, not followed.
        data: its whole content.
        mode: its permissions, exactly (the umask does not matter).
        overwrite: without it, a file that exists already is left alone.

    Raises:
        OutputError: the file cannot be written, or exists and `overwrite` is false.
    """
    target = Path(path)
    beside = target.with_name(f".{target.name[:200]}.{os.urandom(4).hex()}.tmp")
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "it is a directory")
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as out:
                out.write(data)
                out.flush()
                os.fchmod(fd, mode)
                os.fsync(fd)
            _publish(beside, target, overwrite=overwrite)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a file name"
        raise OutputError(f"cannot write {path}: {why}", "choose another place, or make room") from error


def _publish(beside: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        beside.replace(target)
    else:
        target.hardlink_to(beside)  # fails when the name exists, which rename(2) does not
        beside.unlink()


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some file systems know no fsync of a folder; the rename is done anyway
            os.fsync(fd)
    finally:
        os.close(fd)


def _is_link(path: str | Path, dir_fd: int | None) -> bool:
    try:
        return stat.S_ISLNK(os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_mode)
    except OSError:
        return False
