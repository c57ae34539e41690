"""What happened in each slice of time: five tables of sums that the browser adds up for any selection.

    report_cells     bin, proc, fn     calls, failed, time, got, put
    report_files_in  bin, file         calls, failed, time, got, put
    report_latency   bin, fn, bucket   calls
    report_tree      bin, node         calls, own
    report_sizes     bin, written, bucket   calls      of calls that move bytes and that the totals count

A call counts in the slice in which it begins; its time is spread over all slices that it lies in. All have the
same slices, as many as fit the budgets: two neighbours become one until they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import duckdb
from datacrumbs.analysis.report.codes import Codes
from datacrumbs.analysis.report.packing import columns, pack, pack_sorted

FINEST: Final = 480
"""Slices at most: five pixels each on the widest screen."""
COARSEST: Final = 60
"""Slices that must remain; beyond that, processes, functions and files with little time are put together."""
FILES: Final = 150
"""Files that have slices of their own."""
BUCKETS_PER_OCTAVE: Final = 4
"""A duration's bucket: its limits are a factor of 2^(1/4) apart, so that a percentile is right within 9 %."""

_PARTS: Final = """
    SELECT least(began // {width}, {last}) AS bin, proc, fn, file, 1 AS calls, failed::INTEGER AS failed, got, put,
        if(dur = 0 OR (began + dur) // {width} = began // {width}, ns,
           ns * ((began // {width} + 1) * {width} - began) // dur) AS time,
        node,
        if(dur = 0 OR (began + dur) // {width} = began // {width}, own,
           own * ((began // {width} + 1) * {width} - began) // dur) AS own
    FROM report_calls
    UNION ALL
    SELECT least(bin, {last}), proc, fn, file, 0, 0, 0, 0,
        ns * (least(began + dur, (bin + 1) * {width}) - bin * {width}) // dur,
        node, own * (least(began + dur, (bin + 1) * {width}) - bin * {width}) // dur
    FROM (
        SELECT *, unnest(range(began // {width} + 1, (began + dur) // {width} + 1)) AS bin
        FROM report_calls WHERE dur > 0 AND (began + dur) // {width} > began // {width}
    )
"""

_SUMS: Final = "sum(calls) AS calls, sum(failed) AS failed, sum(time) AS time, sum(got) AS got, sum(put) AS put"


@dataclass(frozen=True, slots=True)
class Grid:
    """The slices: `bins` of them, each `width_us` microseconds long."""

    bins: int
    width_us: int


@dataclass(frozen=True, slots=True)
class Cubes:
    """The grid, and the tables in the form that the browser reads."""

    grid: Grid
    cells: dict[str, Any]
    files: dict[str, Any]
    latency: dict[str, Any]
    tree: dict[str, Any]
    sizes: dict[str, Any]


