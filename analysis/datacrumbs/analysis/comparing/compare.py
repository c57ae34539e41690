"""Compares two traces, or the typical and the slow calls of a function."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from datacrumbs.analysis.comparing import chance
from datacrumbs.analysis.comparing.comparison import Change, Comparison
from datacrumbs.analysis.comparing.sides import Profile
from datacrumbs.analysis.comparing.slices import Key
from datacrumbs.analysis.reading.columns import Column
from datacrumbs.analysis.units import count, duration


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
    more = "longer" if delta >= 0 else "less"
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
        verdict = "is hardly chance" if top.p < 0.01 else "is perhaps chance" if top.p < 0.1 else "may well be chance"
        lines.append(
            f"That {verdict}: p = {top.p:.2g} over {a.side.slices} and {b.side.slices} slices of time,"
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
