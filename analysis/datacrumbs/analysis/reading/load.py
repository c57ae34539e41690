"""From trace files to all their calls in memory, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from datacrumbs.analysis.progress import Progress
from datacrumbs.analysis.reading import schema
from datacrumbs.analysis.reading.collect import Collector
from datacrumbs.analysis.reading.columns import Calls, Function, Rows, Thread, function_word, thread_word
from datacrumbs.analysis.reading.read import Note, read
from datacrumbs.analysis.reading.records import inserter
from datacrumbs.analysis.reading.room import Room

if TYPE_CHECKING:
    import duckdb


def load(
    database: duckdb.DuckDBPyConnection, paths: Sequence[Path], progress: Progress, workers: int, room: Room
) -> tuple[Calls, list[Note]]:
    """Reads trace files: calls become columns, all other lines rows of `records`.

    Args:
        database: where `schema.TABLES` exists.
        paths: the files; a record's `source` is its file's index here.
        progress: is told of compressed bytes that were read.
        workers: how many threads inflate and take apart.
        room: for the calls.

    Returns:
        The calls; what could not be read, and why, in the order of the files.

    Raises:
        NoInputError: a file cannot be opened or read.
        BusyError: memory is short.
    """
    with Collector(room) as collector:
        notes = read(paths, collector, inserter(lambda: database), progress, workers)
        return collector.finish(odd_calls(database)), notes


def odd_calls(database: duckdb.DuckDBPyConnection) -> Rows:
    """Takes the calls out of `records`."""
    numbers = database.execute(schema.ODD_NUMBERS).fetchnumpy()
    texts = database.execute(schema.ODD_TEXTS).fetchall()
    database.execute(schema.FORGET_ODD)
    return Rows(
        {name: np.asarray(column) for name, column in numbers.items()},
        {
            "function": [function_word(Function(name, category)) for name, category, *_ in texts],
            "thread": [thread_word(Thread(host, pid, tid)) for _, _, host, pid, tid, _, _ in texts],
            "file": [row[5] for row in texts],
            "key": [row[6] for row in texts],
        },
    )
