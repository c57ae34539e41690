"""From trace files to all their calls in memory, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from datacrumbs.analysis.progress import Progress
from datacrumbs.analysis.reading import records, schema
from datacrumbs.analysis.reading.collect import Collector
from datacrumbs.analysis.reading.columns import COLUMNS, Calls, Function, Rows, Thread, function_word, thread_word
from datacrumbs.analysis.reading.parser import DICTIONARIES
from datacrumbs.analysis.reading.read import Note, read
from datacrumbs.analysis.reading.room import Room

if TYPE_CHECKING:
    import duckdb


def load(
    database: duckdb.DuckDBPyConnection, paths: Sequence[Path], progress: Progress, workers: int, room: Room
) -> tuple[Calls, list[Note], dict[int, int]]:
    """Reads trace files: calls become columns, all other lines rows of `records`.

    Args:
        database: where `schema.TABLES` exists.
        paths: the files; a record's `source` is its file's index here.
        progress: is told of compressed bytes that were read.
        workers: how many threads inflate and take apart.
        room: for the calls.

    Returns:
        The calls; what could not be read, and why, in the order of the files; how many records there are of each kind.

    Raises:
        NoInputError: a file cannot be opened or read.
        BusyError: memory is short.
    """
    with Collector(room) as collector:
        with records.Inserter(lambda: database) as others:
            notes = read(paths, collector, others, progress, workers)
        counts = records.counts(database)
        return collector.finish(odd_calls(database, counts)), notes, counts


def odd_calls(database: duckdb.DuckDBPyConnection, counts: Mapping[int, int]) -> Rows:
    """Takes the calls out of `records`, of which there are `counts` of each kind."""
    if schema.KIND_CALL not in counts:
        numbers = {name: np.empty(0, kind) for name, kind in COLUMNS.items() if name not in DICTIONARIES}
        return Rows(numbers, {name: [] for name in DICTIONARIES})
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
