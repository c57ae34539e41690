"""A summary as tables: with lines and colours on a terminal, plain text with whole names elsewhere.

Every text that comes from a trace goes through `_plain`: control characters become visible, and rich's markup in it
stays what it is, text.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TextIO

from datacrumbs.analysis.completeness import Completeness
from datacrumbs.analysis.reporters.units import bandwidth, count, duration, moment, size
from datacrumbs.analysis.summary import Header, Summary
from datacrumbs.core.text import printable
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNLIMITED: Final = 100_000
"""Columns of a pipe: names are never cut there."""
_NONE: Final = "-"
_MANY: Final = 3
"""Names that are listed in the header before the rest is only counted."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its title, what it shows of a row, and whether it is a name, which may be long, or a number."""

    title: str
    show: Callable[[Any], str]
    name: bool = False


def _bytes(row: Any) -> str:
    moved = row.bytes_read + row.bytes_written + row.bytes_copied
    return _number(moved, size)


def _number(number: int, show: Callable[[int], str]) -> str:
    return show(number) if number else _NONE


_CALLS: Final = _Column("calls", lambda row: count(row.calls))
_ERRORS: Final = _Column("errors", lambda row: _number(row.errors, count))
_TIME: Final = _Column("time", lambda row: duration(row.time_ns))
_READ: Final = _Column("read", lambda row: _number(row.bytes_read, size))
_WRITTEN: Final = _Column("written", lambda row: _number(row.bytes_written, size))

_CATEGORIES: Final = (
    _Column("category", lambda row: row.category, name=True), _Column("layer", lambda row: row.layer, name=True),
    _CALLS, _ERRORS, _TIME, _Column("bytes", _bytes),
)  # fmt: skip
_FUNCTIONS: Final = (
    _Column("function", lambda row: row.function, name=True),
    _Column("category", lambda row: row.category, name=True),
    _CALLS, _ERRORS, _TIME,
    _Column("mean", lambda row: duration(row.mean_ns)), _Column("p50", lambda row: duration(row.p50_ns)),
    _Column("p99", lambda row: duration(row.p99_ns)), _Column("max", lambda row: duration(row.max_ns)),
    _Column("bytes", _bytes),
)  # fmt: skip
_FILES: Final = (
    _CALLS, _ERRORS, _TIME, _READ, _WRITTEN,
    _Column("file", lambda row: row.path or "(its name is not in the trace)", name=True),
)  # fmt: skip
_PROCESSES: Final = (
    _Column("pid", lambda row: "" if row.pid is None else str(row.pid)),
    _Column("host", lambda row: row.host, name=True),
    _CALLS, _ERRORS, _TIME, _Column("busy", lambda row: duration(row.busy_ns)), _READ, _WRITTEN,
    _Column("process", lambda row: row.command or row.name, name=True),
)  # fmt: skip


def write(summary: Summary, out: TextIO, *, top: int, width: int | None = None) -> None:
    """Writes the summary.

    Args:
        summary: what to show.
        out: where to; a terminal gets lines and colours.
        top: rows of each table; 0: all.
        width: columns; default: the terminal's, or no limit.
    """
    if out.isatty():
        _print(Console(file=out, width=width, highlight=False), summary, top)
    else:
        text = io.StringIO()
        _print(Console(file=text, width=width or _UNLIMITED, highlight=False), summary, top)
        out.write("\n".join(line.rstrip() for line in text.getvalue().split("\n")))
    out.flush()


def _print(console: Console, summary: Summary, top: int) -> None:
    _write_header(console, summary.header)
    counted = summary.header.total_categories
    if len(summary.categories) > len(counted):
        _write_line(console, "totals", f"of {_names(counted)} alone, so that each byte counts once")
    _write_completeness(console, summary.completeness)
    for title, columns, rows in (
        ("By category", _CATEGORIES, summary.categories),
        ("By function", _FUNCTIONS, summary.functions),
        ("By file", _FILES, summary.files),
        ("By process", _PROCESSES, summary.processes),
    ):
        if rows:
            _write_table(console, title, columns, rows, top)


