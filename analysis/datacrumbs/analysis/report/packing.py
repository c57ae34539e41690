"""Long columns of whole numbers as short text: seven bits a byte, the lowest first, in base64 (LEB128).

web/unpack.js reads them. Most numbers of a report are small or differ little from the one before, so that this takes a
third of what decimal digits take, and the browser needs nothing but a loop to read it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

import numpy as np
from datacrumbs.analysis.reading.columns import Column


def pack(numbers: Iterable[int] | Column) -> str:
    """A column of numbers from 0 to 2^53."""
    column = numbers if isinstance(numbers, np.ndarray) else np.fromiter(numbers, np.uint64)
    return _pack(column.astype(np.uint64))


def pack_sorted(numbers: Iterable[int] | Column) -> str:
    """A column of numbers that never fall, as the steps between them."""
    column = numbers if isinstance(numbers, np.ndarray) else np.fromiter(numbers, np.int64)
    return pack(np.diff(column, prepend=0))


def pack_signed(numbers: Iterable[int] | Column) -> str:
    """A column of numbers of either sign: 0, -1, 1, -2, … become 0, 1, 2, 3, …"""
    column = (numbers if isinstance(numbers, np.ndarray) else np.fromiter(numbers, np.int64)).astype(np.int64)
    return _pack((column.view(np.uint64) << np.uint64(1)) ^ (column >> np.int64(63)).view(np.uint64))


def _pack(column: Column) -> str:
    lengths = np.ones(len(column), np.int64)
    rest = column >> np.uint64(7)
    while rest.any():
        lengths += rest > 0
        rest = rest >> np.uint64(7)
    ends = np.cumsum(lengths)
    out = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    for place in range(int(lengths.max(initial=0))):
        some = np.flatnonzero(lengths > place)
        more = np.where(lengths[some] > place + 1, 128, 0).astype(np.uint8)
        bits = ((column[some] >> np.uint64(7 * place)) & np.uint64(127)).astype(np.uint8)
        out[ends[some] - lengths[some] + place] = bits | more
    return base64.b64encode(out.tobytes()).decode("ascii")
