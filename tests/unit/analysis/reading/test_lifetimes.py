"""A process id that was given again is another process, in every table and figure, however a trace is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from datacrumbs.analysis.exports.lines import perfetto
from datacrumbs.analysis.reading.trace import Traces, open_traces
from datacrumbs.analysis.report.document import Budget, prepare
from datacrumbs.analysis.summing.gain import patterns_of
from datacrumbs.analysis.summing.gather import Gathered, gathered, of_traces
from datacrumbs.analysis.summing.summarise import summarise
from datacrumbs.analysis.summing.summary import ProcessRow, Summary
from hypothesis import given, settings
from hypothesis import strategies as st
from tracegen import EPOCH_NS, Process, TraceWriter

MS = 1_000_000
FIRST, SECOND = 0, 500 * MS
"""When the two lives of process 7 begin, nanoseconds into the trace."""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Process 7 twice, and process 8 all the time, in so many members that several workers share them."""
    path = tmp_path_factory.mktemp("lives") / "t.pfw.gz"
    with TraceWriter(path, member_bytes=20_000) as writer:
        writer.opening()
        other = writer.process(8, "other", start_ns=EPOCH_NS)
        data, log = writer.file("/data/in"), writer.file("/data/log")
        for life, (begin, calls) in enumerate(((FIRST, 300), (SECOND, 500))):
            mine = writer.process(7, f"life{life}", cmd=f"./life{life}", start_ns=EPOCH_NS + begin)
            for number in range(calls):
                at = EPOCH_NS + begin + number * MS // 2
                writer.call(mine, "read", at, 100_000, fhash=data, ret=1000 if number % 10 else -5)
                writer.call(mine, "write", at + 50_000, 100_000, tid=7 + life * (number % 3), fhash=log, ret=10)
                writer.call(mine, "epoch", at, 75_000, cat="COMPUTE")
                writer.call(other, "read", at, 10_000, fhash=data, ret=1)
            writer.call(mine, "read", EPOCH_NS + begin + 300 * MS, MS, ret=7, fname="caf\u00e9")  # of an unusual form
            spread = {4000: 20 + life}
            writer.added_up(mine, "close", EPOCH_NS + begin + 301 * MS, spread, moved=0, interval=life)
            writer.exit(mine, EPOCH_NS + begin + 400 * MS, exit=life)
        writer.closing(ended=1)
    return path


@contextmanager
def opened(trace: Path, workers: int | None) -> Iterator[Traces | Gathered]:
    """All calls in memory, or sums alone by a number of workers."""
    names = [str(trace)]
    with open_traces(names) if workers is None else gathered(names, workers=workers) as found:
        yield found


def of_life(summary: Summary, life: int) -> ProcessRow:
    return next(row for row in summary.processes if (row.pid, row.life) == (7, life))


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_each_life_has_its_own_row(trace: Path, workers: int | None) -> None:
    with opened(trace, workers) as found:
        summary = summarise(found)
    first, second, other = of_life(summary, 0), of_life(summary, 1), summary.processes[-1]
    assert len(summary.processes) == summary.header.processes == 3
    assert [(row.name, row.command) for row in (first, second)] == [("life0", "./life0"), ("life1", "./life1")]
    assert (first.calls, second.calls, other.calls) == (600 + 1 + 20, 1000 + 1 + 21, 800)
    assert (first.errors, second.errors) == (30, 50)
    assert (first.threads, second.threads, summary.header.threads) == (1, 3, 5)
    assert (first.bytes_read, second.bytes_read) == (270 * 1000 + 7, 450 * 1000 + 7)
    assert (first.time_ns, second.time_ns) == (61 * MS + 20 * 4000, 101 * MS + 21 * 4000)
    assert (first.busy_ns, second.busy_ns) == (46 * MS + 20 * 4000, 76 * MS + 21 * 4000), "read and write overlap"


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_what_counts_by_process_counts_lives(trace: Path, workers: int | None) -> None:
    with opened(trace, workers) as found:
        summary = summarise(found)
        reads = found.database.execute("SELECT DISTINCT life FROM threads WHERE pid = 7 ORDER BY life").fetchall()
    assert {row.path: row.processes for row in summary.files} == {"/data/in": 3, "/data/log": 2, "caf\u00e9": 2}
    uneven, overlap = summary.insight.imbalance, summary.insight.overlap
    assert uneven is not None and (uneven.processes, uneven.pid, uneven.life) == (3, 7, 1)
    assert overlap is not None and overlap.both_ns == overlap.region_ns == 800 * 75_000
    assert reads == [(0,), (1,)]


