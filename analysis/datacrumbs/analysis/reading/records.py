"""The database with the lines that are no plain calls, as the table `records` (schema.py).

They go through DuckDB's JSON reader: it knows all of JSON, no line can break it, and since its version 2.0 an
unfinished line leaves its neighbour alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from datacrumbs.analysis.reading import memory, schema

if TYPE_CHECKING:
    import duckdb
    from datacrumbs.analysis.reading.lines import LineBuffer
    from datacrumbs.analysis.reading.read import Others

MAX_OBJECT: Final = 4 << 20
"""DuckDB's limit for one line; the line buffer keeps all of them well below it."""
LEAST: Final = 256 << 20
"""Bytes that DuckDB may use in any case: its JSON reader takes eight times `MAX_OBJECT` for each thread."""


def counts(database: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """How many rows of each kind there are: most questions are about a few that seldom are, and need not be asked."""
    return dict(database.execute("SELECT kind, count(*) FROM records GROUP BY kind").fetchall())


def inserter(database: Callable[[], duckdb.DuckDBPyConnection]) -> Others:
    """What puts lines into the table `records` of a database, which is asked for when it is needed."""

    def insert(source: int, buffer: LineBuffer, /) -> None:
        with database().cursor() as cursor, buffer.as_file() as name:
            cursor.execute(schema.insert(name, source, MAX_OBJECT))

    return insert


@contextlib.contextmanager
def database(spill: Path, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty DuckDB in memory that reads nothing but what it is told to.

    Args:
        spill: a folder for what does not fit into memory.
        threads: how many it may use.
    """
    # The engine without its relations and expressions in Python, which nothing here asks for, and which take three
    # times as long to import.
    import _duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "temp_directory": str(spill),
        "memory_limit": f"{max(memory.share(), LEAST)}B",
        "preserve_insertion_order": False,
        # Else DuckDB may come to pack the table in the middle of loading it, at twice the memory and a third more time.
        "checkpoint_threshold": "16TB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }
    with _duckdb.connect(":memory:", config=settings) as connection:
        connection.execute(schema.TABLES)
        yield connection
