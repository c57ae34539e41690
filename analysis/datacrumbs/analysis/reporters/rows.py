"""Rows of an SQL query: a table, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, TextIO

from datacrumbs.analysis.reporters.tables import Column, write_to

_BATCH: Final = 10_000


def _batches(result: Any) -> Iterator[list[tuple[Any, ...]]]:
    while batch := result.fetchmany(_BATCH):
        yield batch


def write_json(result: Any, out: TextIO) -> None:
    """An array of objects, one a line; only ASCII. Values that JSON has not become texts."""
    names = [column[0] for column in result.description or ()]
    separator = "[\n"
    for batch in _batches(result):
        for row in batch:
            out.write(separator + json.dumps(dict(zip(names, row, strict=True)), default=str))
            separator = ",\n"
    out.write("[]\n" if separator == "[\n" else "\n]\n")
    out.flush()


def write_table(result: Any, out: TextIO, *, top: int) -> None:
    """The first `top` rows (0: all) as a table; control characters are made visible."""
    description = result.description or ()
    rows: list[tuple[Any, ...]] = []
    for batch in _batches(result):
        rows += batch
        if top and len(rows) > top:
            break
    columns = []
    for number, column in enumerate(description):
        is_text = not rows or not isinstance(rows[0][number], (int, float))
        columns.append(Column(str(column[0]), lambda row, at=number: _text(row[at]), name=is_text))  # type: ignore[misc]
    write_to(out, lambda sheet: sheet.table("", columns, rows, top) if rows else sheet.text("no rows", "dim"))


def _text(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
