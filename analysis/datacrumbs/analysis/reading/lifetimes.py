"""Tells processes apart that had the same id one after another: each is a life of that id, counted from 0.

A new life begins where a process starts after one with that id has ended (docs/trace-format.md, "Processes"). A start
alone does not tell: a process that joins a run twice starts twice. What a process did is of the life that had begun
last.

The table `births` has a row for each life but the first of each id: host (its hash), pid, moment. It is known when all
of a trace was read; columns of calls and sums that were made before are split then, which is seldom needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from datacrumbs.analysis.reading import schema
from datacrumbs.analysis.reading.columns import Calls, Column, Thread, chunks

if TYPE_CHECKING:
    import duckdb

_BIRTHS: Final = f"""
    INSERT INTO births
    SELECT host, pid, ts AS moment
    FROM (
        SELECT host, pid, ts, name,
            lag(name) OVER (PARTITION BY host, pid ORDER BY ts, name = 'start') AS before
        FROM records
        WHERE kind = {schema.KIND_LIFE} AND name IN ('start', 'end') AND pid IS NOT NULL
    )
    WHERE name = 'start' AND before = 'end'
"""

Births = Mapping[tuple[str, int | None], Column]
"""When the lives of a process id after the first began, in microseconds since 1970: by hash of the host, and id."""


def find(database: duckdb.DuckDBPyConnection, counts: Mapping[int, int]) -> Births:
    """Fills the table `births`, and returns what is in it. `counts`: the number of records of each kind."""
    if schema.KIND_LIFE not in counts or not database.execute(_BIRTHS).fetchall()[0][0]:
        return {}
    rows = database.execute("SELECT host, pid, list(moment ORDER BY moment) FROM births GROUP BY host, pid").fetchall()
    return {(host, pid): np.array(moments, np.int64) for host, pid, moments in rows}


def life_of(record: str) -> str:
    """SQL: the life that a row of `records` is of. In the microsecond in which one ends, the next may begin.

    Args:
        record: the name of the row, which has host, pid, name and ts.
    """
    return f"""(
        SELECT count(*) FROM births
        WHERE births.host = {record}.host AND births.pid = {record}.pid
            AND (moment < {record}.ts OR moment = {record}.ts AND {record}.name <> 'end')
    )"""


class Lives:
    """Numbers for the threads of each life, from numbers that tell threads apart by host, pid and tid alone.

    Args:
        threads: what the numbers stand for.
        births: of all traces.
    """

    def __init__(self, threads: Sequence[Thread], births: Births) -> None:
        self.threads = list(threads)
        """What the new numbers stand for: those that there were, and behind them those of later lives."""
        self._moments = [births.get((thread.host, thread.pid)) for thread in threads]
        self.several = np.array([moments is not None for moments in self._moments] + [False])
        """For each of the first threads: whether its process id had several lives."""
        self._numbers: dict[tuple[int, int], int] = {}

    def numbers(self, thread: Column, ts: Column) -> Column:
        """The new number for each of some calls of such threads."""
        found = thread.astype(np.uint32)
        order = np.argsort(thread, kind="stable")
        begins = np.flatnonzero(np.diff(found[order], prepend=len(self.threads)))
        for rows in np.split(order, begins[1:]):
            number = int(thread[rows[0]])
            moments = self._moments[number]
            life = np.searchsorted(moments if moments is not None else [], ts[rows], side="right")
            for one in np.unique(life[life > 0]).tolist():
                found[rows[life == one]] = self._number(number, one)
        return found

    def _number(self, thread: int, life: int) -> int:
        if (thread, life) not in self._numbers:
            self._numbers[thread, life] = len(self.threads)
            self.threads.append(self.threads[thread]._replace(life=life))
        return self._numbers[thread, life]


def split(calls: Calls, births: Births) -> Calls:
    """All calls, with threads of their own for each life of a process id."""
    lives = Lives(calls.threads, births)
    if not lives.several.any():
        return calls
    column = calls.room.empty(len(calls), np.uint32)
    for some in chunks(len(calls)):
        thread = calls.thread[some]
        rows = np.flatnonzero(lives.several[thread])
        column[some] = thread
        if len(rows):
            column[rows + some.start] = lives.numbers(thread[rows], calls.ts[some][rows])
    return replace(calls, thread=column, threads=tuple(lives.threads))
