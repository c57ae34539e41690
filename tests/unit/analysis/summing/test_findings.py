"""Findings: each rule fires on a run that has the problem, and on none that has it not."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.analysis.summing import findings, patterns
from datacrumbs.analysis.summing.findings import Finding
from datacrumbs.analysis.summing.summarise import summarise
from tracegen import EPOCH_NS, Process, TraceWriter, name_hash

ROOT = Path(__file__).resolve().parents[4]


class Job:
    """Writes calls that follow each other, each in its process."""

    def __init__(self, trace: TraceWriter) -> None:
        self.trace = trace
        self._now: dict[int, int] = {}

    def call(self, process: Process, name: str, length: int, ret: int, path: str = "/data/a", **args: Any) -> None:
        now = self._now.get(process.pid, EPOCH_NS)
        self.trace.call(process, name, now, length, fhash=name_hash(path), ret=ret, **args)
        self._now[process.pid] = now + length + 1000


def found(path: Path, act: Callable[[Job, Process], None]) -> tuple[Finding, ...]:
    with TraceWriter(path / "t.pfw.gz") as trace:
        trace.opening()
        for name in ("/data/a", "/data/b", "/proc/self/stat", "pipe:[7]"):
            trace.file(name)
        act(Job(trace), trace.process(1, "w"))
        trace.closing(ended=EPOCH_NS)
    with open_traces([str(path / "t.pfw.gz")]) as traces:
        summary = summarise(traces)
        rows = traces.database.execute("SELECT id, path FROM files WHERE id > 0").fetchall()
        known = patterns.find(traces, [file for file, _ in rows], summary.header.total_categories)
        return findings.find(summary, {name: known[file] for file, name in rows if file in known})


def rules(path: Path, act: Callable[[Job, Process], None]) -> set[str]:
    return {finding.rule for finding in found(path, act)}


def healthy(job: Job, process: Process) -> None:
    job.call(process, "open64", 1000, 3)
    for _ in range(5000):
        job.call(process, "read", 400_000, 1 << 20)


def small(job: Job, process: Process) -> None:
    job.call(process, "open64", 1000, 3)
    for _ in range(5000):
        job.call(process, "write", 2000, 100)


def small_but_whole(job: Job, process: Process) -> None:
    """A file that is read again and again, and has no more bytes; a pipe; what the kernel tells of itself."""
    for _ in range(3000):
        for name in ("/data/a", "/data/b"):
            job.call(process, "pread64", 2000, 300, name, offset=0)
        for name in ("pipe:[7]", "/proc/self/stat"):
            job.call(process, "read", 2000, 300, name)


def streams(job: Job, process: Process, size: int = 4096) -> None:
    """What fwrite gives to write."""
    job.call(process, "open64", 1000, 3)
    for _ in range(5000):
        job.call(process, "write", 2000, size)
        job.call(process, "fwrite", 1000, size, cat="C")


def without_streams(job: Job, process: Process) -> None:
    """The same system calls, and one fwrite."""
    job.call(process, "open64", 1000, 3)
    job.call(process, "fwrite", 3000, 4096, cat="C")
    for _ in range(5000):
        job.call(process, "write", 2000, 4096)


def large_streams(job: Job, process: Process) -> None:
    streams(job, process, 1 << 20)


def at_random(job: Job, process: Process, name: str = "pread64") -> None:
    for place in random.Random(2).sample(range(100_000), 3000):
        job.call(process, name, 90_000, 65_536, offset=place * 65_536)


def writes_at_random(job: Job, process: Process) -> None:
    at_random(job, process, "pwrite64")


def in_strides(job: Job, process: Process) -> None:
    for place in range(3000):
        job.call(process, "pread64" if place % 2 else "pwrite64", 90_000, 65_536, offset=place * 3 * 65_536)


def behind_a_header(job: Job, process: Process, header: int = 100, size: int = 65_536) -> None:
    for place in range(3000):
        job.call(process, "pwrite64", 90_000, size, offset=header + place * size)


def behind_a_page(job: Job, process: Process) -> None:
    behind_a_header(job, process, 4096)


def of_no_whole_pages(job: Job, process: Process) -> None:
    """No header makes these begin where pages do."""
    behind_a_header(job, process, size=65_000)


def mpi(job: Job, process: Process, call: str = "MPI_File_write_at", ranks: int = 4, size: int = 16_384) -> None:
    """Ranks of four write blocks in turns."""
    for rank in range(ranks):
        other = job.trace.process(10 + rank, "rank")
        for block in range(3200 // ranks):
            job.call(other, "pwrite64", 50_000, size, offset=(block * 4 + rank) * size)
            job.call(other, call, 60_000, 0, cat="MPI-IO")


def mpi_collective(job: Job, process: Process) -> None:
    """Independent calls, as HDF5 makes for its own, beside collective ones."""
    mpi(job, process)
    for _ in range(800):
        job.call(process, "MPI_File_write_at_all", 60_000, 0, cat="MPI-IO")


def mpi_large(job: Job, process: Process) -> None:
    mpi(job, process, size=4 << 20)


def mpi_alone(job: Job, process: Process) -> None:
    mpi(job, process, ranks=1)


def again(job: Job, process: Process) -> None:
    for _ in range(4):
        job.call(process, "lseek", 300, 0)
        for _ in range(500):
            job.call(process, "read", 50_000, 1 << 20)


def metadata(job: Job, process: Process) -> None:
    for _ in range(2000):
        job.call(process, "open64", 9000, 3)
        job.call(process, "read", 5000, 1 << 20)
        job.call(process, "close", 1000, 0)


def syncs(job: Job, process: Process) -> None:
    for _ in range(200):
        job.call(process, "write", 5000, 1 << 20)
        job.call(process, "fsync", 4_000_000, 0)


def imbalance(job: Job, process: Process) -> None:
    for number in range(6):
        other = job.trace.process(10 + number, "rank")
        for _ in range(1200):
            job.call(other, "read", 400_000 if number == 3 else 50_000, 1 << 20)


def waiting_shell(job: Job, process: Process) -> None:
    """One process of another program waits for six that do the same."""
    for number in range(6):
        other = job.trace.process(10 + number, "rank")
        for _ in range(1200):
            job.call(other, "read", 50_000, 1 << 20)
    job.call(process, "read", 300_000_000, 1, "pipe:[7]")


def failures(job: Job, process: Process) -> None:
    for _ in range(3000):
        job.call(process, "open64", 2000, -2)


def not_yet(job: Job, process: Process) -> None:
    """Reads that do not wait: EAGAIN."""
    for _ in range(3000):
        job.call(process, "read", 2000, -11, "pipe:[7]")


def waits(job: Job, process: Process) -> None:
    """All system calls were traced, also those that wait for other threads."""
    for _ in range(2000):
        job.call(process, "futex", 50_000, 0)
        job.call(process, "read", 50_000, 1 << 20)


def once(job: Job, process: Process) -> None:
    """A large file, once."""
    for _ in range(2000):
        job.call(process, "read", 50_000, 1 << 20)


def one_sync(job: Job, process: Process) -> None:
    for _ in range(2000):
        job.call(process, "write", 50_000, 1 << 20)
    job.call(process, "fsync", 40_000_000, 0)


BAD = {"small-requests": small, "stdio-buffer": streams, "random-reads": at_random, "random-writes": writes_at_random,
       "misaligned": behind_a_header, "read-again": again, "independent": mpi, "metadata": metadata, "sync": syncs,
       "imbalance": imbalance, "failures": failures}  # fmt: skip
GOOD = {"small-requests": [small_but_whole], "stdio-buffer": [without_streams, large_streams],
        "random-reads": [in_strides, writes_at_random], "random-writes": [in_strides, at_random],
        "misaligned": [behind_a_page, of_no_whole_pages], "read-again": [once],
        "independent": [mpi_collective, mpi_large, mpi_alone], "metadata": [waits], "sync": [one_sync],
        "imbalance": [waiting_shell], "failures": [not_yet]}  # fmt: skip
"""What looks like the problem of a rule, and is none."""


@pytest.mark.parametrize("rule", BAD)
def test_a_run_with_the_problem_is_told(tmp_path: Path, rule: str) -> None:
    told = [finding for finding in found(tmp_path, BAD[rule]) if finding.rule == rule]
    assert len(told) == 1 and told[0].advice and any(c.isdigit() for c in told[0].evidence)
    assert 0 < told[0].share <= 1


@pytest.mark.parametrize(("rule", "act"), [(rule, act) for rule, acts in GOOD.items() for act in acts])
def test_a_run_that_only_looks_like_it_is_not(tmp_path: Path, rule: str, act: Callable[[Job, Process], None]) -> None:
    assert rule not in rules(tmp_path, act)


def test_a_healthy_run_has_none(tmp_path: Path) -> None:
    assert rules(tmp_path, healthy) == set()


def test_a_few_calls_are_no_finding(tmp_path: Path) -> None:
    """The same small requests, but too few of them to advise anything."""

    def few(job: Job, process: Process) -> None:
        for _ in range(100):
            job.call(process, "write", 2000, 100)

    assert rules(tmp_path, few) == set()


def test_the_documentation_names_every_rule() -> None:
    page = (ROOT / "docs" / "reading-reports.md").read_text()
    for rule in BAD:
        assert f"`{rule}`" in page
