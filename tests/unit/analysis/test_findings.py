"""Findings: each rule fires on a run that has the problem, and on none that has it not."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from datacrumbs.analysis import findings, patterns
from datacrumbs.analysis.findings import Finding
from datacrumbs.analysis.summarise import summarise
from datacrumbs.analysis.trace import open_traces
from tracegen import EPOCH_NS, Process, TraceWriter

ROOT = Path(__file__).resolve().parents[3]


class Job:
    """Writes calls that follow each other, each in its process."""

    def __init__(self, trace: TraceWriter) -> None:
        self.trace = trace
        self.file = trace.file("/data/a")
        self._now: dict[int, int] = {}

    def call(self, process: Process, name: str, length: int, ret: int, **args: int) -> None:
        now = self._now.get(process.pid, EPOCH_NS)
        self.trace.call(process, name, now, length, fhash=self.file, ret=ret, **args)
        self._now[process.pid] = now + length + 1000


def found(path: Path, act: Callable[[Job, Process], None]) -> tuple[Finding, ...]:
    with TraceWriter(path / "t.pfw.gz") as trace:
        trace.opening()
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


def at_random(job: Job, process: Process) -> None:
    for place in random.Random(2).sample(range(100_000), 3000):
        job.call(process, "pread64", 90_000, 65_536, offset=place * 65_536)


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


def failures(job: Job, process: Process) -> None:
    for _ in range(3000):
        job.call(process, "open64", 2000, -2)


BAD = {"small-requests": small, "random-reads": at_random, "read-again": again, "metadata": metadata, "sync": syncs,
       "imbalance": imbalance, "failures": failures}  # fmt: skip


@pytest.mark.parametrize("rule", BAD)
def test_a_run_with_the_problem_is_told(tmp_path: Path, rule: str) -> None:
    told = [finding for finding in found(tmp_path, BAD[rule]) if finding.rule == rule]
    assert len(told) == 1 and told[0].advice and any(c.isdigit() for c in told[0].evidence)
    assert 0 < told[0].share <= 1


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
