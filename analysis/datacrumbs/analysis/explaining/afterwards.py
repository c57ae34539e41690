"""What the kernel did on a call's file after it had returned, for the same thread."""

from __future__ import annotations

from typing import Final

import numpy as np
from datacrumbs.analysis.explaining.caused import Caused, runs
from datacrumbs.analysis.reading.columns import NULL, Calls, Column
from datacrumbs.analysis.reading.spans import spans

WINDOW_NS: Final = 60_000_000_000
"""How long after a call something on its file is still held to be its consequence: twice the kernel's
dirty_expire_centisecs (Documentation/admin-guide/sysctl/vm.rst), after which dirty pages are written at the latest."""

Consequence = tuple[str, str, str]
"""Category, function and cause."""
Sums = tuple[int, int, int]
"""Spans, nanoseconds, bytes."""


def consequences(calls: Calls, caused: Caused, rows: Column) -> dict[Consequence, Sums]:
    """Spans on the file of a call by the same thread, which begin after it has returned, and during no other.

    Args:
        calls: all calls.
        caused: the spans.
        rows: the calls.
    """
    found: dict[Consequence, Sums] = {}
    for one in _consequences(calls, caused, rows[np.isin(calls.thread[rows], [*caused.covers])]).tolist():
        row = int(caused.rows[one])
        function = calls.functions[int(calls.function[row])]
        key = function.category, function.name, caused.cause[int(calls.key[row])]
        number, ns, size = found.get(key, (0, 0, 0))
        moved = int(calls.ret[row])
        found[key] = number + 1, ns + int(calls.ns[row]), size + (max(0, moved) if moved != NULL else 0)
    return found


def _consequences(calls: Calls, caused: Caused, rows: Column) -> Column:
    """Which of the spans."""
    files = len(calls.files)
    of_spans = caused.thread * files + calls.file[caused.rows]
    of_calls = calls.thread[rows].astype(np.int64) * files + calls.file[rows]
    joined = np.isin(of_calls, of_spans)
    rows, of_calls = rows[joined], of_calls[joined]
    chosen = np.flatnonzero((caused.thread >= 0) & np.isin(of_spans, of_calls))
    groups = dict(runs(of_calls, np.argsort(of_calls, kind="stable")))
    kept = [np.empty(0, np.int64)]
    for pair, mine in runs(of_spans, chosen[np.argsort(of_spans[chosen], kind="stable")]):
        began, returned = spans(calls, rows[groups[pair]])
        ends, begins = np.sort(returned), np.sort(began)
        begin, _ = spans(calls, caused.rows[mine])
        index = np.searchsorted(ends, begin, side="right")
        since = begin - ends[np.maximum(index - 1, 0)]
        during = np.searchsorted(begins, begin, side="right") > index
        kept.append(mine[(index > 0) & ~during & (since <= WINDOW_NS)])
    return np.concatenate(kept)
