"""Small numbers for functions, processes, threads and files, and the table `report_calls`, in which calls have them.

    report_functions   fn, cat, name, function (its row in `functions`); the one with the most time first
    report_threads     lane, proc, thread (its row in `threads`), host, pid, tid
    report_files       code, key (its row in `files`): the files with the most time; others are `Codes.other_file`
    report_calls       began, dur, ns, fn, lane, proc, file, failed, got, put, ret

`began` is microseconds since the report begins, `got` and `put` bytes read and written. A process beyond the limit has
the number of the last one, which stands for all the others; so has a function.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import duckdb
from datacrumbs.analysis import layers, schema
from datacrumbs.analysis.columns import NULL

MOST_FUNCTIONS: Final = 63
MOST_PROCESSES: Final = 127
MOST_THREADS: Final = 1023
MOST_FILES: Final = 2000
"""Files that have a number; the tables show fewer."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a category; `name` is empty for those beyond the limit together."""

    category: str
    name: str


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread's row in the timeline; `process` is the index of its process."""

    process: int
    tid: int | None


@dataclass(frozen=True, slots=True)
class Codes:
    """What the numbers in `report_calls` stand for.

    `processes` are pairs of host name and process id; None stands for all beyond the limit. `start_us` is microseconds
    since 1970, `span_us` the length of the report's time.
    """

    start_us: int
    span_us: int
    calls: int
    functions: tuple[Function, ...]
    processes: tuple[tuple[str, int | None] | None, ...]
    threads: tuple[Thread, ...]
    paths: tuple[str, ...]
    """Of the files with a number; `len(paths)` is the number of all other files, and of none."""
    dropped_threads: int

    @property
    def other_file(self) -> int:
        """The number of a call without a file, or with one beyond the limit."""
        return len(self.paths)


def _words(texts: Iterable[str]) -> str:
    return ", ".join("'" + text.replace("'", "''") + "'" for text in sorted(texts))


_FUNCTIONS: Final = """
    CREATE TABLE report_functions AS
    SELECT (row_number() OVER (ORDER BY sum(time) DESC, cat, name) - 1)::USMALLINT AS fn, cat, name, function
    FROM tally GROUP BY cat, name, function
"""

_THREADS: Final = f"""
    CREATE TABLE report_threads AS
    WITH one AS (
        SELECT thread, process, sum(sum(time)) OVER (PARTITION BY process) AS whole FROM tally GROUP BY thread, process
    ), ranked AS (
        SELECT *, dense_rank() OVER (ORDER BY whole DESC, process) - 1 AS rank FROM one
    )
    SELECT
        (row_number() OVER (ORDER BY rank, tid) - 1)::INTEGER AS lane,
        least(rank, {MOST_PROCESSES})::USMALLINT AS proc, thread, threads.host, pid, tid
    FROM ranked JOIN threads ON threads.id = thread
"""

_FILES: Final = f"""
    CREATE TABLE report_files AS
    SELECT (row_number() OVER (ORDER BY time DESC, text) - 1)::USMALLINT AS code, key, text FROM (
        SELECT file AS key, sum(time) AS time, any_value(files.path) AS text
        FROM tally JOIN files ON files.id = file
        WHERE file <> 0
        GROUP BY file
        ORDER BY time DESC, text
        LIMIT {MOST_FILES}
    )
"""

_CALLS: Final = f"""
    CREATE TABLE report_calls AS
    SELECT
        r.ts - ? AS began, r.dur, r.ns, least(f.fn, {MOST_FUNCTIONS})::UTINYINT AS fn,
        least(t.lane, {MOST_THREADS})::USMALLINT AS lane, t.proc::UTINYINT AS proc,
        coalesce(x.code, ?)::USMALLINT AS file,
        r.ret BETWEEN -4095 AND -1 AS failed,
        if(r.ret > 0 AND f.name IN ({_words(layers.READS)}), r.ret, 0) AS got,
        if(r.ret > 0 AND f.name IN ({_words(layers.WRITES)}), r.ret, 0) AS put,
        nullif(r.ret, ({NULL})) AS ret
    FROM raw_calls r
    JOIN report_functions f ON f.function = r.function
    JOIN report_threads t ON t.thread = r.thread
    LEFT JOIN report_files x ON x.key = r.file
"""

_SPAN: Final = f"""
    SELECT min(first), max(last), sum(calls)::BIGINT FROM (
        SELECT first, last, calls FROM tally
        UNION ALL
        SELECT ts, ts + dur, 0 FROM records WHERE kind = {schema.KIND_LIFE}
    )
"""


def number(database: duckdb.DuckDBPyConnection) -> Codes:
    """Makes the tables above, once, from those that `summarise` leaves."""
    first, last, calls = database.execute(_SPAN).fetchall()[0]
    database.execute(_FUNCTIONS)
    database.execute(_THREADS)
    database.execute(_FILES)
    paths = tuple(text for (text,) in database.execute("SELECT text FROM report_files ORDER BY code").fetchall())
    database.execute(_CALLS, [first or 0, len(paths)])
    threads = database.execute("SELECT host, pid, proc, tid FROM report_threads ORDER BY lane").fetchall()
    kept = threads[:MOST_THREADS]
    return Codes(
        start_us=first or 0,
        span_us=max(1, (last or 0) - (first or 0)),
        calls=calls or 0,
        functions=_functions(database),
        processes=_processes(threads),
        threads=tuple(Thread(process, tid) for _, _, process, tid in kept),
        paths=paths,
        dropped_threads=len(threads) - len(kept),
    )


def _functions(database: duckdb.DuckDBPyConnection) -> tuple[Function, ...]:
    rows = database.execute("SELECT cat, name FROM report_functions ORDER BY fn").fetchall()
    rest = [Function("", "")] if len(rows) > MOST_FUNCTIONS else []
    return (*(Function(*row) for row in rows[:MOST_FUNCTIONS]), *rest)


def _processes(threads: list[tuple[str, int | None, int, int | None]]) -> tuple[tuple[str, int | None] | None, ...]:
    found: dict[int, tuple[str, int | None] | None] = {}
    for host, pid, process, _ in threads:
        known = found.setdefault(process, (host, pid))
        if known != (host, pid):
            found[process] = None
    return tuple(found[process] for process in sorted(found))
