"""What each thread did, layer by layer, in slices finer than those of the cubes: the timeline seen from afar.

A cell says how much of a slice the calls of one layer filled, and which function had most of it.
"""

from __future__ import annotations

from typing import Any, Final

import duckdb
from datacrumbs.analysis.report.codes import MOST_THREADS, Codes
from datacrumbs.analysis.report.packing import columns, pack, pack_sorted

FINEST: Final = 4096
"""Slices at most."""
COARSEST: Final = 128
FULL: Final = 31
"""The fill of a slice that was busy from end to end."""

_CELLS: Final = """
    WITH parts AS (
        SELECT lane, fn, began // {width} AS bin,
            if(dur = 0 OR (began + dur) // {width} = began // {width}, ns,
               ns * ((began // {width} + 1) * {width} - began) // dur) AS time
        FROM report_calls WHERE lane < {lanes}
        UNION ALL
        SELECT lane, fn, bin, ns * (least(began + dur, (bin + 1) * {width}) - bin * {width}) // dur
        FROM (
            SELECT *, unnest(range(began // {width} + 1, (began + dur) // {width} + 1)) AS bin
            FROM report_calls WHERE dur > 0 AND (began + dur) // {width} > began // {width} AND lane < {lanes}
        )
    ), by_function AS (
        SELECT lane, fn, bin, sum(time) AS time FROM parts GROUP BY ALL
    )
    SELECT ((lane * {layers} + layer) * {bins} + bin)::BIGINT AS k, arg_max(fn, time),
        greatest(1, least({full}, {full} * sum(time) // (1000 * {width})))
    FROM by_function JOIN (SELECT unnest(?::INTEGER[]) AS fn, unnest(?::INTEGER[]) AS layer) USING (fn)
    GROUP BY ALL
    ORDER BY k
"""


def fill(database: duckdb.DuckDBPyConnection, codes: Codes, layer_of: list[int], budget: int) -> dict[str, Any]:
    """The timeline's cells.

    Args:
        database: where `report_calls` is.
        codes: its numbers.
        layer_of: for each function, the number of its layer.
        budget: cells at most; they take about 4 bytes each.
    """
    layers = max(layer_of, default=0) + 1
    rows = max(1, min(len(codes.threads), MOST_THREADS) * len(set(layer_of)))
    bins = FINEST
    while bins > COARSEST and bins * rows > budget:
        bins //= 2
    width = max(1, -(-(codes.span_us + 1) // bins))
    query = _CELLS.format(width=width, bins=bins, layers=layers, lanes=MOST_THREADS, full=FULL)
    cells = database.execute(query, [list(range(len(layer_of))), layer_of]).fetchall()
    keys, functions, fills = columns(cells, 3)
    return {
        "bins": bins,
        "width_us": width,
        "layers": layers,
        "full": FULL,
        "rows": len(cells),
        "key": pack_sorted(keys),
        "fn": pack(functions),
        "fill": pack(fills),
    }
