"""Small numbers for functions, processes, threads and files, and the table `report_calls`, in which calls have them.

    report_functions   fn, id, cat, name      in the order of their time, the longest first
    report_threads     lane, proc, id, host, pid, tid
    report_files       code, id, path         of the files with the most time; all others are `Codes.other_file`
    report_calls       began, dur, ns, own, node, fn, lane, proc, file, failed, got, put, ret

`began` is microseconds since the report begins, `own` the nanoseconds that no call inside it accounts
for, `node` its place in the tree of paths (paths.py), `got` and `put` bytes read and written. A process beyond the
limit has the number of the last one, which stands for all the others; so has a function.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import duckdb
from datacrumbs.analysis import layers, schema
from datacrumbs.analysis.columns import NULL
from datacrumbs.analysis.nest import Nest
from datacrumbs.analysis.report import paths
from datacrumbs.analysis.trace import Traces

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
    tree_parent: tuple[int, ...]
    """Tree of paths: the node around; -1: none."""
    tree_fn: tuple[int, ...]
    """Tree of paths: the function; -1: several that have little time."""

    @property
    def other_file(self) -> int:
        """The number of a call without a file, or with one beyond the limit."""
        return len(self.paths)


def _words(texts: Iterable[str]) -> str:
    return ", ".join("'" + text.replace("'", "''") + "'" for text in sorted(texts))


_FUNCTIONS: Final = f"""
    CREATE TABLE report_functions AS
    SELECT
        row_number() OVER (ORDER BY sum(time) DESC, f.cat, f.name) - 1 AS fn, f.id, f.cat, f.name, f.layer,
        CASE WHEN f.name IN ({_words(layers.READS)}) THEN 1 WHEN f.name IN ({_words(layers.WRITES)}) THEN 2 ELSE 0 END
            AS moves
    FROM functions f LEFT JOIN tally ON tally.cat = f.cat AND tally.name = f.name
    GROUP BY f.id, f.cat, f.name, f.layer
"""

_THREADS: Final = f"""
    CREATE TABLE report_threads AS
    WITH one AS (
        SELECT t.id, t.process, t.tid, t.pid, t.host, sum(time) AS time,
            sum(sum(time)) OVER (PARTITION BY t.process) AS whole
        FROM threads t LEFT JOIN tally ON tally.thread = t.id
        GROUP BY t.id, t.process, t.tid, t.pid, t.host
    )
    SELECT
        row_number() OVER (ORDER BY rank, tid) - 1 AS lane, least(rank, {MOST_PROCESSES}) AS proc, id, host, pid, tid
    FROM (SELECT *, dense_rank() OVER (ORDER BY whole DESC, process) - 1 AS rank FROM one)
"""

_FILES: Final = f"""
    CREATE TABLE report_files AS
    SELECT row_number() OVER (ORDER BY time DESC, path) - 1 AS code, id, path FROM (
        SELECT files.id, files.path, sum(time) AS time
        FROM tally JOIN files ON files.id = tally.file
        WHERE files.id > 0
        GROUP BY files.id, files.path
        ORDER BY time DESC, path
        LIMIT {MOST_FILES}
    )
"""

_CALLS: Final = f"""
    CREATE TABLE report_calls AS
    SELECT
        r.ts - ? AS began, r.dur, r.ns, r.own, r.node::USMALLINT AS node, least(f.fn, {MOST_FUNCTIONS})::UTINYINT AS fn,
        least(t.lane, {MOST_THREADS})::USMALLINT AS lane, t.proc::UTINYINT AS proc,
        coalesce(x.code, ?)::USMALLINT AS file,
        r.ret BETWEEN -4095 AND -1 AS failed,
        if(r.ret > 0 AND f.moves = 1, r.ret, 0) AS got,
        if(r.ret > 0 AND f.moves = 2, r.ret, 0) AS put,
        if(r.ret = ({NULL}), 0, r.ret) AS ret
    FROM report_raw r
    JOIN report_functions f ON f.id = r.function
    JOIN report_threads t ON t.id = r.thread
    LEFT JOIN report_files x ON x.id = r.file
"""

_SPAN: Final = f"""
    SELECT min(first), max(last) FROM (
        SELECT first, last FROM tally
        UNION ALL
        SELECT ts, ts + dur FROM records WHERE kind = {schema.KIND_LIFE}
    )
"""


def number(traces: Traces, nested: Nest) -> Codes:
    """Makes the tables above, once, from those that `summarise` leaves and from which call is inside which."""
    database, calls = traces.database, traces.calls
    first, last = database.execute(_SPAN).fetchall()[0]
    database.execute(_FUNCTIONS)
    database.execute(_THREADS)
    database.execute(_FILES)
    tree, node, own = paths.find(traces, nested)
    paths_of = tuple(text for (text,) in database.execute("SELECT path FROM report_files ORDER BY code").fetchall())
    database.register("report_raw", {**calls.columns, "node": node, "own": own})
    database.execute(_CALLS, [first or 0, len(paths_of)])
    database.unregister("report_raw")
    threads = database.execute("SELECT host, pid, proc, tid FROM report_threads ORDER BY lane").fetchall()
    kept = threads[:MOST_THREADS]
    rank = dict(database.execute("SELECT id, fn FROM report_functions").fetchall())
    return Codes(
        start_us=first or 0,
        span_us=max(1, (last or 0) - (first or 0)),
        calls=len(calls),
        functions=_functions(database),
        processes=_processes(threads),
        threads=tuple(Thread(process, tid) for _, _, process, tid in kept),
        paths=paths_of,
        dropped_threads=len(threads) - len(kept),
        tree_parent=tree.parent,
        tree_fn=tuple(-1 if number < 0 else min(rank[number], MOST_FUNCTIONS) for number in tree.function),
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
