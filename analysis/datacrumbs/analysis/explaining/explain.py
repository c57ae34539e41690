"""Asks the nested calls of opened traces why a function takes the time that it takes.

Three questions go to every partition (parted.py): how long the calls are, which ones are typical and slow (ranks.py),
and what is inside them (explained.py). What the answers add up to is put into an Explanation here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from datacrumbs.analysis import layers
from datacrumbs.analysis.explaining import addedup, ranks, words
from datacrumbs.analysis.explaining.afterwards import WINDOW_NS
from datacrumbs.analysis.explaining.explained import Explained, Hits, Single, Total, explained, merge
from datacrumbs.analysis.explaining.explanation import (
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
from datacrumbs.analysis.explaining.parted import Ask, Parted, of_traces
from datacrumbs.analysis.explaining.ranks import Look, Ranks
from datacrumbs.analysis.explaining.selection import EVERYTHING, Selection, nothing_chosen, resolve
from datacrumbs.analysis.reading.completeness import judge
from datacrumbs.analysis.reading.trace import Traces
from datacrumbs.core.errors import NoInputError

_SHOWN: Final = 10
"""Slow calls that are listed unless the user says how many."""
_MOVERS: Final = ("read", "write")


def explain(traces: Traces | Parted, function: str, which: Selection = EVERYTHING, *, slowest: int = 0) -> Explanation:
    """Why calls of a function take the time that they take.

    Args:
        traces: opened traces.
        function: its name, as in the trace.
        which: its calls that are explained.
        slowest: how many calls count as slow; 0: one in a hundred.

    Raises:
        NoInputError: there is no such call.
    """
    parted = of_traces(traces) if isinstance(traces, Traces) else traces
    rows = addedup.rows(parted, function, which)
    added = addedup.add_up(rows)
    try:
        ask, looked = look_at(parted, function, which)
    except NoInputError:
        if added is None:
            raise
        return addedup.explain(parted, function, rows, added)
    hosts = parted.names("HH")
    found = rank(ask, looked, hosts, slowest)
    parts = merge(ask(explained, found))
    spread = _spread(function, looked, found, parts)
    shares = tuple(_shares(parts))
    outcomes = _outcomes(parts)
    later = tuple(_afterwards(parts))
    groups = _group(parts.groups[1]), _group(parts.groups[2])
    cause, sentences = words.tell(spread, shares, groups, outcomes, later)
    if added is not None:
        sentences = (*sentences, addedup.beside(function, added))
    return Explanation(
        cause=cause, sentences=sentences, spread=spread, layers=_by_layer(shares, spread.total_ns), functions=shares,
        typical=groups[0], slow=groups[1], tree=tuple(_rows(parts)), childless=outcomes[0], page_cache=outcomes[1],
        device=outcomes[2], afterwards=later, slowest=tuple(_listed(parts.listed, hosts, parted)), added_up=added,
        completeness=judge(parted),
    )  # fmt: skip


def look_at(traces: Parted, function: str, which: Selection) -> tuple[Ask, Look]:
    """Chooses calls where they are, and looks at their durations.

    Raises:
        NoInputError: there is no such call.
    """
    ask = traces.choose(resolve(traces, function, which))
    looked = ranks.merge(ask(ranks.look))
    if not looked.calls:
        raise nothing_chosen(function)
    return ask, looked


def rank(ask: Ask, looked: Look, hosts: Mapping[str, str], slowest: int) -> Ranks:
    """Tells typical calls from slow ones, of which there are `slowest`, or, if that is 0, one in a hundred."""
    slow = slowest or max(1, looked.calls // 100)
    return ranks.rank(ask, looked, hosts, slow, slowest or _SHOWN)


def _spread(function: str, looked: Look, found: Ranks, parts: Explained) -> Spread:
    everything, calls = parts.groups[0], looked.calls
    moves = function in layers.READS | layers.WRITES | layers.COPIES or any(w in function.lower() for w in _MOVERS)
    root = parts.paths.places[parts.paths.ordered()[0][0]]
    return Spread(
        function=function, layer=layers.layer_of(root.function.category), calls=calls, nested=looked.nested,
        total_ns=looked.total_ns, mean_ns=round(looked.total_ns / calls), min_ns=everything.min_ns,
        p25_ns=found.p25_ns, p50_ns=found.p50_ns, p75_ns=found.p75_ns, p99_ns=found.p99_ns, max_ns=everything.max_ns,
        processes=len({thread._replace(tid=None) for thread in parts.threads}), threads=len(parts.threads),
        files=len(parts.files), bytes=parts.bytes if moves else 0,
    )  # fmt: skip


def _shares(parts: Explained) -> list[Share]:
    """What each function took, those with the most exclusive time first."""
    paths, (everything, typical, slow) = parts.paths, parts.groups
    found: dict[tuple[str, str, bool], list[int]] = {}
    for place, sums in enumerate(paths.sums.tolist()):
        (calls, *_), (inclusive, *_), exclusive = sums
        function, caused = paths.places[place]
        row = found.setdefault((function.name, function.category, caused), [0, 0, 0, 0, 0])
        row[0] += calls
        row[1] += 0 if paths.again(place) else inclusive
        for group in range(3):
            row[2 + group] += exclusive[group]
    rows = [
        Share(
            layer=layers.layer_of(category), category=category, function=name, caused=caused, calls=calls,
            inclusive_ns=inclusive, exclusive_ns=of_all, share=of_all / everything.ns if everything.ns else 0.0,
            slow_excess_ns=round(of_slow / slow.calls - of_typical / typical.calls),
        )
        for (name, category, caused), (calls, inclusive, of_all, of_typical, of_slow) in found.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row.exclusive_ns, row.function, row.category, row.caused))


def _by_layer(shares: Sequence[Share], total: int) -> tuple[LayerShare, ...]:
    sums: dict[str, int] = {}
    for row in shares:
        sums[row.layer] = sums.get(row.layer, 0) + row.exclusive_ns
    ordered = sorted(sums, key=layers.rank)
    return tuple(LayerShare(layer, sums[layer], sums[layer] / total if total else 0.0) for layer in ordered)


def _outcomes(parts: Explained) -> tuple[Outcome, Outcome, Outcome]:
    calls, ns, *_ = parts.groups[0]

    def outcome(what: str, hits: Hits) -> Outcome:
        return Outcome(what, hits.known, hits.calls, hits.ns, calls - hits.calls, ns - hits.ns)

    childless, page_cache, device = parts.hits
    return (
        outcome("no traced call inside", childless), outcome("a page-cache miss", page_cache),
        outcome("a request at the block device", device),
    )  # fmt: skip


def _group(total: Total) -> Group:
    return Group(total.calls, round(total.ns / max(1, total.calls)), total.min_ns, total.max_ns)


def _rows(parts: Explained) -> Iterator[TreeRow]:
    """The tree of a typical and of a slow call."""
    paths = parts.paths
    typical, slow = (max(1, group.calls) for group in parts.groups[1:])
    for place, depth in paths.ordered():
        calls, inclusive, exclusive = paths.sums[place].tolist()
        function, caused = paths.places[place]
        if calls[1] or calls[2]:
            yield TreeRow(
                depth, layers.layer_of(function.category), function.name, caused,
                calls[1] / typical, round(inclusive[1] / typical), round(exclusive[1] / typical),
                calls[2] / slow, round(inclusive[2] / slow), round(exclusive[2] / slow),
            )  # fmt: skip


def _afterwards(parts: Explained) -> list[Afterwards]:
    """What was done elsewhere on a call's file after it had returned, for the same thread."""
    found = [
        Afterwards(layers.layer_of(category), function, cause, *sums, WINDOW_NS)
        for (category, function, cause), sums in sorted(parts.afterwards.items())
    ]
    return sorted(found, key=lambda row: (-row.ns, row.function))


def _listed(singles: Sequence[Single], hosts: Mapping[str, str], traces: Parted) -> Iterator[SlowCall]:
    paths = traces.names("FH", [one.file[1:] for one in singles if one.file[:1] == "h"])

    def place(one: Single) -> tuple[object, ...]:
        return -one.ns, one.begin_ns, ranks.place_of(one.thread, hosts), one.place

    for one in sorted(singles, key=place):
        path = paths.get(one.file[1:], "") if one.file[:1] == "h" else one.file[1:]
        offset, count, ret = one.numbers
        yield SlowCall(
            one.begin_ns // 1000, one.ns, hosts.get(one.thread.host, ""), one.thread.pid, one.thread.tid, path, offset,
            count, ret, dict(one.layers),
        )  # fmt: skip
