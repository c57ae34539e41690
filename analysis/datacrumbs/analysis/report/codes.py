"""Small numbers for functions, processes, threads and files.

    report_functions   fn, id (none: only profiles know it), cat, name   in the order of their time, the longest first
    report_processes   rank, process, host, pid, life                    in the same order
    report_threads     lane, proc, id, tid
    report_files       code, id, path         of the files with the most time; all others are `Codes.other_file`

A process beyond the limit has the number of the last one, which stands for all the others; so has a function.
numbers.py gives every call these numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis.reading import schema
from datacrumbs.analysis.reading.catalog import ProcessKey
from datacrumbs.analysis.reading.columns import Column
from datacrumbs.analysis.reading.trace import Traces
from datacrumbs.analysis.report import paths

MOST_FUNCTIONS: Final = 63
MOST_PROCESSES: Final = 127
MOST_THREADS: Final = 1023
MOST_FILES: Final = 2000
"""Files that have a number; the tables show fewer."""
READS, WRITES = 1, 2
"""What `moves_of` says of a function."""


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
    """What the numbers stand for, and how to get at them.

    None among `processes` stands for all beyond the limit. `start_us` is microseconds since 1970, `span_us` the length
    of the report's time.
    """

    start_us: int
    span_us: int
    calls: int
    functions: tuple[Function, ...]
    processes: tuple[ProcessKey | None, ...]
    threads: tuple[Thread, ...]
    paths: tuple[str, ...]
    """Of the files with a number; `len(paths)` is the number of all other files, and of none."""
    file_ids: tuple[int, ...]
    """The rows of the table `files` that have a number."""
    dropped_threads: int
    fn_of: Column
    """For each of `Calls.functions`."""
    moves_of: Column
    """For each of `Calls.functions`: `READS`, `WRITES` or 0."""
    lane_of: Column
    """For each of `Calls.threads`, and so is `proc_of`."""
    proc_of: Column
    code_of: Column
    """For each row of the table `files`."""
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
        row_number() OVER (ORDER BY sum(time) DESC, f.cat, f.name) - 1 AS fn, any_value(f.id) AS id, f.cat, f.name,
        CASE WHEN f.name IN ({_words(layers.READS)}) THEN {READS} WHEN f.name IN ({_words(layers.WRITES)}) THEN {WRITES}
        ELSE 0 END AS moves
    FROM (
        SELECT id, cat, name FROM functions
        UNION ALL
        SELECT DISTINCT NULL, cat, name FROM profiles
        WHERE (cat, name) NOT IN (SELECT (cat, name) FROM functions)
    ) AS f
    LEFT JOIN tally ON tally.cat = f.cat AND tally.name = f.name
    GROUP BY f.cat, f.name
"""

_PROCESSES: Final = f"""
    CREATE TABLE report_processes AS
    SELECT row_number() OVER (ORDER BY time DESC, process) - 1 AS position, least(position, {MOST_PROCESSES}) AS rank,
        process, host, pid, life
    FROM (
        SELECT
            process, any_value(known.host) AS host, any_value(known.pid) AS pid, any_value(known.life) AS life,
            coalesce(sum(time), 0) AS time
        FROM (SELECT process, host, pid, life FROM threads UNION SELECT process, host, pid, life FROM profiles) AS known
        LEFT JOIN (SELECT process, sum(time) AS time FROM tally GROUP BY process) USING (process)
        GROUP BY process
    )
"""

_THREADS: Final = """
    CREATE TABLE report_threads AS
    SELECT row_number() OVER (ORDER BY position, tid) - 1 AS lane, rank AS proc, id, tid
    FROM threads JOIN report_processes USING (process)
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

_SPAN: Final = f"""
    SELECT min(first), max(last) FROM (
        SELECT first, last FROM tally
        UNION ALL
        SELECT ts, ts + dur FROM records WHERE kind = {schema.KIND_LIFE}
    )
"""


def number(traces: Traces, tree: paths.Tree) -> Codes:
    """Makes the tables above, once, from the table `tally`, and the numbers from them."""
    database = traces.database
    first, last = database.execute(_SPAN).fetchall()[0]
    for statement in (_FUNCTIONS, _PROCESSES, _THREADS, _FILES):
        database.execute(statement)
    functions = database.execute("SELECT cat, name, id, moves FROM report_functions ORDER BY fn").fetchall()
    threads = database.execute("SELECT proc, tid, id FROM report_threads ORDER BY lane").fetchall()
    files = database.execute("SELECT path, id FROM report_files ORDER BY code").fetchall()
    most = database.execute("SELECT coalesce(max(id), 0) FROM files").fetchall()[0][0]
    kept = threads[:MOST_THREADS]
    fn_of, moves_of = np.zeros(len(traces.calls.functions) + 1, np.int64), np.zeros(len(traces.calls.functions) + 1)
    for fn, (_, _, id_, moves) in enumerate(functions):
        if id_ is not None:
            fn_of[id_], moves_of[id_] = min(fn, MOST_FUNCTIONS), moves
    lane_of, proc_of = (np.zeros(len(threads) + 1, np.int64) for _ in range(2))
    for lane, (proc, _, id_) in enumerate(threads):
        lane_of[id_], proc_of[id_] = min(lane, MOST_THREADS), proc
    code_of = np.full(most + 1, len(files), np.int64)
    code_of[[id_ for _, id_ in files]] = np.arange(len(files))
    return Codes(
        start_us=first or 0,
        span_us=max(1, (last or 0) - (first or 0)),
        calls=len(traces.calls),
        functions=_functions(functions),
        processes=_processes(database),
        threads=tuple(Thread(process, tid) for process, tid, _ in kept),
        paths=tuple(path for path, _ in files),
        file_ids=tuple(id_ for _, id_ in files),
        dropped_threads=len(threads) - len(kept),
        fn_of=fn_of,
        moves_of=moves_of,
        lane_of=lane_of,
        proc_of=proc_of,
        code_of=code_of,
        tree_parent=tree.parent,
        tree_fn=tuple(-1 if number < 0 else int(fn_of[number]) for number in tree.function),
    )


def _functions(rows: list[tuple[str, str, int | None, int]]) -> tuple[Function, ...]:
    rest = [Function("", "")] if len(rows) > MOST_FUNCTIONS else []
    return (*(Function(category, name) for category, name, *_ in rows[:MOST_FUNCTIONS]), *rest)


def _processes(database: duckdb.DuckDBPyConnection) -> tuple[ProcessKey | None, ...]:
    rows = database.execute(
        f"SELECT host, pid, life FROM report_processes ORDER BY position LIMIT {MOST_PROCESSES + 2}"
    ).fetchall()
    keys = [ProcessKey(*row) for row in rows]
    return tuple(keys) if len(keys) <= MOST_PROCESSES + 1 else (*keys[:MOST_PROCESSES], None)
