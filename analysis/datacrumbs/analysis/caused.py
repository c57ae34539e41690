"""What the kernel did elsewhere for a thread: requests at the device, writeback, commits of a journal.

Such spans overlap each other and the calls of the thread that caused them as they like. What is asked here is how long
at least one of them was under way during a call. Where several were, the lowest layer counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.columns import NO_SUB, Calls, Column

WINDOW_NS: Final = 60_000_000_000
"""How long after a call something on its file is still held to be its consequence: twice the kernel's
dirty_expire_centisecs (Documentation/admin-guide/sysctl/vm.rst), after which dirty pages are written at the latest."""


@dataclass(frozen=True, slots=True)
class Caused:
    """All such spans of some calls, as rows of the calls, with the cause and the thread of each."""

    rows: Column
    cause: tuple[str, ...]
    """For each key."""
    thread: Column
    """The thread that caused it, a row of `Calls.threads`; -1: it has made no call."""


def find(calls: Calls) -> Caused | None:
    """All of them; None where there are none."""
    if len(calls.keys) < 2:
        return None
    rows = np.flatnonzero(calls.key)
    numbers = {thread: number for number, thread in enumerate(calls.threads)}
    texts = [key.rpartition(" ") for key in calls.keys]
    thread = np.full(len(rows), -1, np.int64)
    pairs = np.stack([calls.key[rows], calls.thread[rows]], axis=1)
    for key, lane in np.unique(pairs, axis=0):
        one = calls.threads[lane]
        tid = int(texts[key][2]) if texts[key][2].lstrip("-").isdigit() else 0
        known = numbers.get(one._replace(tid=tid), -1)
        thread[(pairs[:, 0] == key) & (pairs[:, 1] == lane)] = known
    return Caused(rows, tuple(text[0] for text in texts), thread)


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


def united(rows: Sequence[tuple[Column, Column]]) -> tuple[Column, Column]:
    """The union of several rows of spans; quickest where each is sorted already."""
    if len(rows) == 1:
        return union(*rows[0])
    left = [(begin, end) if (begin[1:] >= begin[:-1]).all() else union(begin, end) for begin, end in rows]
    while len(left) > 1:
        left = [_unite(*left[at : at + 2]) for at in range(0, len(left), 2)]
    return left[0]


def _unite(one: tuple[Column, Column], other: tuple[Column, Column] | None = None) -> tuple[Column, Column]:
    if other is None:
        return one
    size = len(one[0]) + len(other[0])
    both = np.empty(size, np.int64), np.empty(size, np.int64)
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


def under_way(calls: Calls, caused: Caused, of_functions: Sequence[str], rows: Column) -> dict[int, Column]:
    """For each function that the kernel did elsewhere: how long it was under way during each of some calls.

    Args:
        calls: all calls.
        caused: what `find` found.
        of_functions: the layer of each function.
        rows: the calls that are asked about.

    Returns:
        Nanoseconds for each of `rows`, by function; time with several under way is the lowest layer's alone.
    """
    functions = calls.function[caused.rows]
    found = sorted(np.unique(functions).tolist(), key=lambda number: -layers.rank(of_functions[number]))
    result = {number: np.zeros(len(rows), np.int64) for number in found}
    thread = calls.thread[rows]
    for one in np.unique(caused.thread):
        mine = np.flatnonzero(thread == one)
        if one < 0 or not len(mine):
            continue
        begin, end = spans(calls, rows[mine])
        sofar = np.zeros(len(mine), np.int64)
        of_thread = caused.thread == one
        used = np.zeros(len(functions), bool)
        for number in found:
            used |= of_thread & (functions == number)
            if not used.any():
                continue
            covers = union(*spans(calls, caused.rows[used]))
            now = covered(*covers, end) - covered(*covers, begin)
            result[number][mine] = now - sofar
            sofar = now
    return {number: column for number, column in result.items() if column.any()}


def of_own_time(found: Mapping[int, Column], above: Column, inner: Column, own: Column) -> Iterator[tuple[int, Column]]:
    """Of what `under_way` found, the part that lies in calls' own time, by function.

    Args:
        found: for each function, how long it was under way during each call.
        above: for each call, the call around it.
        inner: whether there is one.
        own: the own time of each call, from which the parts are taken away.
    """
    for function, inclusive in found.items():
        share = inclusive.copy()
        np.subtract.at(share, above[inner], inclusive[inner])
        share = np.clip(share, 0, own)
        own -= share
        yield function, share
