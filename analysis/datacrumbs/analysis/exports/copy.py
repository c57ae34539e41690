"""DuckDB's COPY into a file."""

from __future__ import annotations

from pathlib import Path

import duckdb
from datacrumbs.core.errors import OutputError


def copy(database: duckdb.DuckDBPyConnection, query: str, path: Path, options: str) -> None:
    """Writes the rows of a query of ours.

    Args:
        database: opened traces' database.
        query: a SELECT.
        path: the file, which is new.
        options: of COPY.

    Raises:
        OutputError: it cannot be written.
    """
    name = str(path).replace("'", "''")
    try:
        database.execute(f"COPY ({query}) TO '{name}' ({options})")
    except duckdb.IOException as error:
        raise OutputError(f"cannot write {path}: {str(error).partition(chr(10))[0]}", "name another file") from error
