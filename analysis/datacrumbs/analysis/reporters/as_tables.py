"""A summary as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TextIO

from datacrumbs.analysis.reading.catalog import ProcessKey
from datacrumbs.analysis.reading.clocks import sentence
from datacrumbs.analysis.reading.completeness import Completeness
from datacrumbs.analysis.reporters.tables import Column, Sheet, number, write_to
from datacrumbs.analysis.summing.findings import Finding
from datacrumbs.analysis.summing.insight import Insight
from datacrumbs.analysis.summing.summary import Header, Summary
from datacrumbs.analysis.units import bandwidth, count, duration, moment, size

_MANY: Final = 3
"""Names that are listed in the header before the rest is only counted."""


def _bytes(row: Any) -> str:
    moved = row.bytes_read + row.bytes_written + row.bytes_copied
    return number(moved, size)


_CALLS: Final = Column("calls", lambda row: count(row.calls))
_ERRORS: Final = Column("errors", lambda row: number(row.errors, count), optional=True)
_TIME: Final = Column("time", lambda row: duration(row.time_ns))
_READ: Final = Column("read", lambda row: number(row.bytes_read, size))
_WRITTEN: Final = Column("written", lambda row: number(row.bytes_written, size))

_CATEGORIES: Final = (
    Column("category", lambda row: row.category, name=True), Column("layer", lambda row: row.layer, name=True),
    _CALLS, _ERRORS, _TIME, Column("bytes", _bytes),
)  # fmt: skip
_FUNCTIONS: Final = (
    Column("function", lambda row: row.function, name=True),
    Column("category", lambda row: row.category, name=True),
    _CALLS, _ERRORS, _TIME,
    Column("mean", lambda row: duration(row.mean_ns)), Column("p50", lambda row: duration(row.p50_ns)),
    Column("p99", lambda row: duration(row.p99_ns)), Column("max", lambda row: duration(row.max_ns)),
    Column("bytes", _bytes),
)  # fmt: skip
_FILES: Final = (
    _CALLS, _ERRORS, _TIME, _READ, _WRITTEN,
    Column("file", lambda row: row.path or "(its name is not in the trace)", name=True),
)  # fmt: skip
_PROCESSES: Final = (
    Column("pid", lambda row: row.key.id),
    Column("host", lambda row: row.host, name=True),
    _CALLS, _ERRORS, _TIME, Column("busy", lambda row: duration(row.busy_ns)), _READ, _WRITTEN,
    Column("process", lambda row: row.command or row.name, name=True),
)  # fmt: skip


def write(
    summary: Summary, out: TextIO, *, top: int, findings: Sequence[Finding] = (), width: int | None = None
) -> None:
    """Writes the summary.

    Args:
        summary: what to show.
        out: where to; a terminal gets lines and colours.
        top: rows of each table; 0: all.
        findings: what stands out.
        width: columns; default: the terminal's, or no limit.
    """
    write_to(out, lambda sheet: _write(sheet, summary, top, findings), width=width)


def _write(sheet: Sheet, summary: Summary, top: int, findings: Sequence[Finding]) -> None:
    _write_header(sheet, summary.header)
    counted = summary.header.total_categories
    if len(summary.categories) > len(counted):
        sheet.line("totals", f"of {_names(counted)} alone, so that each byte counts once")
    _write_completeness(sheet, summary.completeness)
    said, careful = sentence(summary.clocks)
    if said:
        sheet.line("clocks", said, "yellow" if careful else "")
    _write_insight(sheet, summary.insight, findings)
    for title, columns, rows in (
        ("By category", _CATEGORIES, summary.categories),
        ("By function", _FUNCTIONS, summary.functions),
        ("By file", _FILES, summary.files),
        ("By process", _PROCESSES, summary.processes),
    ):
        sheet.table(title, columns, rows, top)


def _write_insight(sheet: Sheet, insight: Insight, findings: Sequence[Finding]) -> None:
    kinds, uneven, overlap = insight.kinds, insight.imbalance, insight.overlap
    if kinds.data_ns or kinds.metadata_ns or kinds.sync_ns:
        parts = (
            f"{duration(kinds.data_ns)} data, {duration(kinds.metadata_ns)} metadata, {duration(kinds.sync_ns)} syncing"
        )
        other = f", {duration(kinds.other_ns)} other calls" if kinds.other_ns else ""
        sheet.line("for", parts + other)
    if uneven is not None and uneven.processes > 1:
        who = ProcessKey(uneven.host, uneven.pid, uneven.life)
        most = f"{duration(uneven.max_busy_ns)} of process {who.id}"
        sheet.line("balance", f"{most} are {uneven.ratio:.2f} times the mean of {uneven.processes} processes")
    if len(insight.phases) > 1:
        sheet.line("phases", f"{len(insight.phases)} stretches of time with I/O")
    if overlap is not None:
        part = f"{100 * overlap.share:.0f} % of the time in I/O lies inside marked regions"
        sheet.line("regions", f"{duration(overlap.region_ns)}; {part}")
    for one in findings:
        sheet.line("finding", f"{one.title}: {one.evidence} {one.advice} ({one.rule})", "yellow")


def _write_header(sheet: Sheet, header: Header) -> None:
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
        sheet.line(title, value)


def _write_completeness(sheet: Sheet, facts: Completeness) -> None:
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
    sheet.line("complete", verdict, style)
    for line in _gaps(facts):
        sheet.item(line, style)


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
    yield from _not_traced(facts)
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


def _names(names: Sequence[str]) -> str:
    listed = ", ".join(names[:_MANY])
    return f"{listed} and {len(names) - _MANY} more" if len(names) > _MANY else listed


def _of(users: Sequence[str]) -> str:
    return f", of {_names(users)}" if users else ""


def _copied(header: Header) -> str:
    return f", {size(header.bytes_copied)} copied inside the kernel" if header.bytes_copied else ""


def _things(number: int, one: str, many: str = "") -> str:
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def _not_traced(facts: Completeness) -> Iterable[str]:
    """What is known of calls that are no events of their own."""
    if facts.min_duration_ns:
        brief = f": {_things(facts.brief, 'call')}, {duration(facts.brief_ns)}" if facts.brief else ""
        yield f"calls shorter than {duration(facts.min_duration_ns)} were not written{brief}"
    if facts.profiled_functions:
        names = _names(facts.profiled_functions)
        yield f"profiled from some moment on, for they were called too often to be traced: {names}"
    if facts.overflowed:
        yield f"{_things(facts.overflowed, 'call')} for whose process and file a profile had no room"
