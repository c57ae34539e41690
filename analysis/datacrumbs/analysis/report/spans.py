"""Single calls: the longest ones of the whole run, and all calls of the windows that a reader will want to look into.

At any zoom, what is long enough to be seen is one of the longest calls; inside a window, every call is there. A small
trace is a single window.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import duckdb
from datacrumbs.analysis.report.codes import Codes
from datacrumbs.analysis.report.cubes import Grid
from datacrumbs.analysis.report.packing import pack, pack_signed, pack_sorted

PER_WINDOW: Final = 1500
"""Calls that a window aims at."""
SLOWEST: Final = 6
"""Functions whose slowest call gets a window."""

Row = tuple[int, int, int, int, int, int, int]
"""lane, at, dur (microseconds), ns, function, file, return value"""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the run, in microseconds since its start, of which the report has every call.

    `kind` is why: "all", "slowest", "error", "busiest", "asked"; `fn` the function that it is about, -1 for none.
    """

    kind: str
    begin_us: int
    end_us: int
    calls: int
    fn: int = -1
    at_us: int = 0
    ns: int = 0


@dataclass(frozen=True, slots=True)
class Range:
    """A part of the run that the user asked for, in microseconds since its start."""

    begin_us: int
    end_us: int


def pick(
    database: duckdb.DuckDBPyConnection, codes: Codes, grid: Grid, budget: int, asked: tuple[Range, ...] = ()
) -> dict[str, Any]:
    """The single calls, and the windows in which they are complete.

    Args:
        database: where `report_calls` and the cubes are.
        codes: their numbers.
        grid: the cubes' slices.
        budget: calls at most; they take about 16 bytes each.
        asked: parts of the run that the user wants to have every call of; beyond the budget, from their beginning.
    """
    if codes.calls <= budget:
        windows = [Window("all", 0, codes.span_us, codes.calls)]
        threshold, rows = 0, _calls(database, "true")
    else:
        windows = _windows(database, codes, grid, budget // 2, asked)
        least = database.execute(
            "SELECT min(ns) FROM (SELECT ns FROM report_calls ORDER BY ns DESC LIMIT ?)", [budget // 2]
        ).fetchall()[0][0]
        # Of calls of equal length, all or none: "every call longer than this" must be true.
        threshold = int(least) + 1
        inside = " OR ".join(f"began <= {w.end_us} AND began + dur >= {w.begin_us}" for w in windows) or "false"
        rows = _calls(database, f"ns >= {threshold} OR {inside}")
    return {
        "windows": [asdict(window) for window in windows],
        "threshold_ns": threshold,
        "rows": len(rows),
        "lane": pack_sorted(row[0] for row in rows),
        "at": pack_signed(_since_last(rows)),
        "dur": pack(row[2] for row in rows),
        "ns": pack(row[3] for row in rows),
        "fn": pack(row[4] for row in rows),
        "file": pack(row[5] for row in rows),
        "ret": pack_signed(row[6] for row in rows),
        "depth": pack(depths(rows)),
    }


def depths(rows: list[Row]) -> list[int]:
    """How many calls of the same thread each call lies in; rows in the order of thread, begin, and falling length."""
    found = []
    lane, open_until = -1, list[int]()
    for this, at, dur, *_ in rows:
        if this != lane:
            lane, open_until = this, []
        while open_until and open_until[-1] <= at:
            open_until.pop()
        found.append(len(open_until))
        open_until.append(at + dur)
    return found


def _calls(database: duckdb.DuckDBPyConnection, condition: str) -> list[Row]:
    return database.execute(
        f"SELECT lane, began, dur, ns, fn, file, coalesce(ret, 0) FROM report_calls WHERE {condition}"
        " ORDER BY lane, began, dur DESC, ns DESC"
    ).fetchall()


def _since_last(rows: list[Row]) -> list[int]:
    steps, before = [], 0
    for row in rows:
        steps.append(row[1] - before)
        before = row[1]
    return steps


def _windows(
    database: duckdb.DuckDBPyConnection, codes: Codes, grid: Grid, budget: int, asked: tuple[Range, ...]
) -> list[Window]:
    """What the user asked for first, then what stands out, as long as the budget lasts."""
    wanted: list[tuple[str, int, int, int, int, int]] = [
        ("asked", range_.begin_us, range_.end_us, -1, range_.begin_us, 0) for range_ in asked
    ]
    slowest = database.execute(
        "SELECT fn, arg_max(began, ns), arg_max(dur, ns), max(ns) FROM report_calls"
        " GROUP BY fn ORDER BY sum(ns) DESC LIMIT ?",
        [SLOWEST],
    ).fetchall()
    wanted += [("slowest", at - dur // 2, at + dur + dur // 2, fn, at, ns) for fn, at, dur, ns in slowest]
    wanted += [
        ("error", at, at, fn, at, ns)
        for fn, at, ns in database.execute(
            "SELECT fn, began, ns FROM report_calls WHERE failed ORDER BY began LIMIT 1"
        ).fetchall()
    ]
    busiest = database.execute(
        "SELECT bin FROM report_cells GROUP BY bin ORDER BY sum(calls) DESC, bin LIMIT 1"
    ).fetchall()
    middle = int(busiest[0][0]) * grid.width_us + grid.width_us // 2 if busiest else 0
    wanted.append(("busiest", middle, middle, -1, middle, 0))
    found: list[Window] = []
    for kind, begin, end, fn, at, ns in wanted:
        room = budget - sum(window.calls for window in found)
        fit = _shorten(database, begin, end, room) if kind == "asked" else _fit(database, codes, begin, end, room)
        if fit:
            found.append(Window(kind, *fit, fn, at, ns))
    return found


def _shorten(database: duckdb.DuckDBPyConnection, begin: int, end: int, room: int) -> tuple[int, int, int] | None:
    """The part of a window, from its beginning, that holds at most `room` calls; with their number."""
    while (calls := _count(database, begin, end)) > room:
        end = begin + (end - begin) * room // (2 * calls)
        if end <= begin:
            return None
    return begin, end, calls


def _fit(
    database: duckdb.DuckDBPyConnection, codes: Codes, begin: int, end: int, room: int
) -> tuple[int, int, int] | None:
    """A window around the middle of another that holds about as many calls as it should; with their number."""
    goal = min(room, PER_WINDOW)
    if goal < 50:
        return None
    middle, half = (begin + end) // 2, max((end - begin) // 2, codes.span_us * goal // (4 * codes.calls), 1)
    for _ in range(12):
        low, high = max(0, middle - half), min(codes.span_us, middle + half)
        calls = _count(database, low, high)
        if calls <= goal * 5 // 4:
            return (low, high, calls) if calls <= room else None
        if half <= 1:
            return None
        half = max(1, min(half // 2, half * goal // calls))
    return None


def _count(database: duckdb.DuckDBPyConnection, low: int, high: int) -> int:
    query = "SELECT count(*) FROM report_calls WHERE began <= ? AND began + dur >= ?"
    return int(database.execute(query, [high, low]).fetchall()[0][0])