def slice_up(database: duckdb.DuckDBPyConnection, codes: Codes, budget: int, counted: list[int]) -> Cubes:
    """Makes the tables.

    Args:
        database: where `report_calls` is.
        codes: its numbers.
        counted: the functions that the totals count.
        budget: rows that each table may have; they take about 14, 14 and 4 bytes each.
    """
    width = max(1, -(-(codes.span_us + 1) // FINEST))
    bins = -(-(codes.span_us + 1) // width)
    _make(database, width, bins, min(FILES, codes.other_file))
    _make_sizes(database, width, bins, counted)
    while bins > COARSEST and _largest(database) > budget:
        _halve(database)
        bins, width = (bins + 1) // 2, 2 * width
    _thin(database, budget)
    return Cubes(Grid(bins, width), *_read(database, codes))


def _make(database: duckdb.DuckDBPyConnection, width: int, bins: int, files: int) -> None:
    parts = _PARTS.format(width=width, last=bins - 1)
    database.execute(
        f"CREATE OR REPLACE TABLE report_cells AS SELECT bin, proc, fn, {_SUMS} FROM ({parts}) GROUP BY ALL"
    )
    database.execute(
        f"CREATE OR REPLACE TABLE report_files_in AS SELECT bin, file, {_SUMS} FROM ({parts}) WHERE file < {files}"
        " GROUP BY ALL"
    )
    database.execute(f"""
        CREATE OR REPLACE TABLE report_latency AS
        SELECT least(began // {width}, {bins - 1}) AS bin, fn,
            floor({BUCKETS_PER_OCTAVE} * log2(greatest(ns, 1)))::UTINYINT AS bucket, count(*) AS calls
        FROM report_calls GROUP BY ALL
    """)
    database.execute(
        f"CREATE OR REPLACE TABLE report_tree AS SELECT bin, node, sum(calls) AS calls, sum(own) AS own FROM ({parts})"
        " GROUP BY ALL"
    )


def _make_sizes(database: duckdb.DuckDBPyConnection, width: int, bins: int, counted: list[int]) -> None:
    query = f"""
        CREATE OR REPLACE TABLE report_sizes AS
        SELECT least(began // {width}, {bins - 1}) AS bin, (put > 0)::INTEGER AS written,
            floor(log2(got + put))::INTEGER AS bucket, count(*) AS calls
        FROM report_calls WHERE got + put > 0 AND fn IN (SELECT unnest(?::INTEGER[])) GROUP BY ALL
    """
    database.execute(query, [counted])


def _largest(database: duckdb.DuckDBPyConnection) -> int:
    tables = ("report_cells", "report_files_in", "report_latency", "report_tree")
    return max(int(database.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]) for table in tables)


def _halve(database: duckdb.DuckDBPyConnection) -> None:
    for table, keys, sums in (
        ("report_cells", "proc, fn", _SUMS),
        ("report_files_in", "file", _SUMS),
        ("report_latency", "fn, bucket", "sum(calls) AS calls"),
        ("report_tree", "node", "sum(calls) AS calls, sum(own) AS own"),
        ("report_sizes", "written, bucket", "sum(calls) AS calls"),
    ):
        database.execute(
            f"CREATE OR REPLACE TABLE {table} AS SELECT bin // 2 AS bin, {keys}, {sums} FROM {table} GROUP BY ALL"
        )


def _thin(database: duckdb.DuckDBPyConnection, budget: int) -> None:
    """Forgets the rows with the least time of tables that are still too long.

    What is left out is at most a sliver: it is the shortest of more than `budget` rows.
    """
    for table, order in (
        ("report_cells", "time"),
        ("report_files_in", "time"),
        ("report_latency", "calls"),
        ("report_tree", "own"),
    ):
        database.execute(
            f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table} ORDER BY {order} DESC LIMIT {2 * budget}"
        )


def _read(database: duckdb.DuckDBPyConnection, codes: Codes) -> tuple[dict[str, Any], ...]:
    functions, processes = max(1, len(codes.functions)), max(1, len(codes.processes))
    sums = "calls, failed, time, got, put"
    cells = database.execute(
        f"SELECT (bin * {processes} + proc) * {functions} + fn AS k, {sums} FROM report_cells ORDER BY k"
    ).fetchall()
    files = database.execute(f"SELECT bin * {FILES} + file AS k, {sums} FROM report_files_in ORDER BY k").fetchall()
    latency = database.execute(
        f"SELECT (bin * {functions} + fn) * 256 + bucket AS k, calls FROM report_latency ORDER BY k"
    ).fetchall()
    sizes = database.execute(
        "SELECT (bin * 2 + written) * 64 + bucket AS k, calls FROM report_sizes ORDER BY k"
    ).fetchall()
    nodes = max(1, len(codes.tree_parent))
    tree = database.execute(f"SELECT bin * {nodes} + node AS k, calls, own FROM report_tree ORDER BY k").fetchall()
    return (
        _table(cells, ("calls", "failed", "time", "read", "written")),
        _table(files, ("calls", "failed", "time", "read", "written")) | {"files": FILES},
        _table(latency, ("calls",)) | {"per_octave": BUCKETS_PER_OCTAVE},
        _table(tree, ("calls", "own")) | {"nodes": nodes},
        _table(sizes, ("calls",)),
    )


def _table(rows: list[tuple[Any, ...]], names: tuple[str, ...]) -> dict[str, Any]:
    keys, *values = columns(rows, 1 + len(names))
    return {"rows": len(rows), "key": pack_sorted(keys)} | {
        name: pack(value) for name, value in zip(names, values, strict=True)
    }
