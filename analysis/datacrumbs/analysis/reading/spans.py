"""When calls were under way, as spans of time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.reading.columns import NO_SUB, Calls, Column
from datacrumbs.analysis.reading.room import Room


def spans(calls: Calls, rows: Column) -> tuple[Column, Column]:
    """Begin and end of calls in nanoseconds since 1970, as well as the trace knows them."""
    sub = calls.sub[rows]
    begin = 1000 * calls.ts[rows] + np.where(sub == NO_SUB, 0, sub).astype(np.int64)
    return begin, begin + calls.ns[rows]


def union(begin: Column, end: Column) -> tuple[Column, Column]:
    """Spans that do not overlap and cover the same time, sorted."""
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], np.maximum.accumulate(end[order])
    first = np.ones(len(begin), bool)
    first[1:] = begin[1:] > end[:-1]
    starts = np.flatnonzero(first)
    return begin[starts], end[np.append(starts[1:], len(begin)) - 1]


def united(rows: Sequence[tuple[Column, Column]], room: Room) -> tuple[Column, Column]:
    """The union of several rows of spans; quickest where each is sorted already.

    Args:
        rows: begins and ends, at least of one.
        room: for the result.
    """
    if len(rows) == 1:
        begin, end = rows[0]
        return rows[0] if (begin[1:] > end[:-1]).all() else union(begin, end)
    left = [(begin, end) if (begin[1:] >= begin[:-1]).all() else union(begin, end) for begin, end in rows]
    while len(left) > 1:
        left = [_unite(room, *left[at : at + 2]) for at in range(0, len(left), 2)]
    return left[0]


def _unite(room: Room, one: tuple[Column, Column], other: tuple[Column, Column] | None = None) -> tuple[Column, Column]:
    if other is None:
        return one
    size = len(one[0]) + len(other[0])
    both = room.empty(size, np.int64), room.empty(size, np.int64)
    a, b, c = (
        ffi.new(
            "struct dc_spans *", (len(begin), ffi.from_buffer("int64_t[]", begin), ffi.from_buffer("int64_t[]", end))
        )
        for begin, end in (one, other, both)
    )
    lib.dc_spans_unite(a, b, c)
    return both[0][: c.size], both[1][: c.size]


def covered(begin: Column, end: Column, at: Column) -> Column:
    """How much of the time before each of some moments is covered by spans that `union` made."""
    sums = np.concatenate([[0], np.cumsum(end - begin)])
    index = np.searchsorted(begin, at, side="right")
    before = np.maximum(index - 1, 0)
    return np.asarray(sums[index] - np.where(index > 0, np.maximum(end[before] - at, 0), 0))
