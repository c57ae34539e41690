"""Other tools read our traces, and find in them what we find: DFTracer's own tools, dfanalyzer, Perfetto."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import readers
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.analysis.summing.summarise import summarise
from datacrumbs.analysis.summing.summary import Summary
from tracegen import EPOCH_NS, TraceWriter

ROOT = Path(__file__).resolve().parents[3]
LIVES = 8
"""Starts and ends of processes in the fixture: other readers count them as events."""

# The first test that needs a reader installs it, which takes a minute.
pytestmark = pytest.mark.timeout(900)
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="no nodejs")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four processes with nested layers, regions, failures, and every kind of data call."""
    path = tmp_path_factory.mktemp("readers") / "trace.pfw.gz"
    with TraceWriter(path, member_bytes=30_000) as writer:
        writer.opening()
        workers = [writer.process(100 * n, f"worker{n}", ppid=1) for n in range(1, 5)]
        files = [writer.file(f"/scratch/data/file {n}") for n in range(7)]
        now = EPOCH_NS
        for number in range(400):
            worker, file = workers[number % 4], files[number % 7]
            for name, size in (("read", 4096), ("pread64", 100), ("readv", 0), ("write", 17), ("pwritev", 8192)):
                writer.call(worker, name, now, 1700, fhash=file, ret=size)
                now += 1900
            # A child with the microseconds of its parent comes after it.
            writer.call(worker, "fwrite", now, 900, cat="C")
            writer.call(worker, "write", now + 100, 600, fhash=file, ret=33)
            writer.call(worker, "open64", now + 5000, 2500, fhash=file, ret=-2, errno="ENOENT", syscall="openat")
            writer.call(worker, "sendfile", now + 8000, 100, fhash=file, ret=55)
            now += 12_000
        for worker in workers:
            writer.exit(worker, now, exit=0)
        writer.closing(ended=now // 1000)
    return path


@pytest.fixture(scope="module")
def ours(trace: Path) -> Summary:
    with open_traces([str(trace)]) as traces:
        return summarise(traces)


def test_dftracer_validates_and_counts(trace: Path, ours: Summary) -> None:
    assert "1 passed, 0 failed" in readers.dftracer_validate(trace)
    assert readers.dftracer_count(trace) == ours.completeness.read + LIVES


def test_dfanalyzer_has_our_counts_and_bytes(trace: Path, ours: Summary) -> None:
    """Also with a layer above the system calls in the trace: nothing counts twice."""
    header = ours.header
    moved = header.bytes_read + header.bytes_written + header.bytes_copied
    assert readers.dfanalyzer_totals(trace) == (header.calls, moved)


@needs_node
def test_perfetto_loads_every_slice(trace: Path, ours: Summary) -> None:
    assert readers.perfetto_slices(trace) == (ours.completeness.read + LIVES, {})


@needs_node
def test_perfetto_nests_layers_and_names_processes(trace: Path) -> None:
    [[nested]] = readers.perfetto_query(
        trace,
        "SELECT count(*) FROM slice c JOIN slice p ON c.parent_id = p.id WHERE c.name='write' AND p.name='fwrite'",
    )
    assert nested == 400
    names = readers.perfetto_query(trace, "SELECT name FROM process WHERE name IS NOT NULL ORDER BY pid")
    assert names == [[f"worker{n}"] for n in range(1, 5)]


@needs_node
def test_perfetto_would_tell_of_a_dropped_slice(tmp_path: Path) -> None:
    """The check above can fail: calls of one thread that overlap without nesting are dropped, and counted."""
    with TraceWriter(tmp_path / "t.pfw.gz") as writer:
        worker = writer.process(1, "w")
        writer.call(worker, "read", EPOCH_NS, 5000)
        writer.call(worker, "read", EPOCH_NS + 3000, 5000)
    assert readers.perfetto_slices(tmp_path / "t.pfw.gz") == (2, {"slice_drop_overlapping_complete_event": 1})


def test_the_documentation_shows_lines_of_the_golden_example() -> None:
    """Every JSON line in docs/trace-format.md is a line of tests/golden/example.pfw."""
    golden = [ROOT / "tests" / "golden" / name for name in ("example.pfw", "trace.pfw")]
    example = [json.loads(line) for path in golden for line in path.read_text().splitlines()[1:]]
    shown = [line for line in (ROOT / "docs/trace-format.md").read_text().splitlines() if line.startswith('{"')]
    assert len(shown) > 8
    for line in shown:
        assert json.loads(line) in example, line
