"""Compares two traces, or the typical and the slow calls of a function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from datacrumbs.analysis import addedup, chance
from datacrumbs.analysis import caused as elsewhere
from datacrumbs.analysis.columns import Column
from datacrumbs.analysis.comparison import Change, Comparison, Side
from datacrumbs.analysis.explain import slowest_of
from datacrumbs.analysis.layers import layer_of
from datacrumbs.analysis.nest import nest
from datacrumbs.analysis.reporters.units import count, duration
from datacrumbs.analysis.selection import Selection, chosen_calls
from datacrumbs.analysis.subtrees import Subtrees, choose, present
from datacrumbs.analysis.trace import Traces
from datacrumbs.core.errors import NoInputError

Key = tuple[str, str, str, bool]
"""Layer, category, function, and whether the kernel did it elsewhere."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A group of calls, function by function: calls and exclusive time, in all and in each slice of its time."""

    side: Side
    rows: Mapping[Key, tuple[int, int]]
    slices: Mapping[Key, Column]
    """Exclusive time in each slice, divided by the outermost calls of the slice where `per_call`."""
    whole: tuple[str, ...]
    """Functions of which calls were only added up: their times are whole durations, not exclusive ones."""
    durations: Mapping[Key, tuple[int, int, Column]]
    """Of the outermost calls alone: their number, their whole durations in all, and in each slice as above."""

    @property
    def flat(self) -> Profile:
        """The same without what is inside the calls."""
        rows = {key: (calls, ns) for key, (calls, ns, _) in self.durations.items()}
        return replace(self, rows=rows, slices={key: times for key, (_, _, times) in self.durations.items()})


def profile(
    traces: Traces, name: str, function: str = "", *, file: str = "", process: str = "", which: Selection | None = None
) -> Profile:
    """All calls of opened traces, or those of one function, for a comparison with others.

    Args:
        traces: opened traces.
        name: what the group is called.
        function: only calls of this function.
        file: only calls on files whose path holds or matches this.
        process: only calls of this pid or program.
        which: the calls, in place of `file` and `process`.

    Raises:
        NoInputError: there is no such call.
    """
    which = which or Selection(file, process)
    added = addedup.rows(traces, function, which)
    trees = None
    try:
        trees = _trees(traces, function, which)
    except NoInputError:
        if not added:
            raise
    members = np.ones(len(trees.rows), bool) if trees else np.zeros(0, bool)
    return _profile(traces, trees, name, members, added, function)


