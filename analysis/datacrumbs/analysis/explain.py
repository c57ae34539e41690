"""Asks the nested calls of opened traces why a function takes the time that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from datacrumbs.analysis import addedup, layers, words
from datacrumbs.analysis import caused as elsewhere
from datacrumbs.analysis.caused import Caused
from datacrumbs.analysis.columns import NULL, Calls, Column
from datacrumbs.analysis.completeness import judge
from datacrumbs.analysis.explanation import (
    Afterwards,
    Explanation,
    Group,
    LayerShare,
    Outcome,
    Share,
    SlowCall,
    Spread,
    TreeRow,
)
from datacrumbs.analysis.nest import Nest, nest
from datacrumbs.analysis.selection import Selection, chosen_calls, paths
from datacrumbs.analysis.subtrees import Subtrees, choose, present
from datacrumbs.analysis.trace import Traces
from datacrumbs.core.errors import NoInputError

_SHOWN: Final = 10
"""Slow calls that are listed unless the user says how many."""


def explain(
    traces: Traces, function: str, *, file: str = "", process: str = "", slowest: int = 0, nested: Nest | None = None
) -> Explanation:
    """Why calls of a function take the time that they take.

    Args:
        traces: opened traces.
        function: its name, as in the trace.
        file: only calls about files whose path holds this text, or matches this pattern (with `*`).
        process: only calls of this process: a pid, or a text that its name or command line holds.
        slowest: how many calls count as slow; 0: one in a hundred.
        nested: the calls' nesting, where it is known already.

    Raises:
        NoInputError: there is no such call.
    """
    calls, which = traces.calls, Selection(file, process)
    rows = addedup.rows(traces, function, which)
    added = addedup.add_up(rows)
    try:
        chosen = chosen_calls(traces, function, which)
    except NoInputError:
        if added is None:
            raise
        return addedup.explain(traces, function, rows, added)
    caused = elsewhere.find(calls)
    trees = choose(calls, nested or nest(calls, traces.layers), caused, traces.layers, chosen)
    times = calls.ns[trees.rows]
    spread = _spread(traces, function, trees, times)
    typical = (times >= spread.p25_ns) & (times <= spread.p50_ns)
    slow = slowest_of(times, slowest or max(1, len(times) // 100))
    shares = _shares(traces, trees, typical, slow, spread.total_ns)
    by_layer = _by_layer(shares, spread.total_ns)
    inner = trees.inner > 0
    childless = _outcome("no traced call inside", ~inner, times, known=True)
    page_cache = _outcome("a page-cache miss", *_has(traces, trees, times, layers.MISSES, ""))
    device = _outcome("a request at the block device", *_has(traces, trees, times, frozenset(), layers.BLOCK_DEVICE))
    afterwards = _afterwards(traces, caused, trees.rows)
    groups = _group(times[typical]), _group(times[slow])
    cause, sentences = words.tell(spread, shares, groups, (childless, page_cache, device), afterwards)
    if added is not None:
        sentences = (*sentences, addedup.beside(function, added))
    return Explanation(
        cause=cause, sentences=sentences, spread=spread, layers=by_layer, functions=shares,
        typical=groups[0], slow=groups[1], tree=_rows(traces, trees, typical, slow), childless=childless,
        page_cache=page_cache, device=device, afterwards=afterwards,
        slowest=_listed(traces, trees, times, slowest or _SHOWN), added_up=added,
        completeness=judge(traces),
    )  # fmt: skip


def _spread(traces: Traces, function: str, trees: Subtrees, times: Column) -> Spread:
    calls, count = traces.calls, len(times)
    at = [int((count - 1) * part) for part in (0.25, 0.5, 0.75, 0.99)]
    quartiles = np.partition(times, at)[at].tolist()
    threads = present(calls.thread[trees.rows]).tolist()
    files = present(calls.file[trees.rows])
    moved = calls.ret[trees.rows]
    moves = function in layers.READS | layers.WRITES | layers.COPIES or any(w in function.lower() for w in _MOVERS)
    return Spread(
        function=function, layer=traces.layers[int(calls.function[trees.rows[0]])], calls=count, nested=trees.nested,
        total_ns=int(times.sum()), mean_ns=round(float(times.mean())), min_ns=int(times.min()),
        p25_ns=quartiles[0], p50_ns=quartiles[1], p75_ns=quartiles[2], p99_ns=quartiles[3], max_ns=int(times.max()),
        processes=len({calls.threads[number]._replace(tid=None) for number in threads}),
        threads=len(threads), files=len(files[files > 0]),
        bytes=int(moved[moved > 0].sum()) if moves else 0,
    )  # fmt: skip


_MOVERS: Final = ("read", "write")


def slowest_of(times: Column, count: int) -> Column:
    """A truth value for each call: whether it is among the slowest `count`."""
    count = min(count, len(times))
    members = np.zeros(len(times), bool)
    members[np.argpartition(times, len(times) - count)[len(times) - count :]] = True
    return members


def _shares(traces: Traces, trees: Subtrees, typical: Column, slow: Column, total: int) -> tuple[Share, ...]:
    """What each function took, those with the most exclusive time first."""
    calls, inclusive, exclusive = trees.sums()
    of_typical, of_slow = trees.sums(typical)[2], trees.sums(slow)[2]
    found: dict[tuple[int, bool], list[float]] = {}
    tree = trees.tree
    for place in range(tree.size):
        row = found.setdefault((tree.function[place], tree.caused[place]), [0, 0, 0, 0.0])
        row[0] += int(calls[place])
        row[1] += 0 if tree.again(place) else int(inclusive[place])
        row[2] += int(exclusive[place])
        row[3] += of_slow[place] / max(1, int(slow.sum())) - of_typical[place] / max(1, int(typical.sum()))
    rows = [
        Share(
            layer=traces.layers[number], category=traces.calls.functions[number].category,
            function=traces.calls.functions[number].name, caused=caused, calls=int(row[0]), inclusive_ns=int(row[1]),
            exclusive_ns=int(row[2]), share=row[2] / total if total else 0.0, slow_excess_ns=round(row[3]),
        )
        for (number, caused), row in found.items()
    ]  # fmt: skip
    return tuple(sorted(rows, key=lambda row: (-row.exclusive_ns, row.function)))


def _by_layer(shares: Sequence[Share], total: int) -> tuple[LayerShare, ...]:
    sums: dict[str, int] = {}
    for row in shares:
        sums[row.layer] = sums.get(row.layer, 0) + row.exclusive_ns
    ordered = sorted(sums, key=layers.rank)
    return tuple(LayerShare(layer, sums[layer], sums[layer] / total if total else 0.0) for layer in ordered)


def _outcome(what: str, members: Column, times: Column, known: bool) -> Outcome:
    time = int(times[members].sum())
    return Outcome(what, known, int(members.sum()), time, int((~members).sum()), int(times.sum()) - time)


def _has(
    traces: Traces, trees: Subtrees, times: Column, names: frozenset[str], layer: str
) -> tuple[Column, Column, bool]:
    functions = traces.calls.functions
    marks = np.array(
        [one.name in names or own == layer for one, own in zip(functions, traces.layers, strict=True)] + [False]
    )
    return trees.owners_with(marks), times, bool(marks.any())


def _group(times: Column) -> Group:
    return Group(len(times), round(float(times.mean())), int(times.min()), int(times.max()))


def _rows(traces: Traces, trees: Subtrees, typical: Column, slow: Column) -> tuple[TreeRow, ...]:
    means = []
    for members in (typical, slow):
        count = max(1, int(members.sum()))
        means.append([column / count for column in trees.sums(members)])
    rows = []
    for place, depth in trees.tree.walk():
        number = trees.tree.function[place]
        values = [
            (float(calls[place]), round(float(inclusive[place])), round(float(exclusive[place])))
            for calls, inclusive, exclusive in means
        ]
        if values[0][0] or values[1][0]:
            name = traces.calls.functions[number].name
            rows.append(TreeRow(depth, traces.layers[number], name, trees.tree.caused[place], *values[0], *values[1]))
    return tuple(rows)


def _afterwards(traces: Traces, caused: Caused | None, rows: Column) -> tuple[Afterwards, ...]:
    """What was done elsewhere on a call's file after it had returned, for the same thread."""
    if caused is None:
        return ()
    calls = traces.calls
    begin, end = elsewhere.spans(calls, caused.rows)
    began, returned = elsewhere.spans(calls, rows)
    sums: dict[tuple[int, str], list[int]] = {}
    for thread in np.unique(caused.thread[caused.thread >= 0]).tolist():
        mine = calls.thread[rows] == thread
        for file in np.unique(calls.file[rows[mine]]).tolist():
            those = mine & (calls.file[rows] == file)
            ends, begins = np.sort(returned[those]), np.sort(began[those])
            spans = np.flatnonzero((caused.thread == thread) & (calls.file[caused.rows] == file))
            index = np.searchsorted(ends, begin[spans], side="right")
            since = begin[spans] - ends[np.maximum(index - 1, 0)]
            during = np.searchsorted(begins, begin[spans], side="right") > index
            for one in spans[(index > 0) & ~during & (since <= elsewhere.WINDOW_NS)].tolist():
                row = int(caused.rows[one])
                total = sums.setdefault((int(calls.function[row]), caused.cause[int(calls.key[row])]), [0, 0, 0])
                total[0] += 1
                total[1] += int(end[one] - begin[one])
                total[2] += max(0, int(calls.ret[row])) if calls.ret[row] != NULL else 0
    found = [
        Afterwards(
            traces.layers[number],
            calls.functions[number].name,
            cause,
            total[0],
            total[1],
            total[2],
            elsewhere.WINDOW_NS,
        )
        for (number, cause), total in sums.items()
    ]
    return tuple(sorted(found, key=lambda row: (-row.ns, row.function)))


