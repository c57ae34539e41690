"""Calls of whole processes: what a question about single calls can be asked of by itself.

Nesting joins calls of one thread; what the kernel did elsewhere, and what it did afterwards, is joined with calls of
the same process (caused.py, afterwards.py). Which process a call is of is told by its host and process id, and, where
an id was used again, by what the same host says of lives and ends (lifetimes.py). So all calls of a host are such a
set. Answers about several sets add up to the answer about all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis.explaining import caused
from datacrumbs.analysis.explaining.caused import Caused
from datacrumbs.analysis.explaining.nest import Nest, nest
from datacrumbs.analysis.explaining.selection import Choice
from datacrumbs.analysis.reading.columns import Calls, Column, chunks

AT_ONCE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Partition:
    """The calls with their nesting."""

    calls: Calls
    layers: tuple[str, ...]
    """The layer of each function."""
    nest: Nest
    caused: Caused | None
    at_once: int
    """Calls that are looked at in one go: what is reckoned over them is as long as they are. Two threads that look at
    calls side by side were no faster (10 million calls on 2 processors), and took more of both."""

    @staticmethod
    def of(calls: Calls, *, nested: Nest | None = None, at_once: int = AT_ONCE) -> Partition:
        """Sweeps over the calls, unless their nesting is known.

        Raises:
            BusyError: memory is short.
        """
        of_functions = tuple(layers.layer_of(function.category) for function in calls.functions)
        spans = caused.find(calls, of_functions)
        return Partition(calls, of_functions, nested or nest(calls, of_functions), spans, at_once)

    def __reduce__(self) -> tuple[Any, ...]:
        """Where it goes, the sweep is made anew: that is faster than to send it."""
        return Partition.of, (self.calls,)

    def __sizeof__(self) -> int:
        """Bytes: Dask does not move what is large."""
        columns = [*self.calls.columns.values(), self.nest.order, self.nest.parent, self.nest.last, self.nest.node]
        return sum(column.nbytes for column in columns) + self.nest.exclusive.nbytes


@dataclass(frozen=True, slots=True)
class Chosen:
    """The outermost of the calls that a question is about."""

    roots: Column
    """Places in the sweep (nest.py), ascending."""
    nested: int
    """Calls that would have been chosen, but are inside a chosen one."""

    def __sizeof__(self) -> int:
        """Bytes."""
        return self.roots.nbytes


def choose(partition: Partition, choice: Choice) -> Chosen:
    """The outermost of some calls."""
    is_chosen, nested = choice.of(partition.calls), partition.nest
    roots, number, until = [np.empty(0, np.uint32)], 0, 0
    for part in chunks(len(nested.order), partition.at_once):
        places = np.flatnonzero(is_chosen(nested.order[part])).astype(np.uint32) + np.uint32(part.start)
        if not len(places):
            continue
        ends = np.maximum.accumulate(np.maximum(nested.last[places], until))
        roots.append(places[places >= np.concatenate([[until], ends[:-1]])])
        number, until = number + len(places), int(ends[-1])
    found = np.concatenate(roots)
    return Chosen(found, number - len(found))


def pieces(partition: Partition, places: Column) -> Iterator[Column]:
    """Places in the sweep, as many at a time as are looked at in one go."""
    return (places[part] for part in chunks(len(places), partition.at_once))


def some_at_a_time(partition: Partition, chosen: Chosen) -> Iterator[Column]:
    """The chosen calls in parts that hold at most `at_once` calls, unless a single one holds more."""
    for roots in pieces(partition, chosen.roots):
        ends = np.cumsum(partition.nest.last[roots] - roots, dtype=np.int64)
        begin = 0
        while begin < len(roots):
            before = int(ends[begin - 1]) if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, before + partition.at_once, side="right")))
            yield roots[begin:end]
            begin = end
