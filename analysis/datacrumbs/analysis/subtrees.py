"""Some calls with everything inside them: the material of an explanation and of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from datacrumbs.analysis import caused as elsewhere
from datacrumbs.analysis.caused import Caused
from datacrumbs.analysis.columns import Calls, Column
from datacrumbs.analysis.nest import NO_PARENT, Nest


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree of functions below the chosen one; `parent` is -1 at its root, and always smaller than the child."""

    parent: list[int]
    function: list[int]
    caused: list[bool]
    """The kernel did it elsewhere."""

    @property
    def size(self) -> int:
        """Places."""
        return len(self.parent)

    def again(self, place: int) -> bool:
        """Whether a function above a place is the same, so that its inclusive time holds this one's already."""
        function, above = self.function[place], self.parent[place]
        while above >= 0:
            if self.function[above] == function:
                return True
            above = self.parent[above]
        return False

    def walk(self) -> list[tuple[int, int]]:
        """Places and depths in the order in which a reader goes through the tree."""
        below: dict[int, list[int]] = {}
        for place, parent in enumerate(self.parent):
            below.setdefault(parent, []).append(place)
        rows, todo = [], [(place, 0) for place in reversed(below.get(-1, []))]
        while todo:
            place, depth = todo.pop()
            rows.append((place, depth))
            todo.extend((child, depth + 1) for child in reversed(below.get(place, [])))
        return rows


@dataclass(frozen=True, slots=True)
class Subtrees:
    """Chosen calls and what is inside them. Rows of `owner`, `place`, `exclusive`, `inclusive` and `function` are all
    calls inside the chosen ones, themselves included; what the kernel did elsewhere follows.
    """

    rows: Column
    """The chosen calls, as rows of `Calls`."""
    inner: Column
    """How many calls are inside each."""
    nested: int
    """Calls that would have been chosen, but are inside a chosen one."""
    owner: Column
    """An index into `rows`."""
    place: Column
    """In `tree`."""
    exclusive: Column
    inclusive: Column
    tree: Tree

    def sums(self, members: Column | None = None) -> tuple[Column, Column, Column]:
        """Calls, inclusive and exclusive time at each place of the tree.

        Args:
            members: which of the chosen calls count, a truth value for each; default: all.
        """
        chosen = slice(None) if members is None else members[self.owner]
        place = self.place[chosen]
        return (
            np.bincount(place, minlength=self.tree.size),
            _sum(place, self.inclusive[chosen], self.tree.size),
            _sum(place, self.exclusive[chosen], self.tree.size),
        )

    def owners_with(self, functions: Column) -> Column:
        """Which of the chosen calls have at least one of some functions inside; a truth value for each.

        Args:
            functions: a truth value for each function.
        """
        wanted = functions[np.array(self.tree.function, np.int64)]
        result = np.zeros(len(self.rows), bool)
        result[self.owner[wanted[self.place]]] = True
        return result


def _sum(place: Column, amount: Column, size: int) -> Column:
    """Sums by place. They are exact: double precision holds whole numbers below 2^53, which is 104 days in ns."""
    return np.rint(np.bincount(place, weights=amount, minlength=size)).astype(np.int64)


def choose(calls: Calls, nest: Nest, caused: Caused | None, layers: tuple[str, ...], chosen: Column) -> Subtrees:
    """The outermost of some calls, with all that is inside them.

    Args:
        calls: all calls.
        nest: their nesting.
        caused: what the kernel did elsewhere, if anything.
        layers: the layer of each function.
        chosen: a truth value for each row of `calls`.
    """
    places = np.flatnonzero(chosen[nest.order])
    last = nest.last[places]
    outermost = np.ones(len(places), bool)
    if len(places):
        outermost[1:] = places[1:] >= np.maximum.accumulate(last)[:-1]
    roots = places[outermost]
    lengths = nest.last[roots].astype(np.int64) - roots
    starts = np.cumsum(lengths) - lengths
    owner = np.arange(len(roots), dtype=np.uint32)
    inside = roots
    if int(lengths.sum()) > len(roots):
        inside = np.repeat(roots - starts, lengths) + np.arange(int(lengths.sum()))
        owner = np.repeat(owner, lengths)
    rows = nest.order[inside]
    exclusive = nest.exclusive[inside]
    inclusive = calls.ns[rows]
    tree, place_of = _tree(nest, present(nest.node[inside]), set(present(nest.node[roots]).tolist()))
    place = place_of[nest.node[inside]]
    parts = [(owner, place, exclusive, inclusive)]
    if caused is not None and len(rows):
        parts += _waits(calls, caused, layers, rows, nest.parent[inside], inside, (owner, place, exclusive), tree)
    columns = parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts, strict=True)]
    owner, place, exclusive, inclusive = columns
    return Subtrees(
        rows=nest.order[roots], inner=lengths - 1, nested=len(places) - len(roots), tree=tree, owner=owner, place=place,
        exclusive=exclusive, inclusive=inclusive,
    )  # fmt: skip


def present(numbers: Column) -> Column:
    """The different ones among small numbers, sorted; faster than sorting all of them."""
    return np.flatnonzero(np.bincount(numbers))


def _tree(nest: Nest, used: Column, roots: set[int]) -> tuple[Tree, Column]:
    """The tree below the chosen calls, whatever is above them, and the place of each node in it."""
    tree = Tree([], [], [])
    places: dict[tuple[int, int], int] = {}
    place_of = np.zeros(len(nest.node_parent), np.uint32)
    parents, functions = nest.node_parent[used].tolist(), nest.node_function[used].tolist()
    for node, above, function in zip(used.tolist(), parents, functions, strict=True):
        parent = -1 if node in roots or above == NO_PARENT else int(place_of[above])
        if (parent, function) not in places:
            places[parent, function] = _add(tree, parent, function)
        place_of[node] = places[parent, function]
    return tree, place_of


def _add(tree: Tree, parent: int, function: int, *, caused: bool = False) -> int:
    tree.parent.append(parent)
    tree.function.append(function)
    tree.caused.append(caused)
    return tree.size - 1


def _waits(
    calls: Calls, caused: Caused, layers: tuple[str, ...], rows: Column, parent: Column, inside: Column,
    own: tuple[Column, Column, Column], tree: Tree,
) -> list[tuple[Column, Column, Column, Column]]:  # fmt: skip
    """Moves the part of calls' exclusive time in which something they caused was under way to a place of its own."""
    owner, place, exclusive = own
    parts = []
    above = np.searchsorted(inside, parent)
    has_parent = (above < len(inside)) & (inside[np.minimum(above, len(inside) - 1)] == parent)
    found = elsewhere.under_way(calls, caused, layers, rows)
    for function, share in elsewhere.of_own_time(found, above, has_parent, exclusive):
        some = np.flatnonzero(share)
        at = place[some]
        for below in np.unique(at).tolist():
            members = some[at == below]
            new = np.full(len(members), _add(tree, below, function, caused=True), np.uint32)
            parts.append((owner[members], new, share[members], share[members]))
    return parts
