"""What stands out in a run, with the figures that say so and what one can do about it.

Each rule is a function with the numbers that it asks for beside it. They are conservative: a finding needs many calls
and a share of the run's I/O time, so that a small or a healthy trace has none. docs/reading-reports.md lists the rules.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from datacrumbs.analysis import layers, units
from datacrumbs.analysis.summing.patterns import SMALL, FilePattern
from datacrumbs.analysis.summing.summary import FileRow, FunctionRow, ProcessRow, Summary

SHARE: Final = 0.10
"""Part of the run's I/O time that a finding must be about."""
MANY: Final = 1000
"""Calls that a finding must rest on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One of them. `share` is the part of the run's time in I/O calls that it is about, 0 to 1."""

    rule: str
    title: str
    evidence: str
    advice: str
    share: float


@dataclass(frozen=True, slots=True)
class _Case:
    """What the rules look at."""

    summary: Summary
    patterns: Mapping[str, FilePattern]

    @property
    def time(self) -> int:
        return max(1, self.summary.header.io_time_ns)

    def functions(self) -> Iterator[FunctionRow]:
        """Those that the totals count."""
        counted = self.summary.header.total_categories
        return (row for row in self.summary.functions if row.category in counted)

    def files(self, has: Callable[[FileRow, FilePattern], bool]) -> _Files | None:
        """The files of which something holds, if they have many calls and enough time together.

        What is read from a pipe, a terminal or the kernel's own files comes as it comes: they are no files here.
        """
        rows = []
        for row in self.summary.files:
            pattern = self.patterns.get(row.path)
            if pattern and _A_FILE.match(row.path) and has(row, pattern):
                rows.append((row, pattern))
        found = _Files(rows, sum(row.time_ns for row, _ in rows), self.time)
        return found if found.calls >= MANY and found.share >= SHARE else None


@dataclass(frozen=True, slots=True)
class _Files:
    """Files of which something holds, those with the most time first."""

    rows: list[tuple[FileRow, FilePattern]]
    time: int
    whole: int

    @property
    def share(self) -> float:
        return self.time / self.whole

    @property
    def calls(self) -> int:
        return sum(pattern.reads + pattern.writes for _, pattern in self.rows)

    @property
    def names(self) -> str:
        others = len(self.rows) - 1
        first = self.rows[0][0].path
        return first if not others else f"{first} and {others} more file{'s' if others > 1 else ''}"

    @property
    def took(self) -> str:
        return f"their calls took {units.duration(self.time)}, {_percent(self.share)} of the time in I/O calls"

    @property
    def processes(self) -> int:
        """Of the file that most processes use."""
        return max(row.processes for row, _ in self.rows)

    def total(self, amount: Callable[[FileRow, FilePattern], int]) -> int:
        return sum(amount(row, pattern) for row, pattern in self.rows)


def find(summary: Summary, patterns: Mapping[str, FilePattern]) -> tuple[Finding, ...]:
    """All findings, those about the most time first.

    Args:
        summary: of the run.
        patterns: of the files with the most time, by path.
    """
    case = _Case(summary, patterns)
    found = [finding for rule in _RULES for finding in rule(case)]
    return tuple(sorted(found, key=lambda finding: -finding.share))


def _small_requests(case: _Case) -> Iterator[Finding]:
    # Of a file that is no larger, a request cannot move more.
    files = case.files(
        lambda _, pattern: pattern.small >= 0.9 * (pattern.reads + pattern.writes) and pattern.extent > SMALL
    )
    if files:
        small = files.total(lambda _, pattern: pattern.small)
        yield Finding(
            "small-requests",
            f"Small requests to {files.names}",
            f"{units.count(small)} of {units.count(files.calls)} reads and writes moved less than 4 KiB, most often"
            f" {units.size(files.rows[0][1].common_size)}; {files.took}.",
            "Buffer in the program, or let the library use a larger buffer, so that each call moves 64 KiB or more.",
            files.share,
        )