def _write_header(console: Console, header: Header) -> None:
    threads, files = _things(header.threads, "thread"), _things(header.files, "file")
    in_io, busy, time = duration(header.io_wall_ns), duration(header.io_busy_ns), duration(header.io_time_ns)
    where = f"{_names(header.runs) or 'unknown'} on {_names(header.hosts) or 'an unknown host'}{_of(header.users)}"
    when = f"{duration(header.wall_ns)} from {moment(header.started_us)}" if header.started_us else "no event"
    seen = f"{_things(header.processes, 'process', 'processes')}, {threads}, {files}, {_things(header.calls, 'call')}"
    lines = [
        ("run", where),
        ("time", when),
        ("seen", seen),
        ("I/O time", f"{in_io} with a process in I/O, {busy} summed over processes, {time} over calls"),
        ("bytes", f"{size(header.bytes_read)} read, {size(header.bytes_written)} written{_copied(header)}"),
    ]
    if header.bytes_read or header.bytes_written:
        rates = (
            f"{bandwidth(header.bytes_per_s_io)} during I/O, {bandwidth(header.bytes_per_s_wall)} over the whole time"
        )
        lines.append(("bandwidth", rates))
    for title, value in lines:
        _write_line(console, title, value)


def _write_line(console: Console, title: str, value: str, style: str = "") -> None:
    console.print(Text.assemble((f"{title:<10}", "bold"), (printable(value), style)), soft_wrap=True)


def _write_completeness(console: Console, facts: Completeness) -> None:
    """One line that says whether something is missing, and one for each thing that is."""
    if facts.captured is None:
        verdict, style = "unknown: this tracer does not say what it lost", "yellow"
    elif facts.complete:
        verdict, style = f"yes: {_things(facts.captured, 'event')} captured, none lost", "green"
    elif facts.lost or facts.missing:
        gone = (facts.lost or 0) + facts.missing
        verdict, style = f"NO: {_things(gone, 'event')} lost, {count(facts.read)} read", "bold red"
    else:
        verdict, style = f"not quite: {_things(facts.read, 'event')} read, none known to be lost", "yellow"
    _write_line(console, "complete", verdict, style)
    for line in _gaps(facts):
        console.print(Text.assemble(" " * 10, ("- ", style), _plain(line)), soft_wrap=True)


def _gaps(facts: Completeness) -> Iterable[str]:
    if facts.lost_by_function:
        yield "lost: " + ", ".join(f"{name} {count(number)}" for name, number in facts.lost_by_function.items())
    if facts.missed_returns:
        yield f"{_things(facts.missed_returns, 'call')} whose return was missed"
    if facts.unwritten:
        yield f"{_things(facts.unwritten, 'line')} could not be written"
    if facts.refused_count:
        yield f"{_things(facts.refused_count, 'probe')} refused: {'; '.join(facts.refused[:_MANY])}" + (
            "; …" if facts.refused_count > _MANY else ""
        )
    if facts.min_duration_ns:
        yield f"calls shorter than {duration(facts.min_duration_ns)} were not written"
    if facts.unnamed:
        yield f"{_things(facts.unnamed, 'call')} on files that had no name any more"
    for source in facts.unclosed:
        yield f"{source}: no closing record, so its runtime still runs or was killed"
    if facts.missing:
        yield f"{_things(facts.missing, 'event')} that the runtime wrote and the file does not hold"
    if facts.broken_lines:
        yield f"{_things(facts.broken_lines, 'line')} that {'is' if facts.broken_lines == 1 else 'are'} no record"
    if facts.other_records:
        yield f"{_things(facts.other_records, 'record')} of a kind that has no calls, left out"
    yield from facts.notes


def _write_table(console: Console, title: str, columns: Sequence[_Column], rows: Sequence[Any], top: int) -> None:
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, header_style="bold")
    shown = rows[:top] if top else rows
    columns = [c for c in columns if c is not _ERRORS or any(row.errors for row in shown)]
    for column in columns:
        justify: Literal["left", "right"] = "left" if column.name else "right"
        table.add_column(column.title, justify=justify, no_wrap=True, overflow="ellipsis", min_width=len(column.title))
    for row in shown:
        table.add_row(*(_plain(column.show(row)) for column in columns))
    console.print()
    console.print(Text(title, style="bold"))
    console.print(table)
    if len(shown) < len(rows):
        console.print(Text(f"and {_things(len(rows) - len(shown), 'more row')}: --top 0 shows all", style="dim"))


def _plain(text: str) -> Text:
    return Text(printable(text))


def _names(names: Sequence[str]) -> str:
    listed = ", ".join(names[:_MANY])
    return f"{listed} and {len(names) - _MANY} more" if len(names) > _MANY else listed


def _of(users: Sequence[str]) -> str:
    return f", of {_names(users)}" if users else ""


def _copied(header: Header) -> str:
    return f", {size(header.bytes_copied)} copied inside the kernel" if header.bytes_copied else ""


def _things(number: int, one: str, many: str = "") -> str:
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
