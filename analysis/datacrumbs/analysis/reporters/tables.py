"""Tables and lines: with lines and colours on a terminal (terminal.py), plain text with whole names elsewhere.

Every text that comes from a trace is made printable here, so that no control character in it can do anything.
"""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TextIO

from datacrumbs.analysis.units import count
from datacrumbs.core.text import printable

_NONE: Final = "-"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, what it shows of a row, and whether it is a name, which may be long, or a number."""

    title: str
    show: Callable[[Any], str]
    name: bool = False
    optional: bool = False
    """Left out where all shown rows have nothing in it."""


def number(amount: int, show: Callable[[int], str]) -> str:
    """A number in some form, or a dash for 0."""
    return show(amount) if amount else _NONE


class Sheet(ABC):
    """What an answer is written on. A style is one of rich's, such as "bold red"; plain text has none."""

    def line(self, title: str, value: str, style: str = "") -> None:
        """A line of a header."""
        self._print((f"{title:<10}", "bold"), (printable(value), style))

    def item(self, text: str, style: str) -> None:
        """A line that goes into the detail of the one above."""
        self._print((" " * 10, ""), ("- ", style), (printable(text), ""))

    def text(self, text: str = "", style: str = "") -> None:
        """A line for itself."""
        self._print((printable(text), style))

    def table(self, title: str, columns: Sequence[Column], rows: Sequence[Any], top: int) -> None:
        """A table of the first `top` rows (0: all), with its title, if that has a text; nothing without rows."""
        if not rows:
            return
        shown = rows[:top] if top else rows
        columns = [c for c in columns if not c.optional or any(c.show(row) != _NONE for row in shown)]
        if title:
            self.text()
            self.text(title, "bold")
        self._grid(columns, [[printable(column.show(row)) for column in columns] for row in shown])
        if len(shown) < len(rows):
            left = len(rows) - len(shown)
            self.text(f"and {count(left)} more row{'' if left == 1 else 's'}: --top 0 shows all", "dim")

    @abstractmethod
    def _print(self, *parts: tuple[str, str]) -> None:
        """Writes a line of texts, each with a style."""

    @abstractmethod
    def _grid(self, columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
        """Writes a table's titles and rows."""


class _PlainText(Sheet):
    def __init__(self, out: TextIO) -> None:
        self._out = out

    def _print(self, *parts: tuple[str, str]) -> None:
        self._out.write("".join(text for text, _ in parts).rstrip() + "\n")

    def _grid(self, columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
        rows = [[column.title for column in columns], *cells]
        widths = [max(map(_width, texts)) for texts in zip(*rows, strict=True)]
        for row in rows:
            padded = []
            for column, width, text in zip(columns, widths, row, strict=True):
                blanks = " " * (width - _width(text))
                padded.append(text + blanks if column.name else blanks + text)
            self._print(("  ".join(padded), ""))


def _width(text: str) -> int:
    """Columns that a text takes: letters of East Asia take two, and marks on letters none (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def write_to(out: TextIO, write: Callable[[Sheet], None], *, width: int | None = None) -> None:
    """Lets a function write.

    Args:
        out: where to; a terminal gets lines and colours.
        write: what writes.
        width: a terminal's columns; default: as it says itself.
    """
    if out.isatty():
        from datacrumbs.analysis.reporters.terminal import Terminal  # nobody else should wait for rich

        write(Terminal(out, width))
    else:
        write(_PlainText(out))
    out.flush()
