"""What the kernel did elsewhere for a call, put below it in the tree of paths.

A request at the device is in no call of a thread. While one is under way and the thread that caused it is in a call,
that part of the call's own time is the request's. What is left of the request is time in which the thread was in no
call: it stays at the top of the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from datacrumbs.analysis.explaining import caused as elsewhere
from datacrumbs.analysis.explaining.caused import Caused
from datacrumbs.analysis.explaining.nest import NO_PARENT, Nest
from datacrumbs.analysis.reading.columns import Column, chunks, concatenated
from datacrumbs.analysis.reading.spans import covered, spans, union
from datacrumbs.analysis.reading.trace import Traces
from datacrumbs.analysis.report.paths import Tree

MOST: Final = 100
"""Nodes of such work; what has less time stays part of its calls' own."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Times of some rows of `Calls` that are not at the row's node, but at another; `nodes` are those that are new."""

    rows: Column
    node: Column
    ns: Column
    nodes: range


def move(traces: Traces, nested: Nest, tree: Tree, node: Column, own: Column) -> tuple[Tree, Waits | None]:
    """Moves waits from their calls' own time, and from that of the work itself, to nodes of their own.

    Args:
        traces: opened traces.
        nested: which call is inside which.
        tree: the tree of paths.
        node: for each call its node; work that began in a call gets the node below that call.
        own: for each call its own time in nanoseconds, which gets less.

    Returns:
        The tree with the nodes that are new; None where the kernel did nothing elsewhere.
    """
    calls = traces.calls
    caused = elsewhere.find(calls, traces.layers)
    if caused is None:
        return tree, None
    counts = np.zeros(len(calls.threads), np.int64)
    for some in chunks(len(calls)):
        counts += np.bincount(calls.thread[some], minlength=len(counts))
    ends = np.cumsum(counts)
    threads = [_Thread(traces, nested, caused, thread, slice(ends[thread] - counts[thread], ends[thread]))
               for thread in np.unique(caused.thread).tolist() if thread >= 0 and counts[thread]]  # fmt: skip
    found = [share for thread in threads for share in thread.shares(own)]
    rows = concatenated((rows for _, rows, _ in found), np.int64)
    ns = concatenated((ns for *_, ns in found), np.int64)
    below = concatenated((np.full(len(rows), number, np.int64) for number, rows, _ in found), np.int64)
    key = node[rows].astype(np.int64) * len(calls.functions) + below
    kinds, place = np.unique(key, return_inverse=True)
    kept = np.sort(np.argsort(-np.bincount(place, weights=ns, minlength=len(kinds)), kind="stable")[:MOST])
    kinds, nodes = kinds[kept], range(len(tree.parent), len(tree.parent) + len(kept))
    at, known = _look_up(kinds, key)
    np.subtract.at(own, rows[known], ns[known])
    moved = [(rows[known], nodes.start + at[known], ns[known])]
    moved += [thread.settle(node, own, kinds, nodes) for thread in threads]
    above, function = np.divmod(kinds, len(calls.functions))
    longer = Tree((*tree.parent, *above.tolist()), (*tree.function, *function.tolist()))
    row, new, time = (np.concatenate(column) for column in zip(*moved, strict=True))
    return longer, Waits(row, new, time, nodes)


def _look_up(among: Column, keys: Column) -> tuple[Column, Column]:
    """Places of keys among sorted ones, and which of the keys are there."""
    at = np.searchsorted(among, keys)
    known = among[np.minimum(at, len(among) - 1)] == keys if len(among) else np.zeros(len(keys), bool)
    return at, np.flatnonzero(known)


class _Thread:
    """The calls of a thread, and what the kernel did elsewhere for it."""

    def __init__(self, traces: Traces, nested: Nest, caused: Caused, thread: int, places: slice) -> None:
        self._traces, self._places, self._nested = traces, places, nested
        self._caused, self._work = caused, caused.rows[caused.thread == thread]

    def shares(self, own: Column) -> Iterator[tuple[int, Column, Column]]:
        """Function, rows and nanoseconds of the own time of calls in which work of that function was under way."""
        rows = self._nested.order[self._places]
        above, inner = self._above()
        left = own[rows].copy()
        found = elsewhere.under_way(self._traces.calls, self._caused, rows)
        for function, share in elsewhere.of_own_time(found, above, inner, left):
            some = np.flatnonzero(share)
            yield function, rows[some].astype(np.int64), share[some]

    def settle(self, node: Column, own: Column, kinds: Column, nodes: range) -> tuple[Column, Column, Column]:
        """Takes the time in calls off the work itself, and gives it the node below the call in which it began.

        Returns:
            Rows, nodes and nanoseconds of what is left of such work, which stays where it was.
        """
        calls, work = self._traces.calls, self._work
        rows = self._nested.order[self._places]
        above, inner = self._above()
        begin, end = spans(calls, rows)
        began, ended = spans(calls, work)
        outer = union(begin[~inner], end[~inner])
        own[work] = np.maximum(own[work] - (covered(*outer, ended) - covered(*outer, began)), 0)
        around = np.searchsorted(begin, began, side="right") - 1
        while len(late := np.flatnonzero((around >= 0) & (end[np.maximum(around, 0)] < began))):
            around[late] = np.where(inner[around[late]], above[around[late]], -1)
        inside = np.flatnonzero(around >= 0)
        key = node[rows[around[inside]]].astype(np.int64) * len(calls.functions) + calls.function[work[inside]]
        at, known = _look_up(kinds, key)
        going = work[inside[known]]
        left = going, node[going].astype(np.int64), own[going].copy()
        node[going], own[going] = nodes.start + at[known], 0
        return left

    def _above(self) -> tuple[Column, Column]:
        """For each call the one around it, by its place in the thread, and whether there is one."""
        parent = self._nested.parent[self._places]
        inner = parent != NO_PARENT
        return np.where(inner, parent.astype(np.int64) - self._places.start, 0), inner
