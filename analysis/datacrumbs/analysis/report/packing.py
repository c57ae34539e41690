"""Long columns of whole numbers as short text: seven bits a byte, the lowest first, in base64 (LEB128).

web/unpack.js reads them. Most numbers of a report are small or differ little from the one before, so that this takes a
third of what decimal digits take, and the browser needs nothing but a loop to read it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any


def pack(numbers: Iterable[int]) -> str:
    """A column of numbers from 0 to 2^53."""
    out = bytearray()
    for number in numbers:
        while number > 127:
            out.append(number & 127 | 128)
            number >>= 7
        out.append(number)
    return base64.b64encode(out).decode("ascii")


def pack_sorted(numbers: Iterable[int]) -> str:
    """A column of numbers that never fall, as the steps between them."""
    return pack(_steps(numbers))


def pack_signed(numbers: Iterable[int]) -> str:
    """A column of numbers of either sign: 0, -1, 1, -2, … become 0, 1, 2, 3, …"""
    return pack(2 * number if number >= 0 else -2 * number - 1 for number in numbers)


def columns(rows: Sequence[Sequence[Any]], count: int) -> list[list[int]]:
    """The columns of a query's rows, as whole numbers; `count` of them even where there is no row."""
    return [[int(value) for value in column] for column in zip(*rows, strict=True)] or [[] for _ in range(count)]


def _steps(numbers: Iterable[int]) -> Iterable[int]:
    before = 0
    for number in numbers:
        yield number - before
        before = number
