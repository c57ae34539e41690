"""The two groups of a comparison: what their calls took, function by function and slice by slice of their time.

The first question to every partition (parted.py) is when a group begins and ends, which cuts its time into slices; the
second is what each slice holds (slices.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from datacrumbs.analysis.comparing import chance
from datacrumbs.analysis.comparing.comparison import Side
from datacrumbs.analysis.comparing.slices import Group, Key, Sliced, Slices, Sums, merged, sliced, span
from datacrumbs.analysis.explaining import addedup
from datacrumbs.analysis.explaining.explain import look_at, rank
from datacrumbs.analysis.explaining.parted import Ask, Parted, of_traces
from datacrumbs.analysis.explaining.selection import EVERYTHING, Selection, nothing_chosen, resolve
from datacrumbs.analysis.layers import layer_of
from datacrumbs.analysis.reading.columns import Column
from datacrumbs.analysis.reading.trace import Traces
from datacrumbs.core.errors import NoInputError


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


def profile(traces: Traces | Parted, name: str, function: str = "", which: Selection = EVERYTHING) -> Profile:
    """All calls of opened traces, or those of one function, for a comparison with others.

    Args:
        traces: opened traces.
        name: what the group is called.
        function: only calls of this function.
        which: only these calls.

    Raises:
        NoInputError: there is no such call.
    """
    parted = of_traces(traces) if isinstance(traces, Traces) else traces
    added = addedup.rows(parted, function, which)
    ask: Ask = _nobody
    try:
        ask = parted.choose(resolve(parted, function, which))
    except NoInputError:
        if not added:
            raise
    found = _profile(ask, name, None, added, function)
    if not found.side.calls:
        raise nothing_chosen(function)
    return found


def slow_and_typical(
    traces: Traces | Parted, function: str, which: Selection = EVERYTHING, *, slowest: int = 0
) -> tuple[Profile, Profile]:
    """The typical and the slow calls of a function, as `explain` tells them apart.

    Raises:
        NoInputError: there is no such call, or all of them were only added up.
    """
    parted = of_traces(traces) if isinstance(traces, Traces) else traces
    if addedup.rows(parted, function, which) and not any(one.name == function for one in parted.functions):
        raise NoInputError(
            f"calls of '{function}' were only added up: there are no single ones to tell slow from typical",
            "trace the function (mode: trace), or compare two runs",
        )
    ask, looked = look_at(parted, function, which)
    ranks = rank(ask, looked, parted.names("HH"), slowest)
    return (
        _profile(ask, "typical calls", ranks.typical, [], function),
        _profile(ask, "slow calls", ranks.slow, [], function),
    )


def _nobody(_: object, *__: object) -> list[Any]:
    """Asks where there is no call."""
    return []


def _of_row(row: addedup.Row, slices: Slices) -> Sliced:
    """Calls that were added up: all of them count where the first of them began."""
    at = slices.of(row.start_us)
    calls, times = [0] * chance.SLICES, [0] * chance.SLICES
    calls[at], times[at] = row.calls, row.ns
    sums = {(layer_of(row.category), row.category, row.function, False): (row.calls, times)}
    return Sliced(calls, sums, sums)


def _profile(ask: Ask, name: str, group: Group, added: Sequence[addedup.Row], function: str) -> Profile:
    """Sums of the calls of a group, and of what was added up."""
    times = [*filter(None, ask(span, group)), *((row.start_us, row.start_us) for row in added)]
    first, last = min((one for one, _ in times), default=0), max((one for _, one in times), default=0)
    slices = Slices(first, (last - first) // chance.SLICES + 1)
    parts = [*ask(sliced, group, slices), *(_of_row(row, slices) for row in added)]
    calls = [sum(column) for column in zip([0] * chance.SLICES, *(part.calls for part in parts), strict=True)]
    inside, alone = merged([part.inside for part in parts]), merged([part.alone for part in parts])
    used = np.flatnonzero(calls)
    divisor = np.array(calls, np.float64)[used] if function else np.ones(len(used))

    def figures(sums: Sums) -> dict[Key, tuple[int, int, Column]]:
        return {
            key: (number, sum(row), np.array(row, np.float64)[used] / divisor) for key, (number, row) in sums.items()
        }

    number, total = sum(calls), sum(sum(row) for _, row in alone.values())
    whole = figures(inside)
    return Profile(
        Side(name, number, total, round(total / max(1, number)), len(used)),
        {key: (calls, ns) for key, (calls, ns, _) in whole.items()},
        {key: times for key, (_, _, times) in whole.items()},
        tuple(sorted({row.function for row in added})),
        figures(alone),
    )
