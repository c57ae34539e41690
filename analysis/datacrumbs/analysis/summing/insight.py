"""What the summary says beyond its tables: what time was for, when it was spent, and how evenly.

All times are whole nanoseconds, all sizes bytes, moments microseconds since 1970. docs/reading-reports.md defines every
figure; the names of the fields are the names in `--json`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Imbalance:
    """How evenly I/O is spread over the processes that do any."""

    processes: int
    mean_busy_ns: int
    max_busy_ns: int
    host: str
    pid: int | None
    life: int
    """The process with the most time in I/O, as in summary.ProcessRow."""
    ratio: float
    """Its time by the mean; 1: all alike."""
    bytes_ratio: float
    """The most bytes of a process by the mean."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time with I/O; between two of them nobody does any for at least two slices of 1/200 of the run."""

    start_us: int
    end_us: int
    calls: int
    time_ns: int
    bytes_read: int
    bytes_written: int


@dataclass(frozen=True, slots=True)
class Kinds:
    """What the time of the calls in the totals was for."""

    data_ns: int
    metadata_ns: int
    """Files, not what is in them: open, stat, lseek …"""
    sync_ns: int
    other_ns: int
    """What is none of these: ioctl, mmap, io_uring_enter, and calls that are no I/O where these were traced."""
    metadata_share: float
    """Of all four, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Marked regions of the program and I/O: summed over processes, the time in either and in both at once."""

    region_ns: int
    io_ns: int
    both_ns: int
    share: float
    """Of the time in I/O that lies inside a region."""


@dataclass(frozen=True, slots=True)
class Insight:
    """All of it. `overlap` is None where the program marked no regions."""

    kinds: Kinds
    imbalance: Imbalance | None
    phases: tuple[Phase, ...]
    overlap: Overlap | None
