"""The calls as tables of the database: what SQL of ours and of users asks.

raw_calls  the columns of columns.py, as they are
functions  id, name, cat, layer
threads    id, host (its name), pid, tid, life (how many processes with this pid had ended before), process (a number
           for each process)
files      id, path (empty where the trace does not name the file)
calls      a view that joins them, with NULL where there is nothing
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from datacrumbs.analysis.reading.columns import NULL, Calls, Function, Thread

if TYPE_CHECKING:
    import duckdb

_DIMENSIONS: Final = (
    """CREATE TABLE functions AS SELECT id, name, cat, layer FROM dimension""",
    """
    CREATE TABLE threads AS
    SELECT id, coalesce(names.text, '') AS host, pid, tid, life, process
    FROM dimension LEFT JOIN names ON names.kind = 'HH' AND names.key = dimension.key
    """,
    """
    CREATE TABLE files AS
    SELECT id, coalesce(names.text, if(form = 'p', dimension.key, '')) AS path
    FROM dimension LEFT JOIN names ON form = 'h' AND names.kind = 'FH' AND names.key = dimension.key
    """,
)

_VIEW: Final = f"""
    CREATE VIEW calls AS
    SELECT
        functions.name, functions.cat, functions.layer, threads.host, threads.pid, threads.tid, threads.life,
        ts, dur, ns, nullif(ret, ({NULL})) AS ret, nullif("offset", ({NULL})) AS "offset",
        nullif(count, ({NULL})) AS count, files.path
    FROM raw_calls
    JOIN functions ON functions.id = function
    JOIN threads ON threads.id = thread
    JOIN files ON files.id = file
"""


_POWERS: Final = """
    CREATE VIEW powers AS
    SELECT function, if(ns < 2, 0, floor(log2(ns)))::INTEGER AS power, count(*) AS calls FROM raw_calls GROUP BY ALL
"""
"""For profiles.py."""


def make(database: duckdb.DuckDBPyConnection, calls: Calls, layers: Sequence[str]) -> None:
    """Makes all of them. `names` exists (catalog.py); `layers` has one for each function."""
    database.register("raw_calls", calls.columns)
    make_dimensions(database, calls.functions, calls.threads, calls.files, layers)
    database.execute(_VIEW)
    database.execute(_POWERS)


def processes_of(threads: Sequence[Thread]) -> list[int]:
    """The number of each thread's process."""
    processes: dict[Thread, int] = {}
    return [processes.setdefault(thread._replace(tid=None), len(processes)) for thread in threads]


def make_dimensions(
    database: duckdb.DuckDBPyConnection, functions: Sequence[Function], threads: Sequence[Thread],
    files: Sequence[str], layers: Sequence[str],
) -> None:  # fmt: skip
    """Makes `functions`, `threads` and `files`, whose parts are those of columns.Calls."""
    dimensions: tuple[dict[str, Any], ...] = (
        {
            "name": _texts(function.name for function in functions),
            "cat": _texts(function.category for function in functions),
            "layer": _texts(layers),
        },
        {
            "key": _texts(thread.host for thread in threads),
            "pid": _numbers([thread.pid for thread in threads]),
            "tid": _numbers([thread.tid for thread in threads]),
            "life": np.array([thread.life for thread in threads], np.uint32),
            "process": np.array(processes_of(threads), np.uint32),
        },
        {"form": _texts(file[:1] for file in files), "key": _texts(file[1:] for file in files)},
    )
    for statement, dimension in zip(_DIMENSIONS, dimensions, strict=True):
        size = len(next(iter(dimension.values())))
        if size:
            database.register("dimension", {"id": np.arange(size, dtype=np.uint32), **dimension})
            database.execute(statement)
            database.unregister("dimension")
        else:
            columns = ", ".join(f"NULL AS {name}" for name in ("id", *dimension))
            database.execute(statement.replace("FROM dimension", f"FROM (SELECT {columns} LIMIT 0) AS dimension"))


def _texts(texts: Any) -> Any:
    return np.array([*texts, ""], dtype=object)[:-1]


def _numbers(numbers: Sequence[int | None]) -> Any:
    return np.ma.masked_array([number or 0 for number in numbers], [number is None for number in numbers], np.int32)