def test_parts_give_what_all_calls_in_memory_give(trace: Path) -> None:
    with opened(trace, None) as memory, opened(trace, 3) as parts:
        expected, found = summarise(memory), summarise(parts)
        assert found == expected
        assert isinstance(parts, Gathered) and patterns_of(parts) is not None


@pytest.mark.parametrize("workers", [None, 1])
def test_lives_of_which_only_profiles_are_known(tmp_path: Path, workers: int | None) -> None:
    """A row of a profile is of the life in which it begins."""
    with TraceWriter(tmp_path / "t.pfw.gz") as writer:
        for life in range(3):
            begin = EPOCH_NS + life * MS
            process = writer.process(7, f"life{life}", start_ns=begin)
            writer.added_up(process, "read", begin, {1000: 10 + life}, moved=100, interval=life)
            writer.exit(process, begin + MS // 2, exit=0)
    with opened(tmp_path / "t.pfw.gz", workers) as found:
        summary = summarise(found)
    assert sorted((row.life, row.name, row.calls, row.busy_ns) for row in summary.processes) == [
        (life, f"life{life}", 10 + life, (10 + life) * 1000) for life in range(3)
    ]


def test_reports_and_exports_tell_lives_apart(trace: Path, tmp_path: Path) -> None:
    with open_traces([str(trace)]) as traces:
        whole = of_traces(traces)
        summary = summarise(whole)
        processes = prepare(traces, whole.sums, summary)(Budget())["processes"]
        perfetto(traces, tmp_path / "out.json")
    found = {(one["pid"], one["life"]): one for one in processes}
    assert len(found) == len(processes) == 3
    for life, began in enumerate((FIRST, SECOND)):
        row, one = of_life(summary, life), found[7, life]
        assert (one["name"], one["threads"], one["busy"], one["exit"]) == (row.name, row.threads, row.busy_ns, life)
        assert (one["start"], one["end"]) == (began // 1000, (began + 400 * MS) // 1000)
    named = [line for line in (tmp_path / "out.json").read_text().splitlines() if "process_name" in line]
    assert len(named) == 3 and all(any(f'"{name}"' in line for line in named) for name in ("life0", "life1", "other"))


CALL = st.tuples(
    st.sampled_from(["read", "write", "close"]), st.integers(0, 3000), st.integers(0, 2000), st.integers(-50, 50),
    st.integers(0, 2), st.sampled_from(["/a", "/b", ""]),
)  # fmt: skip
"""A call: its function, its begin in its life and its duration in nanoseconds, its result, thread and file."""


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(CALL, max_size=6), min_size=1, max_size=4), st.integers(1, 2))
def test_lives_are_summed_up_as_if_each_had_an_id_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, calls: list[list[tuple[str, int, int, int, int, str]]], workers: int
) -> None:
    folder = tmp_path_factory.mktemp("lives")

    def written(name: str, step: int) -> Path:
        with TraceWriter(folder / name, member_bytes=1000) as writer:
            for life, made in enumerate(calls):
                begin, first = EPOCH_NS + 10_000 * life, 1000 * (1 + step * life)
                process = writer.process(first, f"p{life}", start_ns=begin)
                for function, at, duration, ret, thread, path in made:
                    named = {"fname": path} if path else {}
                    writer.call(process, function, begin + at, duration, tid=first + thread, ret=ret, **named)
                writer.exit(Process(first, ""), begin + 9000, exit=0)
        return folder / name

    with opened(written("again.pfw.gz", 0), workers) as again, opened(written("apart.pfw.gz", 1), workers) as apart:
        found, expected = summarise(again), summarise(apart)
    renamed = [dataclasses.replace(row, pid=1000 * (1 + row.life), life=0) for row in found.processes]
    assert sorted(renamed, key=lambda row: row.pid or 0) == sorted(expected.processes, key=lambda row: row.pid or 0)
    assert dataclasses.replace(found, processes=(), insight=expected.insight) == dataclasses.replace(
        expected, processes=()
    )
    assert found.insight.phases == expected.insight.phases and found.insight.kinds == expected.insight.kinds
