"""Tables and lines: with lines and colours on a terminal, plain text with whole names elsewhere.

Every text that comes from a trace goes through `plain`: control characters become visible, and rich's markup in it
stays what it is, text.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TextIO

from datacrumbs.analysis.units import count
from datacrumbs.core.text import printable
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNLIMITED: Final = 100_000
"""Columns of a pipe: names are never cut there."""
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


def print_to(out: TextIO, write: Callable[[Console], None], *, width: int | None = None) -> None:
    """Lets a function print.

    Args:
        out: where to; a terminal gets lines and colours.
        write: what prints.
        width: columns; default: the terminal's, or no limit.
    """
    if out.isatty():
        write(Console(file=out, width=width, highlight=False, emoji=False))
    else:
        text = io.StringIO()
        write(Console(file=text, width=width or _UNLIMITED, highlight=False, emoji=False))
        out.write("\n".join(line.rstrip() for line in text.getvalue().split("\n")))
    out.flush()


def write_line(console: Console, title: str, value: str, style: str = "") -> None:
    """A line of a header."""
    console.print(Text.assemble((f"{title:<10}", "bold"), (printable(value), style)), soft_wrap=True)


def write_title(console: Console, title: str) -> None:
    """A title with a free line above it, if it has a text."""
    if title:
        console.print()
        console.print(Text(title, style="bold"))


def write_table(console: Console, title: str, columns: Sequence[Column], rows: Sequence[Any], top: int) -> None:
    """A table with a title, of the first `top` rows (0: all); nothing where there are no rows."""
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, header_style="bold")
    shown = rows[:top] if top else rows
    columns = [c for c in columns if not c.optional or any(c.show(row) != _NONE for row in shown)]
    for column in columns:
        justify: Literal["left", "right"] = "left" if column.name else "right"
        table.add_column(column.title, justify=justify, no_wrap=True, overflow="ellipsis", min_width=len(column.title))
    for row in shown:
        table.add_row(*(plain(column.show(row)) for column in columns))
    write_title(console, title)
    console.print(table)
    if len(shown) < len(rows):
        left = len(rows) - len(shown)
        text = f"and {count(left)} more row{'' if left == 1 else 's'}: --top 0 shows all"
        console.print(Text(text, style="dim"))


def plain(text: str) -> Text:
    """A text from a trace."""
    return Text(printable(text))
