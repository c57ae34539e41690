"""A summary for people: tables in colour on a terminal, plain text in a pipe."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Sequence

from datacrumbs.analysis.completeness import Completeness
from datacrumbs.analysis.reporters.units import duration, moved, size
from datacrumbs.analysis.summary import Header, Summary
from datacrumbs.core.text import printable
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 160
_MAX_NOTES = 10


def show(summary: Summary, top: int, console: Console | None = None) -> None:
    """Prints a summary.

    Args:
        summary: what to print.
        top: rows of each table.
        console: where; default: standard output.
    """
    if console is None:
        console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
    _show_header(console, summary.header)
    _show_completeness(console, summary.completeness)
    _show_tables(console, summary, top)


def _show_header(console: Console, header: Header) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column()
    for name, value in _facts(header):
        grid.add_row(name, Text(printable(value)))
    console.print(grid)


def _facts(header: Header) -> Iterable[tuple[str, str]]:
    yield "run", ", ".join(header.runs) or "not said"
    yield "host", _few(header.hosts)
    if header.users:
        yield "user", _few(header.users)
    started = datetime.datetime.fromtimestamp(header.started_us / 1e6).astimezone()
    yield "started", f"{started:%Y-%m-%d %H:%M:%S}, lasted {duration(header.wall_ns)}"
    yield "processes", f"{header.processes:,} with {header.threads:,} threads; {header.files:,} files"
    yield "calls", f"{header.calls:,} of {_few(header.total_categories)}"
    copied = f", copied in the kernel {size(header.bytes_copied)}" if header.bytes_copied else ""
    yield "bytes", f"read {size(header.bytes_read)}, written {size(header.bytes_written)}{copied}"
    yield (
        "bandwidth",
        f"{size(header.bytes_per_s_io)}/s while in I/O, {size(header.bytes_per_s_wall)}/s over the whole time",
    )
    share = header.io_wall_ns / header.wall_ns if header.wall_ns else 0.0
    yield (
        "time in I/O",
        f"{duration(header.io_wall_ns)} ({share:.1%} of the time); all calls {duration(header.io_time_ns)}",
    )


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown or "not said"


def _show_completeness(console: Console, state: Completeness) -> None:
    if state.captured is None:
        console.print(Text(f"{state.read:,} events; their tracer does not say what it lost", style="yellow"))
    else:
        text = (
            f"{'complete' if state.complete else 'INCOMPLETE'}: {state.captured:,} captured, {state.lost or 0:,} lost"
        )
        text += f", {state.refused_count:,} probes refused, {state.missed_returns:,} returns missed"
        text += f", {state.unwritten:,} not written" if state.unwritten else ""
        console.print(Text(text, style="green" if state.complete else "bold red"))
    for note in list(_notes(state))[:_MAX_NOTES]:
        console.print(Text(f"  {printable(note)}", style="yellow"))


def _notes(state: Completeness) -> Iterable[str]:
    yield from (f"{name} has no closing record: the runtime still runs, or was killed" for name in state.unclosed)
    yield from state.notes
    yield from (f"lost: {count:,} × {name}" for name, count in state.lost_by_function.items())
    if state.broken_lines:
        yield f"{state.broken_lines:,} lines could not be read"
    if state.unnamed:
        yield f"{state.unnamed:,} calls are on files without a name: see max_files"
    if state.min_duration_ns:
        yield f"calls shorter than {duration(state.min_duration_ns)} were not written"
    yield from (f"refused: {reason}" for reason in state.refused)


def _show_tables(console: Console, summary: Summary, top: int) -> None:
    _table(
        console,
        "by category",
        ("category", "layer", ">calls", ">errors", ">time", ">read", ">written"),
        [
            (
                r.category,
                r.layer,
                f"{r.calls:,}",
                f"{r.errors:,}",
                duration(r.time_ns),
                *_bytes(r.bytes_read, r.bytes_written),
            )
            for r in summary.categories
        ],
        top,
    )
    _table(
        console,
        "by function",
        ("function", "category", ">calls", ">total", ">mean", ">p50", ">p99", ">max", ">read", ">written"),
        [
            (
                r.function,
                r.category,
                f"{r.calls:,}",
                *(duration(t) for t in (r.time_ns, r.mean_ns, r.p50_ns, r.p99_ns, r.max_ns)),
                *_bytes(r.bytes_read, r.bytes_written),
            )
            for r in summary.functions
        ],
        top,
    )
    _table(
        console,
        "by file",
        ("file", ">processes", ">calls", ">time", ">read", ">written"),
        [
            (r.path, f"{r.processes:,}", f"{r.calls:,}", duration(r.time_ns), *_bytes(r.bytes_read, r.bytes_written))
            for r in summary.files
        ],
        top,
    )
    _table(
        console,
        "by process",
        ("host", ">pid", "name", "command", ">calls", ">time", ">read", ">written"),
        [
            (
                r.host,
                "" if r.pid is None else str(r.pid),
                r.name,
                r.command,
                f"{r.calls:,}",
                duration(r.time_ns),
                *_bytes(r.bytes_read, r.bytes_written),
            )
            for r in summary.processes
        ],
        top,
    )


def _bytes(read: int, written: int) -> tuple[str, str]:
    return moved(read), moved(written)


def _table(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], top: int) -> None:
    """One table; a column whose name begins with ">" is aligned to the right."""
    if not rows:
        return
    more = f" (top {top} of {len(rows):,})" if len(rows) > top else ""
    table = Table(title=title + more, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        right = name.startswith(">")
        wide = name in ("file", "command")
        table.add_column(
            name.removeprefix(">"),
            justify="right" if right else "left",
            no_wrap=not wide,
            overflow="fold" if wide else "ellipsis",
        )
    for row in rows[:top]:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table)