def slow_and_typical(
    traces: Traces, function: str, *, slowest: int = 0, file: str = "", process: str = ""
) -> tuple[Profile, Profile]:
    """The typical and the slow calls of a function, as `explain` tells them apart.

    Raises:
        NoInputError: there is no such call, or all of them were only added up.
    """
    which = Selection(file, process)
    if addedup.rows(traces, function, which) and not any(one.name == function for one in traces.calls.functions):
        raise NoInputError(
            f"calls of '{function}' were only added up: there are no single ones to tell slow from typical",
            "trace the function (mode: trace), or compare two runs",
        )
    trees = _trees(traces, function, which)
    times = traces.calls.ns[trees.rows]
    at = [int((len(times) - 1) * part) for part in (0.25, 0.5)]
    low, high = np.partition(times, at)[at]
    typical = (times >= low) & (times <= high)
    slow = slowest_of(times, slowest or max(1, len(times) // 100))
    return (
        _profile(traces, trees, "typical calls", typical, [], function),
        _profile(traces, trees, "slow calls", slow, [], function),
    )


def _trees(traces: Traces, function: str, which: Selection) -> Subtrees:
    calls = traces.calls
    chosen = chosen_calls(traces, function, which)
    return choose(calls, nest(calls, traces.layers), elsewhere.find(calls), traces.layers, chosen)


def _profile(
    traces: Traces, trees: Subtrees | None, name: str, members: Column, added: Sequence[addedup.Row], function: str
) -> Profile:
    """Sums of the chosen calls of trees, and of what was added up."""
    calls = traces.calls
    rows = trees.rows[members] if trees else np.zeros(0, np.int64)
    begins = calls.ts[rows]
    moments = np.concatenate([begins, np.array([row.start_us for row in added], np.int64)])
    first = int(moments.min()) if len(moments) else 0
    width = (int(moments.max()) - first) // chance.SLICES + 1 if len(moments) else 1
    weights = np.bincount((begins - first) // width, minlength=chance.SLICES).astype(np.int64)
    for row in added:
        weights[(row.start_us - first) // width] += row.calls
    used = np.flatnonzero(weights)
    divisor = weights[used] if function else np.ones(len(used))
    slice_of = (begins - first) // width
    of_rows = list(_of_rows(added, first, width))
    inside = _sums([*(_of_trees(traces, trees, members, slice_of) if trees else ()), *of_rows])
    alone = _sums([*_of_calls(traces, rows, slice_of), *of_rows])
    total = int(calls.ns[rows].sum()) + sum(row.ns for row in added)
    number = len(rows) + sum(row.calls for row in added)
    return Profile(
        Side(name, number, total, round(total / max(1, number)), len(used)),
        {key: (calls, round(times.sum())) for key, (calls, times) in inside.items()},
        {key: times[used] / divisor for key, (_, times) in inside.items()},
        tuple(sorted({row.function for row in added})),
        {key: (calls, round(times.sum()), times[used] / divisor) for key, (calls, times) in alone.items()},
    )


_Part = tuple[Key, int, Column]
"""Calls, and their time in each slice."""


def _sums(parts: Sequence[_Part]) -> dict[Key, tuple[int, Column]]:
    found: dict[Key, tuple[int, Column]] = {}
    for key, number, times in parts:
        before = found.get(key, (0, np.zeros(chance.SLICES)))
        found[key] = before[0] + number, before[1] + times
    return found


def _of_calls(traces: Traces, rows: Column, slice_of: Column) -> Iterator[_Part]:
    calls = traces.calls
    functions = calls.function[rows]
    for number in present(functions).tolist():
        one, mine = calls.functions[number], functions == number
        times = np.bincount(slice_of[mine], weights=calls.ns[rows[mine]], minlength=chance.SLICES)
        yield (traces.layers[number], one.category, one.name, False), int(mine.sum()), times


def _of_trees(traces: Traces, trees: Subtrees, members: Column, slice_of_member: Column) -> Iterator[_Part]:
    calls, tree = traces.calls, trees.tree
    slice_of = np.zeros(len(trees.rows), np.int64)
    slice_of[members] = slice_of_member
    inside = members[trees.owner]
    place = trees.place[inside].astype(np.int64)
    key = place * chance.SLICES + slice_of[trees.owner[inside]]
    times = np.bincount(key, weights=trees.exclusive[inside], minlength=tree.size * chance.SLICES)
    times = times.reshape(tree.size, chance.SLICES)
    numbers = np.bincount(place, minlength=tree.size)
    for at in range(tree.size):
        if numbers[at]:
            one = calls.functions[tree.function[at]]
            row = (traces.layers[tree.function[at]], one.category, one.name, tree.caused[at])
            yield row, int(numbers[at]), times[at]


def _of_rows(added: Sequence[addedup.Row], first: int, width: int) -> Iterator[_Part]:
    for row in added:
        time = np.zeros(chance.SLICES)
        time[(row.start_us - first) // width] = row.ns
        yield (layer_of(row.category), row.category, row.function, False), row.calls, time


def compare(a: Profile, b: Profile, function: str = "", *, by_duration: bool = False) -> Comparison:
    """What changed from a to b.

    Args:
        a: the one group.
        b: the other.
        function: the function whose calls they are; empty: all calls, compared by their totals.
        by_duration: the groups were chosen by their duration, so nothing can be said about chance.
    """
    if function and (a.whole or b.whole):
        a, b = a.flat, b.flat
    dealt = None if by_duration else chance.deals(a.side.slices, b.side.slices)
    keys = sorted(a.rows.keys() | b.rows.keys())
    values = [None if dealt is None else _p(a, b, key, dealt) for key in keys]
    delta = (b.side.mean_ns - a.side.mean_ns) if function else sum(_delta(a, b, key, 1, 1) for key in keys)
    changes = [
        _change(a, b, key, p, function) for key, p in zip(keys, chance.holm(values), strict=True)
    ]  # the contributions need the sum of all
    whole = sum(row.delta_ns for row in changes)
    changes = [_with_contribution(row, whole) for row in changes]
    changes.sort(key=lambda row: (-abs(row.delta_ns), row.function))
    sentences = (*_sentences(a, b, function, delta, changes, by_duration), *_on_whole(a, b, function))
    return Comparison(a.side, b.side, function, delta, sentences, tuple(changes))


def _on_whole(a: Profile, b: Profile, function: str) -> Iterator[str]:
    """Where times are not exclusive ones, since calls were only added up."""
    names = sorted({*a.whole, *b.whole})
    if not names:
        return
    sides = " and ".join(one.side.name for one in (a, b) if one.whole)
    if function:
        yield f"In {sides} calls of {function} were only added up (mode: profile): only whole durations are compared."
    else:
        few = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        yield (
            f"In {sides} calls of {few} were only added up (mode: profile): their times are whole durations, from which"
            " that of calls inside them is not taken off."
        )


def _delta(a: Profile, b: Profile, key: Key, of_a: int, of_b: int) -> int:
    return round(b.rows.get(key, (0, 0))[1] / of_b - a.rows.get(key, (0, 0))[1] / of_a)


def _p(a: Profile, b: Profile, key: Key, dealt: Column) -> float:
    one = a.slices.get(key, np.zeros(a.side.slices))
    other = b.slices.get(key, np.zeros(b.side.slices))
    return chance.p_value(one, other, dealt)


def _change(a: Profile, b: Profile, key: Key, p: float | None, function: str) -> Change:
    of_a, of_b = (max(1, a.side.calls), max(1, b.side.calls)) if function else (1, 1)
    a_calls, a_ns = a.rows.get(key, (0, 0))
    b_calls, b_ns = b.rows.get(key, (0, 0))
    a_mean, b_mean = a_ns / max(1, a_calls), b_ns / max(1, b_calls)
    delta = _delta(a, b, key, of_a, of_b)
    more = round((b_calls / of_b - a_calls / of_a) * (a_mean if a_calls else b_mean))
    return Change(
        *key, a_calls / of_a, b_calls / of_b, round(a_ns / of_a), round(b_ns / of_b), delta, 0.0, more, delta - more,
        round(a_mean), round(b_mean), p,
    )  # fmt: skip


def _with_contribution(row: Change, whole: int) -> Change:
    values = {name: getattr(row, name) for name in Change.__slots__}
    return Change(**values | {"contribution": row.delta_ns / whole if whole else 0.0})


def _sentences(
    a: Profile, b: Profile, function: str, delta: int, changes: list[Change], by_duration: bool
) -> tuple[str, ...]:
    what = f"a call of {function} takes" if function else "all calls take"
    before, after = (a.side.mean_ns, b.side.mean_ns) if function else (a.side.total_ns, b.side.total_ns)
    more = "longer" if delta >= 0 else "shorter"
    head = f"In {b.side.name} {what} {duration(abs(delta))} {more} than in {a.side.name}: {duration(after)} instead of "
    head += duration(before)
    if not changes or not delta:
        return (f"{a.side.name} and {b.side.name} take the same time: {duration(before)}.",)
    sign = 1 if delta > 0 else -1
    top = max(changes, key=lambda row: row.delta_ns * sign)
    # The function's own time is what nothing traced explains: a tenth that something does explain goes before it.
    inner = [row for row in changes if row.function != function or row.caused]
    best = max(inner, key=lambda row: row.delta_ns * sign, default=top)
    if best.delta_ns * sign * 10 > abs(delta):
        top = best
    times = f"{_number(top.b_calls)} instead of {_number(top.a_calls)} calls{' in each' if function else ''}"
    if top.a_calls == top.b_calls:
        times = f"{_number(top.b_calls)} {'in each' if function else 'calls'}"
    where = f"{top.function} (layer: {top.layer}{', elsewhere' if top.caused else ''})"
    lines = [f"{head}; {100 * top.contribution:.0f} % of that is {where}: {times}, {_means(top)}."]
    if by_duration:
        lines.append("The groups were chosen by their duration, so how likely chance made them differ is no question.")
    elif top.p is None:
        least = min(a.side.slices, b.side.slices)
        lines.append(f"Whether chance made it cannot be told: there are calls in {least} slices of time, too few.")
    else:
        verdict = "hardly chance" if top.p < 0.01 else "perhaps chance" if top.p < 0.1 else "may well be chance"
        lines.append(
            f"That is {verdict}: p = {top.p:.2g} over {a.side.slices} and {b.side.slices} slices of time,"
            " corrected for the number of rows; it speaks of these two runs, not of others."
        )
    return tuple(lines)


def _number(calls: float) -> str:
    return count(round(calls)) if calls == round(calls) or calls >= 100 else f"{calls:.2f}"


def _means(row: Change) -> str:
    if not row.a_calls:
        return f"{duration(row.b_mean_ns)} each"
    if not row.b_calls:
        return f"{duration(row.a_mean_ns)} each before"
    return f"{duration(row.b_mean_ns)} instead of {duration(row.a_mean_ns)} each"
