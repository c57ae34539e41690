"""Flux's job ids: one number of 64 bits, written in several ways (RFC 19)."""

from __future__ import annotations

import re
from typing import Final

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_F58: Final = re.compile(rf"[ƒf]([{_ALPHABET}]+)\Z")
_MOST: Final = (1 << 64) - 1


def parse(text: str) -> int | None:
    """The number that a job id stands for: f58 (`ƒABC`, `fABC`), decimal or hexadecimal; None for other words."""
    found = _F58.match(text)
    if found:
        value = 0
        for digit in found[1]:
            value = value * len(_ALPHABET) + _ALPHABET.index(digit)
    elif re.fullmatch(r"0[xX][0-9A-Fa-f]{1,16}", text, re.ASCII):
        value = int(text, 16)
    elif re.fullmatch(r"[0-9]{1,20}", text, re.ASCII):
        value = int(text)
    else:
        return None
    return value if value <= _MOST else None


def f58(number: int) -> str:
    """The id as a run's id: f58 with a plain f, so that it may stand in names of units and files."""
    digits = "" if number else _ALPHABET[0]
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return f"f{digits}"
