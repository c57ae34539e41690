"""The tree of what is inside the calls of a function, with sums at each place; trees of parts of the calls add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from datacrumbs.analysis.reading.columns import Column, Function

KINDS: Final = 3
"""Sums at a place: calls, inclusive and exclusive time."""
GROUPS: Final = 3
"""Of all calls, of typical and of slow ones."""


class Place(NamedTuple):
    """A function in the tree; `caused`: the kernel did it elsewhere."""

    function: Function
    caused: bool


@dataclass(frozen=True, slots=True)
class Paths:
    """Places, each behind the one that it is in. No two in the same one are alike."""

    parent: tuple[int, ...]
    """-1: it is in none."""
    places: tuple[Place, ...]
    sums: Column
    """place, kind, group"""

    def ordered(self) -> list[tuple[int, int]]:
        """Places and depths in the order of a walk through the tree: what took more time goes before its neighbours."""
        below: dict[int, list[int]] = {}
        for place, parent in enumerate(self.parent):
            below.setdefault(parent, []).append(place)
        times = self.sums[:, 1, 0].tolist()
        for children in below.values():
            children.sort(key=lambda place: (-times[place], self.places[place]), reverse=True)
        rows, todo = [], [(place, 0) for place in below.get(-1, [])]
        while todo:
            place, depth = todo.pop()
            rows.append((place, depth))
            todo.extend((child, depth + 1) for child in below.get(place, []))
        return rows

    def again(self, place: int) -> bool:
        """Whether a function above a place is the same, so that its inclusive time holds this one's already."""
        function, above = self.places[place].function, self.parent[place]
        while above >= 0:
            if self.places[above].function == function:
                return True
            above = self.parent[above]
        return False


def merge(parts: Sequence[Paths]) -> Paths:
    """The tree of all parts."""
    known: dict[tuple[int, Place], int] = {}
    numbers = []
    for one in parts:
        number: list[int] = []
        for parent, place in zip(one.parent, one.places, strict=True):
            key = number[parent] if parent >= 0 else -1, place
            number.append(known.setdefault(key, len(known)))
        numbers.append(number)
    sums = np.zeros((len(known), KINDS, GROUPS), np.int64)
    for one, number in zip(parts, numbers, strict=True):
        sums[number] += one.sums
    return Paths(tuple(parent for parent, _ in known), tuple(place for _, place in known), sums)
