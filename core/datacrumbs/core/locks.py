"""Lock files that are removed with their last holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from datacrumbs.core.errors import BusyError

_POLL_SECONDS = 0.02


def acquire(path: Path) -> int:
    """Locks the file that has this name, and makes it first where it is missing.

    Returns:
        The descriptor that holds the lock; who gives it up removes the name before.

    Raises:
        BlockingIOError: another process has it.
        OSError: the file cannot be made.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it before may have removed the one that we opened.
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


@contextlib.contextmanager
def held(path: Path, seconds: float) -> Iterator[None]:
    """Holds the lock for the length of the context; waits for it at most `seconds`.

    Raises:
        BusyError: another process kept it for longer.
        OSError: the file cannot be made.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            descriptor = acquire(path)
            break
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise BusyError(f"{path} is locked for more than {seconds:g} s", "try again") from error
            time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
