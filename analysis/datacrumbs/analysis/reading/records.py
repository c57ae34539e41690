"""The database with the lines that are no plain calls, as the table `records` (schema.py).

They go through DuckDB's JSON reader: it knows all of JSON, no line can break it, and since its version 2.0 an
unfinished line leaves its neighbour alone.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from datacrumbs.analysis.reading import memory, schema
from datacrumbs.analysis.reading.lines import as_file

if TYPE_CHECKING:
    import duckdb

MAX_OBJECT: Final = 4 << 20
"""DuckDB's limit for one line; the line buffer keeps all of them well below it."""
_BYTES: Final = 32 << 20
"""Bytes of lines that go into the table at once: more rows than one of DuckDB's row groups."""
_SOURCES: Final = 64
"""Files whose lines go into the table at once, at most: each is an open file meanwhile."""
LEAST: Final = 256 << 20
"""Bytes that DuckDB may use in any case: its JSON reader takes eight times `MAX_OBJECT` for each thread."""


def counts(database: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """How many rows of each kind there are: most questions are about a few that seldom are, and need not be asked."""
    return dict(database.execute("SELECT kind, count(*) FROM records GROUP BY kind").fetchall())


class Inserter:
    """Puts lines into the table `records`, many at a time: a statement takes longer than a thousand of them.

    A context manager: at its end, unless by an error, all lines are there.

    Args:
        database: gives the database when it is needed.
    """

    def __init__(self, database: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._lines: dict[int, list[bytes]] = {}
        self._size = 0

    def __enter__(self) -> Inserter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self.flush()

    def __call__(self, source: int, lines: bytes, /) -> None:
        """Takes lines from any thread."""
        with self._lock:
            self._lines.setdefault(source, []).append(lines)
            self._size += len(lines)
            due = self._taken() if self._size >= _BYTES or len(self._lines) >= _SOURCES else {}
        self._insert(due)

    def flush(self) -> None:
        """Puts what is left into the table."""
        with self._lock:
            left = self._taken()
        self._insert(left)

    def _taken(self) -> dict[int, list[bytes]]:
        lines, self._lines, self._size = self._lines, {}, 0
        return lines

    def _insert(self, lines: Mapping[int, Sequence[bytes]]) -> None:
        if not lines:
            return
        with self._database().cursor() as cursor, contextlib.ExitStack() as files:
            sources = {files.enter_context(as_file(pieces)): source for source, pieces in lines.items()}
            cursor.execute(schema.insert(sources, MAX_OBJECT))


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
