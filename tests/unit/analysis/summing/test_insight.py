"""What the summary says beyond its tables: what time was for, when it was spent, and how evenly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.analysis.summing.insight import Insight
from datacrumbs.analysis.summing.summarise import summarise
from tracegen import EPOCH_NS, Process, TraceWriter

US, MS = 1000, 1_000_000
Fill = Callable[[TraceWriter, Process, str], None]


def insight(tmp_path: Path, fill: Fill) -> Insight:
    path = tmp_path / "t.pfw.gz"
    with TraceWriter(path) as trace:
        trace.opening()
        process = trace.process(7, "app")
        fill(trace, process, trace.file("/data/a"))
        trace.closing(ended=1)
    with open_traces([str(path)]) as traces:
        return summarise(traces).insight


def test_kinds_of_time_and_their_findings(tmp_path: Path) -> None:
    def fill(trace: TraceWriter, process: Process, file: str) -> None:
        for number in range(1500):
            at = EPOCH_NS + number * 100 * US
            trace.call(process, "stat", at, 30 * US, ret=0, fhash=file)
            trace.call(process, "fsync", at + 40 * US, 50 * US, ret=0, fhash=file)
            trace.call(process, "open64", at + 95 * US, 2 * US, ret=-2, fhash=file)
            trace.call(process, "futex", at + 98 * US, US, ret=0)

    found = insight(tmp_path, fill)
    assert (found.kinds.metadata_ns, found.kinds.sync_ns, found.kinds.data_ns) == (1500 * 32 * US, 1500 * 50 * US, 0)
    assert found.kinds.other_ns == 1500 * US, "what is no I/O is nothing about files either"
    assert found.kinds.metadata_share == pytest.approx(32 / 83)


@pytest.mark.parametrize("uneven", [True, False])
def test_uneven_processes(tmp_path: Path, uneven: bool) -> None:
    def fill(trace: TraceWriter, process: Process, file: str) -> None:
        for number in range(4):
            length = 100 * MS if number or not uneven else 900 * MS
            one = trace.process(100 + number, "rank")
            trace.call(one, "write", EPOCH_NS, length, ret=1000, fhash=file)

    found = insight(tmp_path, fill)
    assert found.imbalance is not None and found.imbalance.processes == 4
    assert found.imbalance.ratio == pytest.approx(3 if uneven else 1) and found.imbalance.bytes_ratio == 1
    assert not uneven or found.imbalance.pid == 100


def test_phases(tmp_path: Path) -> None:
    """Two bursts with a pause of a third of the run between them."""

    def fill(trace: TraceWriter, process: Process, file: str) -> None:
        for start, name in ((0, "read"), (2000 * MS, "write")):
            for number in range(100):
                trace.call(process, name, EPOCH_NS + start + number * 10 * MS, 9 * MS, ret=10, fhash=file)

    first, second = insight(tmp_path, fill).phases
    assert (first.calls, first.bytes_read, first.bytes_written) == (100, 1000, 0)
    assert (second.calls, second.bytes_read, second.bytes_written) == (100, 0, 1000)
    assert second.start_us - first.end_us == pytest.approx(1_001_000, abs=10)


def test_overlap_of_regions_and_io(tmp_path: Path) -> None:
    def fill(trace: TraceWriter, process: Process, file: str) -> None:
        trace.call(process, "step", EPOCH_NS, 10 * MS, cat="region")
        trace.call(process, "read", EPOCH_NS + 8 * MS, 8 * MS, ret=1, tid=9, fhash=file)

    overlap = insight(tmp_path, fill).overlap
    assert overlap is not None
    assert (overlap.region_ns, overlap.io_ns, overlap.both_ns, overlap.share) == (10 * MS, 8 * MS, 2 * MS, 0.25)
