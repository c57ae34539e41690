"""How often chance alone makes two groups differ as much as they do. Pure.

Calls of one run are not independent of each other: what slows one down slows its neighbours down. So the figure does
not come from thousands of calls but from few slices of time: each group's time is cut into equal slices, and the slices
are dealt anew to the two groups (a permutation test; Good, Permutation, Parametric, and Bootstrap Tests of Hypotheses,
3rd edition, section 3.2). Below `FEWEST` slices in a group nothing can be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb
from typing import Final

import numpy as np
from datacrumbs.analysis.reading.columns import Column

SLICES: Final = 20
FEWEST: Final = 5
_MOST_DEALS: Final = 5000


def deals(a: int, b: int) -> Column | None:
    """Ways to deal slices to two groups of these sizes: a row of 0 and 1 for each, the first as they are.

    All ways where they are few, else 5,000 drawn by lot (the same each time). None where there are too few slices.
    """
    if min(a, b) < FEWEST:
        return None
    rows = np.zeros((min(comb(a + b, a), _MOST_DEALS), a + b), np.float64)
    if comb(a + b, a) <= _MOST_DEALS:
        for row, chosen in zip(rows, combinations(range(a + b), a), strict=True):
            row[list(chosen)] = 1
        return rows
    lot = np.random.default_rng(1)
    rows[0, :a] = 1
    for row in rows[1:]:
        row[lot.permutation(a + b)[:a]] = 1
    return rows


def p_value(a: Column, b: Column, dealt: Column) -> float:
    """How often dealt slices differ in their means at least as much as they do.

    Args:
        a: a figure for each slice of the first group, such as time per call of the slice.
        b: the same of the second.
        dealt: what `deals` gives for their sizes.
    """
    values = np.concatenate([a, b])
    in_a = dealt @ values
    means = in_a / len(a) - (values.sum() - in_a) / len(b)
    least = abs(means[0]) * (1 - 1e-9)
    return float(np.mean(np.abs(means) >= least))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Corrects for having looked many times (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    known = sorted((value, place) for place, value in enumerate(values) if value is not None)
    result: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (value, place) in enumerate(known):
        largest = max(largest, min(1.0, value * (len(known) - rank)))
        result[place] = largest
    return result
