"""Single calls: the longest ones of the whole run, and all calls of the windows that a reader will want to look into.

At any zoom, what is long enough to be seen is one of the longest calls; inside a window, every call is there. A small
trace is a single window.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from datacrumbs.analysis.reading.columns import Column, chunks, concatenated
from datacrumbs.analysis.report.cubes import Grid
from datacrumbs.analysis.report.numbers import Numbers
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


def pick(numbers: Numbers, grid: Grid, budget: int, asked: tuple[Range, ...] = ()) -> dict[str, Any]:
    """The single calls, and the windows in which they are complete.

    Args:
        numbers: all calls in numbers.
        grid: the cubes' slices.
        budget: calls at most; they take about 16 bytes each.
        asked: parts of the run that the user wants to have every call of; beyond the budget, from their beginning.
    """
    total = len(numbers.calls)
    if total <= budget:
        windows = [Window("all", 0, numbers.codes.span_us, total)] if total or not numbers.profiled else []
        threshold, chosen = 0, np.arange(total)
    else:
        windows = _windows(numbers, grid, budget // 2, asked)
        # Of calls of equal length, all or none: "every call longer than this" must be true.
        threshold = int(_longest(numbers.calls.ns, budget // 2).min()) + 1
        chosen = _chosen(numbers, windows, threshold)
    calls = numbers.some(chosen)
    order = np.lexsort((-calls.ns, -calls.dur, calls.began, calls.lane))
    columns = [
        column[order] for column in (calls.lane, calls.began, calls.dur, calls.ns, calls.fn, calls.file, calls.ret)
    ]
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    return {
        "windows": [asdict(window) for window in windows],
        "threshold_ns": threshold,
        "rows": len(rows),
        "lane": pack_sorted(columns[0]),
        "at": pack_signed(np.diff(columns[1], prepend=0)),
        "dur": pack(columns[2]),
        "ns": pack(columns[3]),
        "fn": pack(columns[4]),
        "file": pack(columns[5]),
        "ret": pack_signed(columns[6]),
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


def _longest(column: Column, count: int) -> Column:
    """The `count` largest numbers of a column, which has more."""
    found = np.empty(0, column.dtype)
    for rows in chunks(len(column)):
        found = np.concatenate([found, column[rows]])
        if len(found) > count:
            found = np.partition(found, len(found) - count)[len(found) - count :]
    return found


def _chosen(numbers: Numbers, windows: list[Window], threshold: int) -> Column:
    """Rows of the calls that are long enough, or in a window."""
    found = []
    for rows in chunks(len(numbers.calls)):
        began = numbers.calls.ts[rows] - numbers.codes.start_us
        ended = began + numbers.calls.dur[rows]
        members = numbers.calls.ns[rows] >= threshold
        for window in windows:
            members |= (began <= window.end_us) & (ended >= window.begin_us)
        found.append(np.flatnonzero(members) + rows.start)
    return concatenated(found, np.int64)


def _windows(numbers: Numbers, grid: Grid, budget: int, asked: tuple[Range, ...]) -> list[Window]:
    """What the user asked for first, then what stands out, as long as the budget lasts."""
    wanted: list[tuple[str, int, int, int, int, int]] = [
        ("asked", range_.begin_us, range_.end_us, -1, range_.begin_us, 0) for range_ in asked
    ]
    slowest, error = _outstanding(numbers)
    wanted += [("slowest", at - dur // 2, at + dur + dur // 2, fn, at, ns) for fn, at, dur, ns in slowest]
    wanted += [("error", at, at, fn, at, ns) for fn, at, _, ns in error]
    wanted.append(("busiest", grid.busiest, grid.busiest, -1, grid.busiest, 0))
    found: list[Window] = []
    for kind, begin, end, fn, at, ns in wanted:
        room = budget - sum(window.calls for window in found)
        fit = _shorten(numbers, begin, end, room) if kind == "asked" else _fit(numbers, begin, end, room)
        if fit:
            found.append(Window(kind, *fit, fn, at, ns))
    return found


_Call = tuple[int, int, int, int]
"""Function, begin and duration in microseconds, nanoseconds."""


def _outstanding(numbers: Numbers) -> tuple[list[_Call], list[_Call]]:
    """The slowest call of each of the functions with the most time, and the first call that failed, if one did."""
    slowest: dict[int, _Call] = {}
    error: list[_Call] = []
    for part in numbers.parts():
        for fn in range(SLOWEST):
            rows = np.flatnonzero(part.fn == fn)
            if len(rows):
                row = rows[np.argmax(part.ns[rows])]
                call = (fn, int(part.began[row]), int(part.dur[row]), int(part.ns[row]))
                slowest[fn] = max(slowest.get(fn, call), call, key=lambda one: one[3])
        failed = np.flatnonzero(part.failed)
        if len(failed):
            row = failed[np.argmin(part.began[failed])]
            call = (int(part.fn[row]), int(part.began[row]), int(part.dur[row]), int(part.ns[row]))
            error = [min([*error, call], key=lambda one: one[1])]
    return [slowest[fn] for fn in sorted(slowest)], error


def _shorten(numbers: Numbers, begin: int, end: int, room: int) -> tuple[int, int, int] | None:
    """The part of a window, from its beginning, that holds at most `room` calls; with their number."""
    while (calls := _count(numbers, begin, end)) > room:
        end = begin + (end - begin) * room // (2 * calls)
        if end <= begin:
            return None
    return begin, end, calls


def _fit(numbers: Numbers, begin: int, end: int, room: int) -> tuple[int, int, int] | None:
    """A window around the middle of another that holds about as many calls as it should; with their number."""
    goal, codes = min(room, PER_WINDOW), numbers.codes
    if goal < 50:
        return None
    middle, half = (begin + end) // 2, max((end - begin) // 2, codes.span_us * goal // (4 * codes.calls), 1)
    for _ in range(12):
        low, high = max(0, middle - half), min(codes.span_us, middle + half)
        calls = _count(numbers, low, high)
        if calls <= goal * 5 // 4:
            return (low, high, calls) if calls <= room else None
        if half <= 1:
            return None
        half = max(1, min(half // 2, half * goal // calls))
    return None


def _count(numbers: Numbers, low: int, high: int) -> int:
    """Calls that run at some time between two moments: those that have begun by then, less those that have ended."""
    calls, start = numbers.calls, numbers.codes.start_us
    found = 0
    for rows in chunks(len(calls)):
        found += int(np.count_nonzero(calls.ts[rows] <= high + start))
        found -= int(np.count_nonzero(calls.ts[rows] + calls.dur[rows] < low + start))
    return found