def _listed(traces: Traces, trees: Subtrees, times: Column, count: int) -> tuple[SlowCall, ...]:
    calls = traces.calls
    members = np.flatnonzero(slowest_of(times, count))
    members = members[np.argsort(-times[members], kind="stable")]
    hosts = dict(traces.database.execute("SELECT id, host FROM threads").fetchall())
    known = paths(traces)
    return tuple(_slow_call(traces, trees, int(one), hosts, known, calls) for one in members)


def _slow_call(
    traces: Traces, trees: Subtrees, one: int, hosts: dict[int, str], known: Sequence[str], calls: Calls
) -> SlowCall:
    row = int(trees.rows[one])
    thread = calls.threads[int(calls.thread[row])]
    by_layer: dict[str, int] = {}
    mine = np.zeros(len(trees.rows), bool)
    mine[one] = True
    for place, time in enumerate(trees.sums(mine)[2].tolist()):
        if time:
            layer = traces.layers[trees.tree.function[place]]
            by_layer[layer] = by_layer.get(layer, 0) + time
    numbers = [None if value == NULL else int(value) for value in (calls.offset[row], calls.count[row], calls.ret[row])]
    return SlowCall(
        int(calls.ts[row]), int(calls.ns[row]), hosts.get(int(calls.thread[row]), ""), thread.pid, thread.tid,
        known[int(calls.file[row])], numbers[0], numbers[1], numbers[2],
        {layer: by_layer[layer] for layer in sorted(by_layer, key=layers.rank)},
    )  # fmt: skip
