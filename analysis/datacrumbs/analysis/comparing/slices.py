"""What calls took in each slice of their group's time, function by function; answers of several partitions add up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datacrumbs.analysis.comparing.chance import SLICES
from datacrumbs.analysis.explaining.partition import Chosen, Partition, pieces, some_at_a_time
from datacrumbs.analysis.explaining.ranks import Between, Slowest, durations, members
from datacrumbs.analysis.explaining.subtrees import Wait, subtrees
from datacrumbs.analysis.explaining.sums import sums_by
from datacrumbs.analysis.reading.columns import Column

Key = tuple[str, str, str, bool]
"""Layer, category, function, and whether the kernel did it elsewhere."""
Group = Between | Slowest | None
"""Which of the chosen calls are in a group; None: all."""
Sums = dict[Key, tuple[int, list[int]]]
"""Calls, and their time in each slice: whole nanoseconds, however many."""


@dataclass(frozen=True, slots=True)
class Slices:
    """Equal parts of a group's time."""

    first_us: int
    width_us: int

    def of(self, moments: Any) -> Any:
        """The slice of a moment, or of each of a column."""
        return (moments - self.first_us) // self.width_us


@dataclass(frozen=True, slots=True)
class Sliced:
    """What slices hold."""

    calls: list[int]
    """Outermost ones in each slice."""
    inside: Sums
    """Exclusive times of them and all that is inside."""
    alone: Sums
    """Their durations."""


def span(partition: Partition, chosen: Chosen, group: Group) -> tuple[int, int] | None:
    """When the first and the last of the calls begin, in microseconds since 1970; None: there is none."""
    calls, order, of_group = partition.calls, partition.nest.order, _of_group(partition, chosen, group)
    begins = (calls.ts[order[of_group(roots)]] for roots in pieces(partition, chosen.roots))
    found = [(int(some.min()), int(some.max())) for some in begins if len(some)]
    return (min(one for one, _ in found), max(one for _, one in found)) if found else None


def sliced(partition: Partition, chosen: Chosen, group: Group, slices: Slices) -> Sliced:
    """What the calls of a group, and those inside them, took."""
    of_group = _of_group(partition, chosen, group)

    def look(roots: Column) -> Sliced:
        inside = subtrees(partition, of_group(roots))
        at = slices.of(partition.calls.ts[inside.rows[inside.firsts]])
        functions = partition.nest.node_function[inside.node]
        return Sliced(
            np.bincount(at, minlength=SLICES).tolist(),
            merged([
                _by_function(partition, functions, at[inside.owner], inside.exclusive),
                *(_elsewhere(partition, wait, at[inside.owner[wait.index]]) for wait in inside.waits),
            ]),
            _by_function(partition, functions[inside.firsts], at, inside.times),
        )  # fmt: skip

    parts = [*map(look, some_at_a_time(partition, chosen))]
    calls = [sum(column) for column in zip([0] * SLICES, *(part.calls for part in parts), strict=True)]
    return Sliced(calls, merged([part.inside for part in parts]), merged([part.alone for part in parts]))


def merged(parts: Sequence[Sums]) -> Sums:
    """All of them as one."""
    found: Sums = {}
    for part in parts:
        for key, (number, times) in part.items():
            before, sofar = found.get(key, (0, [0] * SLICES))
            found[key] = before + number, [one + more for one, more in zip(sofar, times, strict=True)]
    return found


def _of_group(partition: Partition, chosen: Chosen, group: Group) -> Callable[[Column], Column]:
    """Those of some of the chosen calls that are in the group."""
    if group is None:
        return lambda roots: roots
    is_member = members(partition, chosen, group)
    return lambda roots: roots[is_member(roots, durations(partition, roots))]


def _by_function(partition: Partition, functions: Column, at: Column, times: Column) -> Sums:
    number = len(partition.calls.functions)
    calls = np.bincount(functions, minlength=number)
    sums = sums_by(functions.astype(np.int64) * SLICES + at, times, number * SLICES).reshape(number, SLICES)
    return {
        _key(partition, one, caused=False): (int(calls[one]), sums[one].tolist())
        for one in np.flatnonzero(calls).tolist()
    }


def _elsewhere(partition: Partition, wait: Wait, at: Column) -> Sums:
    return {_key(partition, wait.function, caused=True): (len(at), sums_by(at, wait.ns, SLICES).tolist())}


def _key(partition: Partition, function: int, *, caused: bool) -> Key:
    one = partition.calls.functions[function]
    return partition.layers[function], one.category, one.name, caused
