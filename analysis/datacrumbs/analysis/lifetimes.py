"""Tells processes apart that had the same id one after another.

A new life of a process id begins where a process starts after one with that id has ended (docs/trace-format.md,
"Processes"). A start alone does not tell: a process that joins a run twice starts twice. A summary, which adds calls up
as it reads them, counts such processes, but has one row for all lives of an id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from datacrumbs.analysis import schema
from datacrumbs.analysis.columns import Calls, Column, chunks

if TYPE_CHECKING:
    import duckdb

_BIRTHS: Final = f"""
    SELECT host, pid, list(ts ORDER BY ts)
    FROM (
        SELECT host, pid, ts, name,
            lag(name) OVER (PARTITION BY host, pid ORDER BY ts, name = 'start') AS before
        FROM records
        WHERE kind = {schema.KIND_LIFE} AND name IN ('start', 'end') AND pid IS NOT NULL
    )
    WHERE name = 'start' AND before = 'end'
    GROUP BY host, pid
"""


def births(database: duckdb.DuckDBPyConnection) -> int:
    """How many processes had the id of one that had ended."""
    return sum(len(moments) for _, _, moments in database.execute(_BIRTHS).fetchall())


def split(database: duckdb.DuckDBPyConnection, calls: Calls) -> Calls:
    """The calls, with threads of their own for each life of a process id: `Thread.life` counts them from 0.

    Args:
        database: where the table `records` is.
        calls: all calls; a thread is known by host, pid and tid alone.
    """
    births = {(host, pid): np.array(moments) for host, pid, moments in database.execute(_BIRTHS).fetchall()}
    groups = [births.get((thread.host, thread.pid)) for thread in calls.threads]
    again = np.array([group is not None for group in groups] + [False])
    if not again.any():
        return calls

    def lives() -> Iterator[tuple[int, Column, Column]]:
        """Of some calls of one thread: its number, their rows, and which life each was made in."""
        for some in chunks(len(calls)):
            rows = np.flatnonzero(again[calls.thread[some]]) + some.start
            rows = rows[np.argsort(calls.thread[rows], kind="stable")]
            begins = np.flatnonzero(np.diff(calls.thread[rows], prepend=-1))
            for mine in np.split(rows, begins[1:]) if len(rows) else ():
                number = int(calls.thread[mine[0]])
                moments = groups[number]
                life = np.searchsorted(moments if moments is not None else [], calls.ts[mine], side="right")
                yield number, mine, life

    later = sorted({(number, one) for number, _, life in lives() for one in np.unique(life[life > 0]).tolist()})
    number_of = {key: len(calls.threads) + place for place, key in enumerate(later)}
    column = calls.room.empty(len(calls), np.uint32)
    column[:] = calls.thread
    for number, mine, life in lives():
        for one in np.unique(life[life > 0]).tolist():
            column[mine[life == one]] = number_of[number, one]
    threads = [calls.threads[number]._replace(life=one) for number, one in later]
    return replace(calls, thread=column, threads=(*calls.threads, *threads))
