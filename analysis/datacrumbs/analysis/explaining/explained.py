"""What some calls of a function contribute to its explanation; contributions add up.

Whatever the calls were divided into, the sum is the same: all numbers are whole, functions, files and threads go by
their names, and which calls are typical or slow was decided before (ranks.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis.explaining import afterwards, paths
from datacrumbs.analysis.explaining.partition import Chosen, Partition, some_at_a_time
from datacrumbs.analysis.explaining.paths import GROUPS, KINDS, Paths, Place
from datacrumbs.analysis.explaining.ranks import Members, Ranks, members
from datacrumbs.analysis.explaining.subtrees import Subtrees, Tree, subtrees, tree_of
from datacrumbs.analysis.explaining.sums import exact_sum, sums_by
from datacrumbs.analysis.reading.columns import NULL, Column, Thread
from datacrumbs.analysis.reading.spans import spans

_CODES: Final = 4
"""Calls that are neither typical nor slow, typical, slow, both."""


class Total(NamedTuple):
    """Some calls; the shortest of none is longer than any."""

    calls: int = 0
    ns: int = 0
    min_ns: int = 1 << 63
    max_ns: int = 0


class Hits(NamedTuple):
    """Calls with something; `known`: a probe could have shown it."""

    known: bool
    calls: int
    ns: int


class Single(NamedTuple):
    """A call that is shown by itself; numbers that it does not have are None."""

    thread: Thread
    place: int
    """Its order among the calls of the thread."""
    begin_ns: int
    ns: int
    file: str
    """As in columns.Calls."""
    numbers: tuple[int | None, ...]
    """Offset, what was asked for, and what it returned."""
    layers: Mapping[str, int]
    """Exclusive time by layer."""


@dataclass(frozen=True, slots=True)
class Explained:
    """All of it."""

    paths: Paths
    groups: tuple[Total, ...]
    """All calls, typical ones, slow ones."""
    hits: tuple[Hits, ...]
    """Calls without any other inside, with a page-cache miss, with a request at the device."""
    threads: frozenset[Thread]
    files: frozenset[str]
    bytes: int
    """That they returned."""
    afterwards: Mapping[afterwards.Consequence, afterwards.Sums]
    listed: tuple[Single, ...]


def merge(parts: Sequence[Explained]) -> Explained:
    """All contributions as one."""
    later: dict[afterwards.Consequence, afterwards.Sums] = {}
    for part in parts:
        for key, sums in part.afterwards.items():
            later[key] = tuple(map(sum, zip(sums, later.get(key, (0, 0, 0)), strict=True)))  # type: ignore[assignment]
    return Explained(
        paths.merge([part.paths for part in parts]),
        tuple(map(_merged_totals, zip(*(part.groups for part in parts), strict=True))),
        tuple(map(_merged_hits, zip(*(part.hits for part in parts), strict=True))),
        frozenset().union(*(part.threads for part in parts)),
        frozenset().union(*(part.files for part in parts)),
        sum(part.bytes for part in parts), later,
        tuple(single for part in parts for single in part.listed),
    )  # fmt: skip


def _merged_totals(parts: Sequence[Total]) -> Total:
    calls, ns, least, most = zip(*parts, strict=True)
    return Total(sum(calls), sum(ns), min(least), max(most))


def _merged_hits(parts: Sequence[Hits]) -> Hits:
    known, calls, ns = zip(*parts, strict=True)
    return Hits(any(known), sum(calls), sum(ns))


def explained(partition: Partition, chosen: Chosen, ranks: Ranks) -> Explained:
    """What calls of a partition contribute.

    Args:
        partition: all calls.
        chosen: those that are explained.
        ranks: which of them are typical, slow, or shown one by one.
    """
    asked = _Asked.of(partition, chosen, ranks)
    return merge([asked.rest(chosen), *map(asked.some, some_at_a_time(partition, chosen))])


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked about each of the calls."""

    partition: Partition
    tree: Tree
    groups: tuple[Members, ...]
    """Typical and slow calls, and those that are shown one by one."""
    misses: Column
    """For each function whether it shows a page-cache miss."""
    requests: Column
    """For each function whether it is at the block device."""

    @staticmethod
    def of(partition: Partition, chosen: Chosen, ranks: Ranks) -> _Asked:
        groups = tuple(members(partition, chosen, group) for group in (ranks.typical, ranks.slow, ranks.listed))
        misses = [one.name in layers.MISSES for one in partition.calls.functions]
        requests = [layer == layers.BLOCK_DEVICE for layer in partition.layers]
        return _Asked(partition, tree_of(partition, chosen), groups, np.array(misses, bool), np.array(requests, bool))

    def some(self, roots: Column) -> Explained:
        """What some of the calls contribute."""
        calls, inside = self.partition.calls, subtrees(self.partition, roots)
        times, rows = inside.times, inside.rows[inside.firsts]
        typical, slow, listed = (is_member(roots, times) for is_member in self.groups)
        thread, moved = calls.thread[rows], calls.ret[rows]
        return Explained(
            self._paths(inside, (typical + slow.astype(np.uint8) * 2)[inside.owner]),
            (_total(times), _total(times[typical]), _total(times[slow])),
            tuple(
                Hits(False, int(hit.sum()), exact_sum(times[hit]))
                for hit in (inside.inner == 0, self._with(inside, self.misses), self._with(inside, self.requests))
            ),
            frozenset(calls.threads[number] for number in thread[np.flatnonzero(np.diff(thread, prepend=-1))]),
            frozenset(calls.files[number] for number in np.unique(calls.file[rows]) if number),
            exact_sum(moved[moved > 0]), {}, tuple(self._singles(roots[listed])),
        )  # fmt: skip

    def rest(self, chosen: Chosen) -> Explained:
        """What is known of the calls as a whole."""
        calls, caused = self.partition.calls, self.partition.caused
        later = {}
        if caused is not None:
            later = afterwards.consequences(calls, caused, self.partition.nest.order[chosen.roots])
        known = True, bool(self.misses.any()), bool(self.requests.any())
        return Explained(
            Paths((), (), np.zeros((0, KINDS, GROUPS), np.int64)), (Total(),) * GROUPS,
            tuple(Hits(one, 0, 0) for one in known), frozenset(), frozenset(), 0, later, (),
        )  # fmt: skip

    def _with(self, inside: Subtrees, functions: Column) -> Column:
        """Which of the chosen calls have at least one of some functions inside."""
        found = np.zeros(len(inside.roots), bool)
        found[inside.owner[functions[self.partition.nest.node_function][inside.node]]] = True
        for wait in inside.waits:
            if functions[wait.function]:
                found[inside.owner[wait.index]] = True
        return found

    def _paths(self, inside: Subtrees, code: Column) -> Paths:
        """Sums at each place of the tree; `code` is 1 for what is inside typical calls, 2 slow ones, 3 both."""
        functions, tree = self.partition.calls.functions, self.tree
        at = self.tree.places(inside).astype(np.int64) * _CODES + code
        sums = _sums(at, inside.inclusive, inside.exclusive, len(tree.parent))
        used = np.flatnonzero(sums[:, 0, 0])
        number = {place: new for new, place in enumerate(used.tolist())}
        parents = [number.get(tree.parent[place], -1) for place in number]
        places = [Place(functions[tree.function[place]], False) for place in number]
        found = [sums[used]]
        for wait in inside.waits:
            sums = _sums(at[wait.index], wait.ns, wait.ns, len(tree.parent))
            used = np.flatnonzero(sums[:, 0, 0])
            parents += [number[place] for place in used.tolist()]
            places += [Place(functions[wait.function], True)] * len(used)
            found.append(sums[used])
        return Paths(tuple(parents), tuple(places), np.concatenate(found))

    def _singles(self, roots: Column) -> Iterator[Single]:
        calls, nest = self.partition.calls, self.partition.nest
        inside = subtrees(self.partition, roots)
        rank = np.array([layers.rank(layer) for layer in self.partition.layers] or [0])
        size = len(layers.LAYERS)
        sums = sums_by(
            inside.owner * size + rank[nest.node_function[inside.node]], inside.exclusive, len(roots) * size
        ).reshape(len(roots), size)
        for wait in inside.waits:
            np.add.at(sums[:, rank[wait.function]], inside.owner[wait.index], wait.ns)
        begins = spans(calls, nest.order[roots])[0].tolist()
        for place, begin, times in zip(roots.tolist(), begins, sums.tolist(), strict=True):
            row = int(nest.order[place])
            numbers = (int(column[row]) for column in (calls.offset, calls.count, calls.ret))
            yield Single(
                calls.threads[calls.thread[row]], place, begin, int(calls.ns[row]), calls.files[calls.file[row]],
                tuple(None if number == NULL else number for number in numbers),
                {layer: time for layer, time in zip(layers.LAYERS, times, strict=True) if time},
            )  # fmt: skip


def _total(times: Column) -> Total:
    if not len(times):
        return Total()
    return Total(len(times), exact_sum(times), int(times.min()), int(times.max()))


def _sums(at: Column, inclusive: Column, exclusive: Column, places: int) -> Column:
    """The sums of paths.Paths, by place and code."""
    size = places * _CODES
    kinds = np.bincount(at, minlength=size), sums_by(at, inclusive, size), sums_by(at, exclusive, size)
    codes = np.stack(kinds).reshape(KINDS, places, _CODES).transpose(1, 0, 2)
    return np.stack([codes.sum(axis=2), codes[:, :, 1] + codes[:, :, 3], codes[:, :, 2] + codes[:, :, 3]], axis=2)
