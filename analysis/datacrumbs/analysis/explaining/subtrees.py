"""Some calls with everything inside them: the material of an explanation and of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from datacrumbs.analysis.explaining.caused import Caused, of_own_time, under_way
from datacrumbs.analysis.explaining.nest import NO_PARENT, Nest
from datacrumbs.analysis.explaining.partition import Chosen, Partition, pieces
from datacrumbs.analysis.reading.columns import Column


@dataclass(frozen=True, slots=True)
class Wait:
    """Parts of calls' own time in which something that their thread caused was under way elsewhere."""

    function: int
    index: Column
    """Of the calls."""
    ns: Column


@dataclass(frozen=True, slots=True)
class Subtrees:
    """Chosen calls and what is inside them. Rows of `owner`, `rows`, `node`, `exclusive` and `inclusive` are all calls
    inside the chosen ones, themselves included.
    """

    roots: Column
    """The chosen calls, as places in the sweep."""
    firsts: Column
    """Each of them among all calls."""
    owner: Column
    """For each call, an index into `roots`."""
    rows: Column
    """Rows of `Calls`."""
    node: Column
    """Places in the sweep's tree of paths."""
    exclusive: Column
    """Without the waits."""
    inclusive: Column
    waits: tuple[Wait, ...]

    @property
    def times(self) -> Column:
        """The durations of the chosen calls."""
        return self.inclusive[self.firsts]

    @property
    def inner(self) -> Column:
        """How many calls are inside each chosen one."""
        return np.diff(self.firsts, append=len(self.rows)) - 1


def subtrees(partition: Partition, roots: Column) -> Subtrees:
    """What is inside some calls.

    Args:
        partition: all calls.
        roots: the calls as places in the sweep, ascending.
    """
    nest = partition.nest
    inside, owner, above = _inside(nest, roots)
    rows, exclusive = nest.order[inside], nest.exclusive[inside]
    waits = () if partition.caused is None else _waits(partition, partition.caused, rows, above, exclusive)
    firsts = np.flatnonzero(above < 0)
    return Subtrees(roots, firsts, owner, rows, nest.node[inside], exclusive, partition.calls.ns[rows], waits)


def _inside(nest: Nest, roots: Column) -> tuple[Column, Column, Column]:
    """Places of all calls inside some; for each the index of the chosen one, and that of the call right around it, -1
    for a chosen one.
    """
    lengths = nest.last[roots].astype(np.int64) - roots
    number = int(lengths.sum())
    owner = np.arange(len(roots))
    if number == len(roots):
        return roots, owner, np.full(number, -1)
    owner = np.repeat(owner, lengths)
    firsts = np.cumsum(lengths) - lengths
    shift = (roots - firsts)[owner]
    inside = np.arange(number) + shift
    parent = nest.parent[inside]
    above = parent - shift
    above[firsts] = -1
    # Where calls do not nest, one that is inside of none, or of another, may begin between two that are inside.
    kept = (parent >= roots[owner]) & (parent < inside)
    kept[firsts] = True
    if kept.all():
        return inside, owner, above
    above[~kept] = -1
    while (lost := kept & ~kept[above] & (above >= 0)).any():
        kept[lost] = False
    number_of = np.append(np.cumsum(kept) - 1, -1)
    return inside[kept], owner[kept], number_of[above[kept]]


def _waits(partition: Partition, caused: Caused, rows: Column, above: Column, exclusive: Column) -> tuple[Wait, ...]:
    """Takes off calls' exclusive time the part in which something they caused was under way."""
    waits = []
    found = under_way(partition.calls, caused, rows)
    for function, share in of_own_time(found, above, above >= 0, exclusive):
        some = np.flatnonzero(share)
        waits.append(Wait(function, some, share[some]))
    return tuple(waits)


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree of paths below chosen calls, whatever is above them. `parent` is -1 at its roots, and smaller than the
    child.
    """

    parent: tuple[int, ...]
    function: tuple[int, ...]
    _of_root: dict[int, int]
    """For each node at which a chosen call is: which of `_places` holds for it."""
    _places: tuple[Column, ...]

    def places(self, inside: Subtrees) -> Column:
        """The place in the tree of each call."""
        if len(self._places) == 1:
            return self._places[0][inside.node]
        which = np.zeros(len(self._places[0]), np.uint8 if len(self._places) < 256 else np.uint32)
        which[[*self._of_root]] = [*self._of_root.values()]
        which = which[inside.node[inside.firsts]][inside.owner]
        result = np.zeros(len(inside.node), np.uint32)
        for number, places in enumerate(self._places):
            mine = np.flatnonzero(which == number)
            result[mine] = places[inside.node[mine]]
        return result


def tree_of(partition: Partition, chosen: Chosen) -> Tree:
    """The tree below chosen calls.

    A call may be chosen at a path that in another place is inside of a chosen one (a function that calls itself, on
    different files). So paths of chosen calls are sorted by how many of them are above each, and each of these sets has
    places of its own for what is below it.
    """
    nest = partition.nest
    is_root = np.zeros(len(nest.node_parent), bool)
    for roots in pieces(partition, chosen.roots):
        is_root[nest.node[roots]] = True
    chosen_at = set(np.flatnonzero(is_root).tolist())
    parents, functions = nest.node_parent.tolist(), nest.node_function.tolist()
    depths: list[int] = []
    for node, above in enumerate(parents):
        depths.append((node in chosen_at) + (0 if above == NO_PARENT else depths[above]))
    of_root = {node: depths[node] - 1 for node in chosen_at}
    places = [np.zeros(len(parents), np.uint32) for _ in range(max(of_root.values(), default=0) + 1)]
    known: dict[tuple[int, int], int] = {}
    for number, place_of in enumerate(places):
        for node, (above, function, depth) in enumerate(zip(parents, functions, depths, strict=True)):
            if depth > number:
                parent = -1 if of_root.get(node) == number else int(place_of[above])
                place_of[node] = known.setdefault((parent, function), len(known))
    pairs = tuple(known)
    return Tree(tuple(one for one, _ in pairs), tuple(one for _, one in pairs), of_root, tuple(places))
