"""Sums of rows that have a number in common: they are exact, and may be beyond 64 bits."""

from __future__ import annotations

import numpy as np
from datacrumbs.analysis.reading.columns import Column


class Groups:
    """Rows by a number that each of them has. All answers are in the order of `numbers`.

    Args:
        of_rows: for each row the number, from 0 on and not much above how many of them there are.
    """

    def __init__(self, of_rows: Column) -> None:
        self._of_rows = of_rows.astype(np.intp)
        self._size = int(self._of_rows.max(initial=-1)) + 1
        self._used = np.flatnonzero(np.bincount(self._of_rows, minlength=self._size))
        self.numbers: list[int] = self._used.tolist()
        """Those that any row has."""

    def sums(self, amounts: Column) -> list[int]:
        """Sums that stay within 64 bits."""
        sums = np.zeros(self._size, np.int64)
        np.add.at(sums, self._of_rows, amounts)
        return sums[self._used].tolist()  # type: ignore[no-any-return]

    def wide_sums(self, high: Column, low: Column) -> list[int]:
        """Sums of amounts whose upper and lower 32 bits are in two columns."""
        return joined(self.sums(high), self.sums(low))

    def most(self, amounts: Column) -> list[int]:
        """The largest of amounts that are not below 0."""
        most = np.zeros(self._size, np.int64)
        np.maximum.at(most, self._of_rows, amounts)
        return most[self._used].tolist()  # type: ignore[no-any-return]

    def kinds(self, others: Column) -> list[int]:
        """How many different other numbers, from 0 on, the rows have."""
        size = int(others.max(initial=0)) + 1
        pairs = np.sort(self._of_rows * size + others)
        different = pairs[np.diff(pairs, prepend=-1) > 0]  # np.unique would import numpy.ma, which takes longer
        return np.bincount(different // size, minlength=self._size)[self._used].tolist()  # type: ignore[no-any-return]


def joined(high: list[int], low: list[int]) -> list[int]:
    """Numbers from their upper and lower 32 bits, or from sums of these."""
    return [(one << 32) + other for one, other in zip(high, low, strict=True)]
