"""What reading takes of this machine: processors, temporary space, and memory that may run short."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from datacrumbs.core.errors import BusyError

MAX_WORKERS: Final = 16
"""Threads that read a trace; beyond that the disk is what one waits for."""


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """For what does not fit into memory. An interrupt waits until somebody is there to remove it.

    To block the signal would not do: numpy has threads of its own, and the kernel would hand it to one of them.
    """
    if threading.current_thread() is not threading.main_thread():
        return tempfile.TemporaryDirectory(prefix="datacrumbs-")
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        folder = tempfile.TemporaryDirectory(prefix="datacrumbs-")
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
    if pressed:
        folder.cleanup()
        raise KeyboardInterrupt
    return folder


def processors() -> int:
    """How many threads shall read."""
    return min(len(os.sched_getaffinity(0)), MAX_WORKERS)


@contextmanager
def told_when_short() -> Iterator[None]:
    """Turns the errors of DuckDB and of numpy when memory is short into ours."""
    import _duckdb

    try:
        yield
    except (_duckdb.OutOfMemoryException, MemoryError) as error:
        raise BusyError(
            "not enough memory and temporary space for so many events",
            "give fewer traces at once, or point TMPDIR to a folder with more space, on a disk",
        ) from error
