"""A trace that is larger than memory gets the same answers, from files that nobody sees."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

import duckdb
import pytest
from tracegen import repeated

MEMORY: Final = 480
"""MiB of private memory for calls that took more than 500 when all of them were in it."""
_COMMAND: Final = "from datacrumbs.analysis.command import main; raise SystemExit(main())"


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three million calls: 220 MB of columns, and 70 MB of which is inside which."""
    path = tmp_path_factory.mktemp("large") / "t.pfw.gz"
    repeated(path, 3_000_000, 30)
    return path


def analyze(work: Path, *words: str | Path, memory: int = 0, largest: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs a verb with `work` for temporary files, of which none may be left.

    `memory` is MiB of private memory that the process may have, which pages of files are not; `largest` MiB of a file
    that it may write; 0 is any.
    """

    def limits() -> None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])  # each thread has a stack
        for which, size in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, largest)):
            if size:
                resource.setrlimit(which, (size << 20, size << 20))

    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, *words], capture_output=True, text=True, preexec_fn=limits,
        env=os.environ | {"TMPDIR": str(work)},
    )  # fmt: skip
    assert not list(work.iterdir())
    return done


QUERY: Final = "SELECT name, count(*), sum(ns), max(ret) FROM calls GROUP BY ALL ORDER BY 1"


@pytest.mark.parametrize("verb", [("explain", "write", "{}", "--json"), ("sql", "{}", QUERY)], ids=["explain", "sql"])
def test_answers_are_the_same(trace: Path, tmp_path: Path, verb: tuple[str, ...]) -> None:
    narrow, wide = (analyze(tmp_path, *(word.format(trace) for word in verb), memory=memory) for memory in (MEMORY, 0))
    assert (narrow.returncode, narrow.stderr) == (0, ""), narrow.stderr
    assert narrow.stdout == wide.stdout


@pytest.mark.parametrize("memory", [40, 100, 255, 280, 320, 360])
def test_memory_that_is_too_short_is_told_in_a_line(trace: Path, tmp_path: Path, memory: int) -> None:
    """By us, and not by a library that ends the process; below what any answer takes, the limit is named."""
    done = analyze(tmp_path, "explain", "write", trace, memory=memory)
    assert done.returncode == 75 and done.stderr.count("\n") == 1, done.stderr
    assert ("ulimit -d allows" in done.stderr) == (memory < 256) and "not enough memory" in done.stderr


def test_the_report_is_the_same(trace: Path, tmp_path: Path) -> None:
    pages = []
    for memory in (MEMORY + 120, 0):  # its tables take the same, however long the trace is
        (work := tmp_path / str(memory)).mkdir()
        done = analyze(work, "report", trace, "-o", tmp_path / "report.html", memory=memory)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        pages.append((tmp_path / "report.html").read_bytes())
    assert pages[0] == pages[1]


def test_a_summary_is_the_same(tmp_path: Path) -> None:
    """Twelve million calls: 192 MB of spans of lanes alone, of which there were three copies in memory."""
    repeated(trace := tmp_path / "t.pfw.gz", 12_000_000, 120)
    (work := tmp_path / "work").mkdir()
    narrow, wide = (analyze(work, "summary", trace, "--json", memory=memory) for memory in (MEMORY + 240, 0))
    assert (narrow.returncode, narrow.stderr) == (0, ""), narrow.stderr
    assert narrow.stdout == wide.stdout


def test_an_export_has_the_same_rows(trace: Path, tmp_path: Path) -> None:
    """In whichever order several threads wrote them."""
    sums = []
    for memory in (MEMORY, 0):
        (work := tmp_path / str(memory)).mkdir()
        target = tmp_path / f"{memory}.parquet"
        done = analyze(work, "export", trace, "--to", "parquet", "-o", target, memory=memory)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        sums += duckdb.execute(
            "SELECT count(*), sum(hash(calls)) FROM read_parquet(?) AS calls", [str(target)]
        ).fetchall()
    assert sums[0] == sums[1] and sums[0][0] == 3_000_000


def test_a_full_disk_is_one_line(trace: Path, tmp_path: Path) -> None:
    done = analyze(tmp_path, "sql", trace, "SELECT count(*) FROM calls", memory=MEMORY, largest=2)
    assert done.returncode == 75
    assert done.stderr.count("\n") == 1 and "no space" in done.stderr and "TMPDIR" in done.stderr
