"""JSON objects that are taken apart strictly: members that nobody asked for, and values of other kinds, are refused."""

from __future__ import annotations

import re
from typing import Final

from datacrumbs.core.errors import DataError

MAX_NAME: Final = 256
"""Longest name of a function, category or argument, in characters."""
_WORD = re.compile(r"[a-z0-9_]{0,16}\Z")
_KERNEL_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}\Z")


class Members:
    """A JSON object that is taken apart member by member; `finish` refuses what nobody asked for."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise DataError(f"probes file: {place or 'the top level'} is not an object", "make the file again")
        self._members = dict(value)
        self._place = place

    def at(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name

    def _wrong(self, name: str, wanted: str) -> DataError:
        return DataError(f"probes file: {self.at(name)} is not {wanted}", "make the file again")

    def integer(self, name: str, least: int, most: int, *, optional: bool = False) -> int:
        value = self._members.pop(name, 0 if optional else None)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(name, f"a whole number from {least} to {most}")
        return value

    def text(self, name: str, most: int = MAX_NAME) -> str:
        value = self._members.pop(name, None)
        if not isinstance(value, str) or not 0 < len(value) <= most or "\0" in value:
            raise self._wrong(name, f"a text of 1 to {most} characters")
        return value

    def choice(self, name: str, choices: tuple[str, ...], *, optional: bool = False) -> str:
        value = self._members.pop(name, choices[0] if optional else None)
        if not isinstance(value, str) or value not in choices:
            raise self._wrong(name, "one of " + ", ".join(choices))
        return value

    def flag(self, name: str, *, optional: bool = False) -> bool:
        value = self._members.pop(name, False if optional else None)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def optional_text(self, name: str) -> str:
        return self.text(name) if name in self._members else ""

    def name(self, name: str) -> str:
        value = self.text(name)
        if not _KERNEL_NAME.match(value):
            raise self._wrong(name, "the name of a kernel function or tracepoint")
        return value

    def offsets(self, name: str, most: int, largest: int) -> tuple[int, ...]:
        value = self._members.pop(name, None)
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(name, f"a list of at most {most} numbers")
        if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= largest for n in value):
            raise self._wrong(name, f"a list of numbers from 0 to {largest}")
        return tuple(value)

    def items(self, name: str, most: int, *, optional: bool = False, single: bool = False) -> list[Members]:
        value = self._members.pop(name, [] if optional else None)
        if single and isinstance(value, dict):
            value = [value]
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(name, f"a list of at most {most} entries")
        return [Members(item, f"{self.at(name)}[{i}]") for i, item in enumerate(value)]

    def item(self, name: str) -> list[Members]:
        """The member as a list of one, or of none where it is missing."""
        return [Members(self._members.pop(name), self.at(name))] if name in self._members else []

    def word(self, name: str, *, optional: bool = False) -> str:
        value = self._members.pop(name, "" if optional else None)
        if not isinstance(value, str) or not _WORD.match(value):
            raise self._wrong(name, "a word of at most 16 small letters and digits")
        return value

    def integers(self, name: str, most: int, least: int) -> tuple[int, ...]:
        value = self._members.pop(name, [])
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(name, f"a list of at most {most} whole numbers")
        if not all(isinstance(item, int) and not isinstance(item, bool) and item >= least for item in value):
            raise self._wrong(name, f"a list of whole numbers from {least}")
        return tuple(value)

    def texts(self, name: str, most: int, longest: int) -> tuple[str, ...]:
        value = self._members.pop(name, None)
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(name, f"a list of at most {most} texts")
        if not all(isinstance(item, str) and len(item) <= longest for item in value):
            raise self._wrong(name, f"a list of texts of at most {longest} characters")
        return tuple(value)

    def finish(self) -> None:
        for name in self._members:
            raise DataError(f"probes file: {self.at(name)} is unknown", "make the file again with this version")
