"""The summary's figures, on traces whose content is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.analysis.summing.summarise import summarise
from datacrumbs.analysis.summing.summary import Summary
from hypothesis import given, settings
from hypothesis import strategies as st
from tracegen import EPOCH_NS, TraceWriter

MS = 1_000_000


def summary_of(*names: str | Path) -> Summary:
    with open_traces([str(name) for name in names], workers=2) as traces:
        return summarise(traces)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """Two processes, three threads, two files; a layer above the system calls; a failed call."""
    path = tmp_path_factory.mktemp("known") / "known.pfw.gz"
    with TraceWriter(path, run_id="4711") as trace:
        trace.opening()
        first = trace.process(10, "sh", cmd="sh -c ./app")
        trace.process(10, "app", cmd="./app -n 2", kind="exec", start_ns=EPOCH_NS + 1)
        second = trace.process(20, "app", cmd="./app -n 2", start_ns=EPOCH_NS + MS)
        data, log = trace.file("/data/in.bin"), trace.file("/data/log")
        trace.call(first, "read", EPOCH_NS + 10 * MS, 4 * MS, fhash=data, ret=4096, count=4096)
        trace.call(first, "read", EPOCH_NS + 12 * MS, 4 * MS, tid=11, fhash=data, ret=100, count=4096)
        trace.call(first, "read", EPOCH_NS + 20 * MS, 2 * MS, fhash=data, ret=0, count=4096)
        trace.call(first, "fwrite", EPOCH_NS + 30 * MS, 3 * MS, cat="C", ret=10, size=8)
        trace.call(first, "write", EPOCH_NS + 31 * MS, 1 * MS, fhash=log, ret=80, count=80)
        trace.call(second, "open64", EPOCH_NS + 13 * MS, 5 * MS, fhash=log, ret=-2, errno="ENOENT")
        trace.call(second, "sendfile", EPOCH_NS + 40 * MS, 500, fhash=data, ret=1000, count=1000)
        trace.call(second, "sync", EPOCH_NS + 41 * MS, 700, ret=0)
        trace.exit(second, EPOCH_NS + 100 * MS, exit=0)
        trace.closing(ended=EPOCH_NS // 1000 + 500_000)
    return summary_of(path)


def test_header_counts_who_and_what(known: Summary) -> None:
    header = known.header
    assert header.runs == ("4711",) and header.hosts == ("node1",) and header.users == ("alice",)
    assert (header.processes, header.threads, header.files) == (2, 3, 2)
    assert header.calls == 7, "the C library's call is not among the totals"
    assert header.started_us == EPOCH_NS // 1000
    assert header.wall_ns == 100 * MS, "from the first to the last thing that a process did"


def test_bytes_count_once_and_only_where_they_move(known: Summary) -> None:
    header = known.header
    assert (header.bytes_read, header.bytes_written, header.bytes_copied) == (4196, 80, 1000)
    assert header.total_categories == ("POSIX",)
    by_function = {row.function: row for row in known.functions}
    assert by_function["fwrite"].bytes_written == 80, "items times their size"
    assert by_function["open64"].bytes_read == by_function["open64"].bytes_written == 0


def test_three_ways_to_count_time(known: Summary) -> None:
    """Summed over calls; over processes without overlap of threads; and as seen on a clock on the wall."""
    header = known.header
    assert header.io_time_ns == (4 + 4 + 2 + 1 + 5) * MS + 500 + 700
    first, second = 6 + 2 + 1, 5
    assert header.io_busy_ns == (first + second) * MS
    assert header.io_wall_ns == (8 + 2 + 1) * MS, "10 to 18 in one piece, 20 to 22, and 31 to 32"
    assert header.bytes_per_s_io == pytest.approx((4196 + 80) / 0.011)
    assert header.bytes_per_s_wall == pytest.approx((4196 + 80) / 0.1)


def test_functions_have_exact_times(known: Summary) -> None:
    row = next(row for row in known.functions if row.function == "read")
    assert (row.calls, row.errors, row.time_ns, row.mean_ns) == (3, 0, 10 * MS, 3_333_333)
    assert (row.p50_ns, row.p99_ns, row.max_ns) == (4 * MS, 4 * MS, 4 * MS)
    row = next(row for row in known.functions if row.function == "sendfile")
    assert row.max_ns == row.p50_ns == 500, "less than a microsecond"


def test_failed_calls_are_counted(known: Summary) -> None:
    assert {row.function: row.errors for row in known.functions if row.errors} == {"open64": 1}


def test_files_have_their_paths_and_calls_without_a_file_are_not_among_them(known: Summary) -> None:
    assert {row.path: (row.calls, row.processes) for row in known.files} == {
        "/data/in.bin": (4, 2),
        "/data/log": (2, 2),
    }
    assert sum(row.calls for row in known.files) == known.header.calls - 1


def test_processes_are_known_by_their_last_program(known: Summary) -> None:
    first = next(row for row in known.processes if row.pid == 10)
    assert (first.name, first.command, first.host, first.threads) == ("app", "./app -n 2", "node1", 2)
    assert first.busy_ns == 9 * MS and first.time_ns == 11 * MS


def test_tables_add_up_to_the_header(known: Summary) -> None:
    for rows in (known.processes, [row for row in known.categories if row.category == "POSIX"]):
        assert sum(row.calls for row in rows) == known.header.calls
        assert sum(row.time_ns for row in rows) == known.header.io_time_ns
        assert sum(row.bytes_read for row in rows) == known.header.bytes_read


def test_a_complete_trace_says_so(known: Summary) -> None:
    facts = known.completeness
    assert facts.complete and facts.captured == facts.read == 8 and facts.lost == 0


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "a.pfw.gz", run_id="1") as trace:
        trace.opening(refused=["splice: not in this kernel"], refused_count=1, min_duration_ns=1000)
        trace.closing(
            ended=1, captured=90, lost=10, lost_by_function={"read": 7, "write": 3}, missed_returns=2, unwritten=4
        )
    with TraceWriter(tmp_path / "b.pfw.gz", run_id="1", host="node2") as trace:
        trace.opening()
    facts = summary_of(tmp_path).completeness
    assert not facts.complete
    assert (facts.captured, facts.lost, facts.missed_returns, facts.unwritten) == (90, 10, 2, 4)
    assert facts.lost_by_function == {"read": 7, "write": 3}
    assert facts.refused == ("splice: not in this kernel",)
    assert facts.unclosed == (str(tmp_path / "b.pfw.gz"),)
    assert facts.min_duration_ns == 1000


def test_nodes_add_up_and_equal_pids_on_two_nodes_are_two_processes(tmp_path: Path) -> None:
    for host in ("node1", "node2", "node3"):
        with TraceWriter(tmp_path / f"{host}.pfw.gz", host=host, run_id="9") as trace:
            trace.opening()
            worker = trace.process(100, "worker", cmd=f"worker {host}")
            trace.call(worker, "read", EPOCH_NS, 10 * MS, fhash=trace.file("/shared/input"), ret=1000)
            trace.closing(ended=1)
    summary = summary_of(tmp_path)
    assert summary.header.processes == 3 and summary.header.hosts == ("node1", "node2", "node3")
    assert summary.header.runs == ("9",)
    assert {(row.host, row.command) for row in summary.processes} == {(h, f"worker {h}") for h in summary.header.hosts}
    assert [(row.path, row.processes) for row in summary.files] == [("/shared/input", 3)]
    assert (summary.header.io_busy_ns, summary.header.io_wall_ns) == (30 * MS, 10 * MS)


def test_an_empty_trace_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "empty.pfw.gz").touch()
    header = summary_of(tmp_path / "empty.pfw.gz").header
    assert (header.calls, header.wall_ns, header.started_us, header.bytes_per_s_io) == (0, 0, 0, 0.0)


SPANS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(0, 60), st.integers(0, 20)), min_size=1, max_size=25
)


@settings(max_examples=30, deadline=None)
@given(spans=SPANS)
def test_busy_time_is_the_union_of_calls(tmp_path_factory: pytest.TempPathFactory, spans: list[Any]) -> None:
    """Against a slow and obvious reckoning, microsecond by microsecond, for any overlap of threads and processes."""
    path = tmp_path_factory.mktemp("union") / "t.pfw"
    with TraceWriter(path, plain=True) as trace:
        workers = {pid: trace.process(pid, "w") for pid in (1, 2, 3)}
        for pid, thread, start, length in spans:
            trace.call(workers[pid], "read", EPOCH_NS + 1000 * start, 1000 * length, tid=10 * pid + thread, ret=0)
    covered = {pid: {us for p, _, s, n in spans if p == pid for us in range(s, s + n)} for pid in workers}
    header = summary_of(path).header
    assert header.io_busy_ns == 1000 * sum(map(len, covered.values()))
    assert header.io_wall_ns == 1000 * len(set().union(*covered.values()))
    assert header.io_time_ns == 1000 * sum(n for _, _, _, n in spans)


def test_foreign_traces_of_dftracer_are_read(tmp_path: Path) -> None:
    """Numbers for `ph`, `id` and `type`, hashes for programs, paths in the call, no dur_ns, no host, plain and gzip."""
    ids = {"pid": 7, "tid": 7}
    metadata = {"cat": "dftracer", "type": 1, "ph": 4} | ids
    posix, stdio = ({"cat": cat, "type": 3, "ph": 1} | ids for cat in ("POSIX", "STDIO"))
    lines: list[dict[str, Any]] = [
        {"name": "HH"} | metadata | {"args": {"hhash": "aa", "name": "vm", "value": "aa"}},
        {"name": "SH"} | metadata | {"args": {"hhash": "aa", "name": "dd;if=a;of=b", "value": "c0"}},
        {"name": "SH"} | metadata | {"args": {"hhash": "aa", "name": "dd", "value": "e0"}},
        {"name": "FH"} | metadata | {"args": {"hhash": "aa", "name": "/a", "value": "f0"}},
        {"id": 1, "name": "start", "ts": 1_000, "dur": 0} | metadata
        | {"ph": 1, "args": {"hhash": "aa", "cmd_hash": "c0", "exec_hash": "e0", "version": 20003, "cwd": "f0"}},
        {"id": 2, "name": "read", "ts": 2_000, "dur": 9} | posix | {"args": {"hhash": "aa", "fhash": "f0", "ret": 512}},
        {"id": 3, "name": "fwrite", "ts": 2_100, "dur": 9} | stdio | {"args": {"fname": "/b", "ret": 100}},
        {"id": 4, "name": "fork", "ts": 3_000, "dur": 0} | posix,
        {"name": "cpu", "cat": "sys", "type": 7, "ts": 3_000, "ph": "C", "args": {"user_pct": 1.5}} | ids,
    ]  # fmt: skip
    (tmp_path / "foreign.pfw").write_text("[\n" + "".join(json.dumps(line) + "\n" for line in lines) + "]")
    summary = summary_of(tmp_path)
    header = summary.header
    assert (header.calls, header.bytes_read, header.bytes_written) == (3, 512, 100)
    assert header.total_categories == ("POSIX", "STDIO")
    assert {row.path for row in summary.files} == {"/a", "/b"}
    assert {(row.host, row.command, row.name) for row in summary.processes} == {("vm", "dd if=a of=b", "dd")}
    assert summary.completeness.captured is None and summary.completeness.broken_lines == 0
    assert summary.completeness.other_records == 1
    assert next(row for row in summary.functions if row.function == "read").max_ns == 9_000
