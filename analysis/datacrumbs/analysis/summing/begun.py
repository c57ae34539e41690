"""Reading for a summary, in threads of their own from the first moment on.

To import numpy, DuckDB and what asks them takes longer than to read a small trace, so it is done meanwhile: nothing
here needs them before there is something to add up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from datacrumbs.analysis import progress
from datacrumbs.analysis.reading import memory, records, sources
from datacrumbs.analysis.reading.machine import processors, temporary_folder
from datacrumbs.analysis.reading.read import Note, read
from datacrumbs.analysis.reading.room import Room, Shelf
from datacrumbs.analysis.summing.adding import Parts

if TYPE_CHECKING:
    import duckdb

ROOM: Final = 768 << 20
"""Bytes of what is kept of calls that stay in memory at most; beyond that they are on the disk."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Trace files that are being read."""

    paths: Sequence[Path]
    threads: int
    """That read them."""
    parts: Parts
    """What was read, when all is."""
    reading: Future[list[Note]]
    filled: Future[duckdb.DuckDBPyConnection]
    room: Room
    """For what may be as long as the traces."""

    def notes(self) -> list[Note]:
        """Waits until all is read, and returns what could not be.

        Raises:
            NoInputError: a file cannot be opened or read.
            BusyError: memory is short.
        """
        return self.reading.result()

    def database(self) -> duckdb.DuckDBPyConnection:
        """Waits until all lines that are no plain calls are in the database, which may be a moment later."""
        return self.filled.result()


@contextmanager
def begin_reading(names: Sequence[str], *, workers: int = 0) -> Iterator[Begun]:
    """Begins to read trace files and folders of them, with a progress bar where it takes long.

    Memory grows with what is different in the traces, and by some 24 bytes for each call, of which all but `ROOM` (or
    `memory.share`, if that is less) go to TMPDIR.

    Args:
        names: files or folders.
        workers: threads to use; 0: one for each processor that this process may run on.

    Raises:
        NoInputError: a name leads to nothing that can be read.
    """
    paths = sources.find(names)
    threads = workers or processors()
    stop = threading.Event()
    with ExitStack() as stack:
        spill = Path(stack.enter_context(temporary_folder()))
        room = Room(spill, min(ROOM, memory.share()))
        parts = stack.enter_context(Parts(Shelf(room)))
        pool = stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="datacrumbs-begun"))
        manager = records.database(spill, threads)
        made = pool.submit(manager.__enter__)
        others = records.Inserter(made.result)

        def run() -> list[Note]:
            with progress.bar("reading", sum(path.stat().st_size for path in paths)) as advance:
                return read(paths, parts, others, advance, threads, stop)

        def fill() -> duckdb.DuckDBPyConnection:
            reading.result()
            others.flush()
            return made.result()

        reading = pool.submit(run)
        filled = pool.submit(fill)
        try:
            yield Begun(paths, threads, parts, reading, filled, room)
        finally:
            stop.set()
            filled.exception()
            made.result()
            manager.__exit__(None, None, None)
