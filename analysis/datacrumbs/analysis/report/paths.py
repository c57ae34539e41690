"""The tree of paths through functions: what the icicle is made of.

A node stands for all calls of a function that lie in the same functions. A trace may have very many of them; those with
the most time are kept, and the others count as part of the node around them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from datacrumbs.analysis.explaining.nest import NO_PARENT, Nest
from datacrumbs.analysis.reading.columns import Column, chunks
from datacrumbs.analysis.reading.trace import Traces

MOST: Final = 300
"""Nodes that are kept."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes, each behind the node around it. `parent` is -1 at a root; `function` a row of `Calls.functions`, -1 at a
    root that stands for several with little time.
    """

    parent: tuple[int, ...]
    function: tuple[int, ...]


def find(traces: Traces, found: Nest) -> tuple[Tree, Column, Column]:
    """The tree; and for each row of `traces.calls`, its node, and the nanoseconds that no call inside it explains."""
    calls = traces.calls
    parents = np.where(found.node_parent == NO_PARENT, -1, found.node_parent.astype(np.int64))
    tree, place_of = _keep(parents.tolist(), found.node_function.tolist(), _times(found.node, found.exclusive, parents))
    places = np.array(place_of, np.uint16)
    node, own = calls.room.empty(len(calls), np.uint16), calls.room.empty(len(calls), np.int64)
    for some in chunks(len(calls)):
        rows = found.order[some]
        node[rows] = places[found.node[some]]
        own[rows] = found.exclusive[some]
    return tree, node, own


def _times(node: Column, exclusive: Column, parents: Column) -> list[float]:
    """The time of each node with all nodes inside it. A node comes behind the one around it."""
    sums = np.zeros(len(parents))
    for some in chunks(len(node)):
        np.add.at(sums, node[some], exclusive[some])
    times = sums.tolist()
    for place in range(len(times) - 1, -1, -1):
        if parents[place] >= 0:
            times[int(parents[place])] += times[place]
    return times


def _keep(parents: list[int], functions: list[int], times: list[float]) -> tuple[Tree, list[int]]:
    """The nodes with the most time, those around them included; and for each node, the place of what stands for it."""
    best = set(sorted(range(len(times)), key=lambda place: -times[place])[:MOST])
    for place in list(best):
        while parents[place] >= 0 and parents[place] not in best:
            place = parents[place]
            best.add(place)
    parent: list[int] = []
    function: list[int] = []
    place_of: list[int] = []
    others = -1
    for place, above in enumerate(parents):
        around = place_of[above] if above >= 0 else -1
        if place not in best and above >= 0:
            place_of.append(around)
            continue
        if place not in best:
            if others < 0:
                others = len(parent)
                parent.append(-1)
                function.append(-1)
            place_of.append(others)
            continue
        place_of.append(len(parent))
        parent.append(around)
        function.append(functions[place])
    return Tree(tuple(parent), tuple(function)), place_of
