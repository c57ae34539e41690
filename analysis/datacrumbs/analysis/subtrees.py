"""Some calls with everything inside them: the material of an explanation and of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from datacrumbs.analysis.caused import under_way
from datacrumbs.analysis.columns import Column, chunks
from datacrumbs.analysis.nest import NO_PARENT
from datacrumbs.analysis.partition import AT_ONCE, Chosen, Partition


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
    """What is inside some calls, none of which is inside another one.

    Args:
        partition: all calls.
        roots: places in the sweep, ascending.
    """
    nest = partition.nest
    lengths = nest.last[roots].astype(np.int64) - roots
    firsts = np.cumsum(lengths) - lengths
    number = int(lengths.sum())
    owner, inside = np.arange(len(roots)), roots
    shift: Column = roots - firsts
    if number > len(roots):
        owner = np.repeat(owner, lengths)
        shift = shift[owner]
        inside = shift + np.arange(number)
    rows = nest.order[inside]
    exclusive = nest.exclusive[inside]
    waits: tuple[Wait, ...] = ()
    if partition.caused is not None:
        above = nest.parent[inside] - shift
        above[firsts] = -1  # whatever a chosen call is inside of is not asked about
        waits = _waits(partition, rows, above, exclusive)
    return Subtrees(roots, firsts, owner, rows, nest.node[inside], exclusive, partition.calls.ns[rows], waits)


def _waits(partition: Partition, rows: Column, above: Column, exclusive: Column) -> tuple[Wait, ...]:
    """Takes off calls' exclusive time the part in which something they caused was under way."""
    assert partition.caused is not None
    waits = []
    has_parent = np.flatnonzero(above >= 0)
    for function, inclusive in under_way(partition.calls, partition.caused, rows).items():
        share = inclusive.copy()
        np.subtract.at(share, above[has_parent], inclusive[has_parent])
        share = np.clip(share, 0, exclusive)
        some = np.flatnonzero(share)
        exclusive -= share
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
    for part in chunks(len(chosen.roots), AT_ONCE):
        is_root[nest.node[chosen.roots[part]]] = True
    roots = set(np.flatnonzero(is_root).tolist())
    parents, functions = nest.node_parent.tolist(), nest.node_function.tolist()
    depths: list[int] = []
    for node, above in enumerate(parents):
        depths.append((node in roots) + (0 if above == NO_PARENT else depths[above]))
    of_root = {node: depths[node] - 1 for node in roots}
    places = [np.zeros(len(parents), np.uint32) for _ in range(max(of_root.values(), default=0) + 1)]
    known: dict[tuple[int, int], int] = {}
    for number, place_of in enumerate(places):
        for node, (above, function, depth) in enumerate(zip(parents, functions, depths, strict=True)):
            if depth > number:
                parent = -1 if of_root.get(node) == number else int(place_of[above])
                place_of[node] = known.setdefault((parent, function), len(known))
    pairs = tuple(known)
    return Tree(tuple(one for one, _ in pairs), tuple(one for _, one in pairs), of_root, tuple(places))