def _stdio_buffer(case: _Case) -> Iterator[Finding]:
    """Requests of the size of a stream's buffer, in a run in which streams move nearly all bytes."""
    counted, header = case.summary.header.total_categories, case.summary.header
    above = [row for row in case.summary.functions if row.function in _STREAMS and row.category not in counted]
    moved, streams = header.bytes_read + header.bytes_written, sum(row.bytes_read + row.bytes_written for row in above)
    files = case.files(
        lambda _, pattern: (
            pattern.common_size == _STREAM_BUFFER and pattern.common_share >= 0.8 and pattern.word == "sequential"
        )
    )
    if not files or streams < 0.8 * moved or files.total(lambda row, _: row.bytes_read + row.bytes_written) < moved / 2:
        return
    yield Finding(
        "stdio-buffer",
        f"The C library's streams read and write {files.names} in pieces of {units.size(_STREAM_BUFFER)}",
        f"{units.count(sum(row.calls for row in above))} calls of {', '.join(sorted({row.function for row in above}))}"
        f" moved {units.size(streams)} of {units.size(moved)}; most of {units.count(files.calls)} reads and writes"
        f" moved {units.size(_STREAM_BUFFER)}, which is their buffer; {files.took}.",
        "Give streams a larger buffer (setvbuf, before they are used), or read and write large pieces without them.",
        files.share,
    )


def _random(
    rule: str, words: str, number: Callable[[FilePattern], int], advice: str
) -> Callable[[_Case], Iterator[Finding]]:
    """The rule for reads, or for writes, that do not go on where the one before had ended."""

    def find_random(case: _Case) -> Iterator[Finding]:
        files = case.files(
            lambda _, pattern: pattern.word == "random" and number(pattern) >= 0.8 * (pattern.reads + pattern.writes)
        )
        if files:
            jumps = files.total(lambda _, pattern: pattern.random)
            yield Finding(
                rule,
                f"Random {words} {files.names}",
                f"{units.count(jumps)} of {units.count(files.calls)} calls did not go on where the one before had"
                f" ended; {files.took}.",
                advice,
                files.share,
            )

    return find_random


_random_reads: Final = _random(
    "random-reads", "reads of", lambda pattern: pattern.reads,
    "Read in the order of the file, or read it once into memory; else tell the kernel with posix_fadvise.",
)  # fmt: skip
_random_writes: Final = _random(
    "random-writes", "writes to", lambda pattern: pattern.writes,
    "Write in the order of the file; collect in memory what lies together in it, and write that at once.",
)  # fmt: skip


def _misaligned(case: _Case) -> Iterator[Finding]:
    """Requests of whole pages that lie across pages. Where they are not of whole pages, no place would be right."""
    files = case.files(
        lambda _, pattern: (
            pattern.common_size % SMALL == 0
            and pattern.common_share >= 0.8
            and pattern.placed >= 0.9 * (pattern.reads + pattern.writes)
            and pattern.aligned <= 0.1 * pattern.placed
        )
    )
    if files:
        placed, aligned = (files.total(lambda _, p: p.placed), files.total(lambda _, p: p.aligned))
        yield Finding(
            "misaligned",
            f"Requests of whole pages to {files.names} begin inside pages",
            f"{units.count(placed - aligned)} of {units.count(placed)} reads and writes, most often of"
            f" {units.size(files.rows[0][1].common_size)}, begin at no multiple of {units.size(SMALL)}; {files.took}.",
            "Fill what lies before the data, such as a header, up to a multiple of the file system's blocks; with HDF5:"
            " H5Pset_alignment.",
            files.share,
        )


