"""The tally as a table, for the questions of the report that join it with others.

tally   cat, name, process, file, first, last, time, moved (none: no bytes)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from datacrumbs.analysis.summing.partial import Sums

if TYPE_CHECKING:
    import duckdb

_COLUMNS: Final = ("function", "thread", "file", "first", "last", "time_high", "time_low", "moved_high", "moved_low")

_TALLY: Final = """
    CREATE TABLE tally AS
    SELECT
        functions.cat, functions.name, threads.process, file, first, last,
        time_high::HUGEINT * 4294967296 + time_low AS time,
        nullif(moved_high::HUGEINT * 4294967296 + moved_low, 0) AS moved
    FROM tally_columns
    JOIN functions ON functions.id = function
    JOIN threads ON threads.id = thread
    UNION ALL
    SELECT cat, name, process, file, min(ts), max(ts + dur), sum(ns), sum(moved)
    FROM profiles
    GROUP BY cat, name, process, file
"""


def make(database: duckdb.DuckDBPyConnection, sums: Sums) -> None:
    """Makes the table, once.

    Args:
        database: with the tables of tables.py and `profiles`.
        sums: of all calls.
    """
    database.register("tally_columns", {name: np.ascontiguousarray(sums.tally[name]) for name in _COLUMNS})
    database.execute(_TALLY)
    database.unregister("tally_columns")
