"""Opened traces: what every verb begins with."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
from datacrumbs.analysis import layers, profiles, progress, sources, tables
from datacrumbs.analysis.catalog import Catalog, read_catalog
from datacrumbs.analysis.columns import Calls
from datacrumbs.analysis.load import Note, database, load
from datacrumbs.core.errors import BusyError

MAX_WORKERS: Final = 16
"""Threads that read a trace; beyond that the disk is what one waits for."""


@dataclass(frozen=True, slots=True)
class Traces:
    """Some trace files, read.

    `calls` are all calls; `database` has them as the table `raw_calls`, what their numbers stand for as `functions`,
    `threads` and `files`, calls that were added up as `profiles`, and all other lines as `records` (schema.py) and
    `names` (catalog.py); `notes` say what could not be read.
    """

    database: duckdb.DuckDBPyConnection
    calls: Calls
    layers: tuple[str, ...]
    """The layer of each of `calls.functions`."""
    sources: tuple[Path, ...]
    catalog: Catalog
    notes: tuple[Note, ...]


def _folder() -> tempfile.TemporaryDirectory[str]:
    """For what does not fit into memory. An interrupt waits until somebody is there to remove it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return tempfile.TemporaryDirectory(prefix="datacrumbs-")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def open_traces(names: Sequence[str], *, workers: int = 0) -> Iterator[Traces]:
    """Reads trace files and folders of them, with a progress bar where it takes long.

    Args:
        names: files or folders.
        workers: threads to use; 0: one for each processor that this process may run on.

    Raises:
        NoInputError: a name leads to nothing that can be read.
        BusyError: the machine has not enough memory and temporary space.
    """
    paths = sources.find(names)
    threads = workers or min(len(os.sched_getaffinity(0)), MAX_WORKERS)
    with _folder() as spill, database(Path(spill), threads) as connection:
        try:
            with progress.bar("reading", sum(path.stat().st_size for path in paths)) as advance:
                calls, notes = load(connection, paths, advance, threads)
            catalog = read_catalog(connection, paths)
            of_functions = tuple(layers.layer_of(function.category) for function in calls.functions)
            tables.make(connection, calls, of_functions)
            profiles.make(connection)
            yield Traces(connection, calls, of_functions, tuple(paths), catalog, tuple(notes))
        except duckdb.OutOfMemoryException as error:
            raise BusyError(
                "not enough memory and temporary space for so many events",
                "give fewer traces at once, or point TMPDIR to a folder with more room",
            ) from error