def _independent(case: _Case) -> Iterator[Finding]:
    """MPI processes that write small pieces between one another's, each for itself."""
    calls = dict.fromkeys(_MPI_WAYS, 0)
    for row in case.summary.functions:
        for way, pattern in _MPI_WAYS.items():
            calls[way] += row.calls if pattern.fullmatch(row.function) else 0
    files = case.files(
        lambda row, pattern: row.processes > 1 and pattern.common_size < 1 << 20 and pattern.word != "sequential"
    )
    if files and calls["independent"] >= max(MANY, files.calls // 2) and not calls["collective"]:
        yield Finding(
            "independent",
            f"Processes read and write {files.names} independently, in small pieces",
            f"{units.count(calls['independent'])} independent calls of MPI-IO and no collective one; up to"
            f" {units.count(files.processes)} processes share a file; {units.count(files.calls)} reads and writes, most"
            f" often of {units.size(files.rows[0][1].common_size)}, do not follow each other; {files.took}.",
            "Use collective calls (MPI_File_write_at_all; with HDF5: H5Pset_dxpl_mpio), so that MPI joins the pieces.",
            files.share,
        )


def _read_again(case: _Case) -> Iterator[Finding]:
    files = case.files(lambda row, pattern: pattern.again_bytes >= max(16 << 20, row.bytes_read // 2))
    if files and files.total(lambda _, pattern: pattern.again_bytes) >= 64 << 20:
        read = files.total(lambda row, _: row.bytes_read)
        once = max(1, read - files.total(lambda _, pattern: pattern.again_bytes))
        yield Finding(
            "read-again",
            f"The same bytes are read again, of {files.names}",
            f"{units.size(read)} were read of {units.size(once)}, {read / once:.1f} times each, by up"
            f" to {units.count(files.processes)} processes; {files.took}.",
            "Keep what was read in memory; where every process reads the same, let one read and broadcast it.",
            files.share,
        )


def _metadata(case: _Case) -> Iterator[Finding]:
    rows = [row for row in case.functions() if row.function in layers.METADATA]
    time, calls = sum(row.time_ns for row in rows), sum(row.calls for row in rows)
    if time >= 0.3 * case.time and calls >= MANY:
        top = max(rows, key=lambda row: row.time_ns)
        yield Finding(
            "metadata",
            "Much of the time goes to metadata, not to data",
            f"{units.count(calls)} calls such as {top.function} took {units.duration(time)},"
            f" {_percent(time / case.time)} of the time in I/O calls.",
            "Open files once and keep them open; use fewer, larger files; do not ask for the state of files in loops.",
            time / case.time,
        )


def _syncs(case: _Case) -> Iterator[Finding]:
    rows = [row for row in case.functions() if row.function in layers.SYNCS]
    time, calls = sum(row.time_ns for row in rows), sum(row.calls for row in rows)
    if calls >= 10 and time >= 0.2 * case.time:
        written = case.summary.header.bytes_written
        yield Finding(
            "sync",
            "Waiting for data to reach the device",
            f"{units.count(calls)} calls of {', '.join(sorted({row.function for row in rows}))} took"
            f" {units.duration(time)}, {_percent(time / case.time)} of the time in I/O calls;"
            f" {units.size(written // calls)} were written for each.",
            "Make data safe less often: after a checkpoint, not after each record; or in a thread of its own.",
            time / case.time,
        )


def _imbalance(case: _Case) -> Iterator[Finding]:
    """Among processes of one program: others, such as a shell that waits for them, have other work."""
    programs: dict[str, list[ProcessRow]] = {}
    for row in case.summary.processes:
        if row.busy_ns:
            programs.setdefault(row.name, []).append(row)
    for name, rows in programs.items():
        slowest, middle = max(rows, key=lambda row: row.busy_ns), statistics.median(row.busy_ns for row in rows)
        excess = slowest.busy_ns - middle
        if len(rows) < 4 or slowest.busy_ns < 2 * middle or excess < SHARE * case.summary.header.wall_ns:
            continue
        yield Finding(
            "imbalance",
            f"Process {slowest.key.id} spends far longer in I/O than the others{f' of {name}' if name else ''}",
            f"{units.duration(slowest.busy_ns)} in I/O, where half of the {len(rows)} processes spend at most"
            f" {units.duration(round(middle))}; it made {units.count(slowest.calls)} calls and moved"
            f" {units.size(slowest.bytes_read + slowest.bytes_written)}.",
            "If it moves more, share its work out; if it moves as much as the others, look at its node and its files.",
            min(1.0, slowest.time_ns / case.time),
        )


def _failures(case: _Case) -> Iterator[Finding]:
    """Of calls that look for files: others, such as a read that does not wait, may fail as they should."""
    for row in case.functions():
        if row.function not in layers.PATHS or row.time_ns < SHARE * case.time:
            continue
        if row.errors >= MANY and row.errors >= 0.5 * row.calls:
            yield Finding(
                "failures",
                f"Most calls of {row.function} fail",
                f"{units.count(row.errors)} of {units.count(row.calls)} calls failed; all of them took"
                f" {units.duration(row.time_ns)}.",
                "Programs and interpreters that look for files along a search path do this: shorten the path.",
                row.time_ns / case.time,
            )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


_A_FILE: Final = re.compile(r"/(?!proc/|sys/|dev/(?!shm/))")
_STREAMS: Final = frozenset(["fread", "fread_unlocked", "fwrite", "fwrite_unlocked"])
_STREAM_BUFFER: Final = 4096
"""glibc takes st_blksize, which is this in most file systems (libio/filedoalloc.c)."""
_MPI_WAYS: Final = {
    "independent": re.compile(r"MPI_File_i?(read|write)(_at|_shared)?"),
    "collective": re.compile(r"MPI_File_i?(read|write)(_all|_at_all|_ordered)(_begin)?"),
}
_RULES: Final[tuple[Callable[[_Case], Iterator[Finding]], ...]] = (
    _small_requests, _stdio_buffer, _random_reads, _random_writes, _misaligned, _read_again, _independent, _metadata,
    _syncs, _imbalance, _failures,
)  # fmt: skip
