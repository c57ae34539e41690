"""Answers on a terminal: what does not fit is cut, and says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TextIO

from datacrumbs.analysis.reporters.tables import Column, Sheet
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


class Terminal(Sheet):
    """A terminal. Texts are rich's `Text`: markup in them stays what it is.

    Args:
        out: the terminal.
        width: its columns; None: as it says itself.
    """

    def __init__(self, out: TextIO, width: int | None) -> None:
        self._console = Console(file=out, width=width, highlight=False, emoji=False)

    def _print(self, *parts: tuple[str, str]) -> None:
        self._console.print(Text.assemble(*parts), soft_wrap=True)

    def _grid(self, columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for column in columns:
            justify: Literal["left", "right"] = "left" if column.name else "right"
            width = len(column.title)
            table.add_column(column.title, justify=justify, no_wrap=True, overflow="ellipsis", min_width=width)
        for row in cells:
            table.add_row(*map(Text, row))
        self._console.print(table)
