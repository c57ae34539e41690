"""Sums of whole numbers that are the same however their parts were added up."""

from __future__ import annotations

from typing import Final

import numpy as np
from datacrumbs.analysis.reading.columns import Column

_EXACT: Final = 1 << 53
"""Double precision holds all whole numbers below."""


def exact_sum(numbers: Column) -> int:
    """A sum that cannot run over."""
    return (int((numbers >> 32).sum()) << 32) + int((numbers & 0xFFFFFFFF).sum())


def sums_by(index: Column, amounts: Column, size: int) -> Column:
    """The sum of the amounts (none is negative) at each index below `size`.

    Sums beyond 2^63, which is 292 years in nanoseconds, are nonsense, but always the same.
    """
    if not len(amounts) or int(amounts.max()) < _EXACT // len(amounts):
        return np.bincount(index, weights=amounts, minlength=size).astype(np.int64)
    sums = np.zeros(size, np.int64)
    np.add.at(sums, index, amounts)
    return sums
