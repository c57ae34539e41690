"""The summary: where the I/O of a run went, in plain numbers.

All times are whole nanoseconds, all sizes bytes. docs/reading-reports.md defines every figure; the names of the fields
here are the names in `--json`.
"""

from __future__ import annotations

from dataclasses import dataclass

from datacrumbs.analysis.reading.catalog import ProcessKey
from datacrumbs.analysis.reading.clocks import Clock
from datacrumbs.analysis.reading.completeness import Completeness
from datacrumbs.analysis.summing.insight import Insight


@dataclass(frozen=True, slots=True)
class Header:
    """The run at a glance. `started_us` is microseconds since 1970."""

    runs: tuple[str, ...]
    hosts: tuple[str, ...]
    users: tuple[str, ...]
    started_us: int
    wall_ns: int
    processes: int
    threads: int
    files: int
    calls: int
    total_categories: tuple[str, ...]
    bytes_read: int
    bytes_written: int
    bytes_copied: int
    io_time_ns: int
    """Sum of the durations of all I/O calls."""
    io_busy_ns: int
    """Sum over processes of the time in which at least one thread of it was in an I/O call."""
    io_wall_ns: int
    """Time in which at least one process was in an I/O call."""
    bytes_per_s_io: float
    """Bytes read and written per second of `io_wall_ns`."""
    bytes_per_s_wall: float
    """Bytes read and written per second of `wall_ns`."""


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """All calls of one category."""

    category: str
    layer: str
    calls: int
    errors: int
    time_ns: int
    bytes_read: int
    bytes_written: int
    bytes_copied: int


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """All calls of one function of one category."""

    category: str
    function: str
    calls: int
    errors: int
    time_ns: int
    mean_ns: int
    p50_ns: int
    p99_ns: int
    max_ns: int
    bytes_read: int
    bytes_written: int
    bytes_copied: int


@dataclass(frozen=True, slots=True)
class FileRow:
    """All calls about one file, among those that make up the totals."""

    path: str
    processes: int
    calls: int
    errors: int
    time_ns: int
    bytes_read: int
    bytes_written: int
    bytes_copied: int


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """All calls of one process, among those that make up the totals."""

    host: str
    pid: int | None
    life: int
    """How many processes with this pid had ended before."""
    name: str
    command: str
    threads: int
    calls: int
    errors: int
    time_ns: int
    busy_ns: int
    bytes_read: int
    bytes_written: int
    bytes_copied: int

    @property
    def key(self) -> ProcessKey:
        """The process."""
        return ProcessKey(self.host, self.pid, self.life)


@dataclass(frozen=True, slots=True)
class Summary:
    """All of it; the tables are sorted by time, the longest first."""

    header: Header
    completeness: Completeness
    clocks: tuple[Clock, ...]
    """Of hosts whose runtimes say something of them."""
    categories: tuple[CategoryRow, ...]
    functions: tuple[FunctionRow, ...]
    files: tuple[FileRow, ...]
    processes: tuple[ProcessRow, ...]
    insight: Insight
