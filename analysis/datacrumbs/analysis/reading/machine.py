"""What reading takes of this machine: processors, temporary space, and memory that may run short."""

from __future__ import annotations

import mmap
import os
import resource
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from datacrumbs.core.errors import BusyError

MAX_WORKERS: Final = 16
"""Threads that read a trace; beyond that the disk is what one waits for."""

_STACK: Final = 8 << 20
"""Bytes of a thread's stack that are looked for at most: of a larger one, few are ever used."""
_FIRST_STEPS: Final = 1 << 20
"""Bytes that Python takes for a thread before its first line."""


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


def started_pool(threads: int, name: str) -> ThreadPoolExecutor:
    """A pool whose threads all run, made while no other thread takes memory.

    Python waits for ever for a thread that finds no memory for its first steps: threading.Thread.start wants a sign of
    life. So that much is seen to be there before.

    Raises:
        BusyError: it is not.
    """
    limit = resource.getrlimit(resource.RLIMIT_STACK)[0]
    needed = threads * (_FIRST_STEPS + (limit if 0 < limit < _STACK else _STACK))
    try:
        mmap.mmap(-1, needed, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError as error:
        raise _short() from error
    pool, ready = ThreadPoolExecutor(threads, thread_name_prefix=name), threading.Barrier(threads + 1)
    try:
        for _ in range(threads):
            pool.submit(ready.wait)
        ready.wait()
    except BaseException:
        ready.abort()
        raise
    return pool


@contextmanager
def told_when_short() -> Iterator[None]:
    """Turns the errors of DuckDB, of numpy and of threads when memory is short into ours."""
    try:
        yield
    except Exception as error:
        duckdb = sys.modules.get("_duckdb")  # it takes long to load, and nothing may have asked for it yet
        from_duckdb = duckdb is not None and isinstance(error, duckdb.OutOfMemoryException)
        if from_duckdb or isinstance(error, MemoryError) or error.args == ("can't start new thread",):
            raise _short() from error
        raise


def _short() -> BusyError:
    return BusyError(
        "not enough memory and temporary space for so many events",
        "give fewer traces at once, or point TMPDIR to a folder with more space, on a disk",
    )
