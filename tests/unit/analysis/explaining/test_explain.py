"""What explain makes of traces whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datacrumbs.analysis.explaining.explain import explain
from datacrumbs.analysis.explaining.explanation import Explanation
from datacrumbs.analysis.explaining.selection import Selection
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.analysis.reporters import as_json
from datacrumbs.core.errors import NoInputError
from tracegen import EPOCH_NS, Process, TraceWriter

US = 1000


def read(trace: TraceWriter, process: Process, start: int, *, cold: bool, **args: object) -> int:
    """A read of 64 KiB: 10 µs from the page cache, 500 µs where the device has to be asked. Returns its end."""
    length = 500 * US if cold else 10 * US
    at = EPOCH_NS + start
    if cold:
        tid = process.pid
        trace.call(process, "mm_filemap_add_to_page_cache", at + 2 * US, 0, cat="filemap", ts_ns=0)
        trace.call(
            process, "block_rq", at + 5 * US, 480 * US, cat="block", tid=10_000_000, cause="request", thread=tid,
            bytes=65536, ts_ns=0,
        )  # fmt: skip
        trace.call(process, "ext4_mpage_readpages", at + 3 * US, 4 * US, cat="ext4", ts_ns=0)
    trace.call(process, "read", at, length, ret=65536, count=65536, ts_ns=0, **args)
    return start + length + US


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """200 reads: one in ten is cold."""
    path = tmp_path / "mixed.pfw.gz"
    with TraceWriter(path) as trace:
        trace.opening()
        process, file, at = trace.process(7, "app"), trace.file("/data/in"), 0
        for number in range(200):
            at = read(trace, process, at, cold=number % 10 == 0, fhash=file)
        trace.closing(ended=1)
    return path


def explained(path: Path, function: str = "read", *, slowest: int = 0, **which: Any) -> Explanation:
    with open_traces([str(path)]) as traces:
        return explain(traces, function, Selection(**which), slowest=slowest)


def test_the_device_is_named_with_its_numbers(mixed: Path) -> None:
    answer = explained(mixed)
    assert (answer.cause.layer, answer.cause.function) == ("block device", "block_rq")
    assert answer.spread.total_ns == 20 * 500 * US + 180 * 10 * US
    # The 4 µs in which ext4 was at work too are ext4's only while no request is under way: 3 to 5 µs into the call.
    assert answer.cause.ns == 20 * 480 * US
    assert "block_rq" in answer.sentences[0] and "block device" in answer.sentences[0]
    assert sum(row.exclusive_ns for row in answer.functions) == answer.spread.total_ns
    assert sum(row.exclusive_ns for row in answer.layers) == answer.spread.total_ns
    ext4 = next(row for row in answer.functions if row.function == "ext4_mpage_readpages")
    assert ext4.inclusive_ns == 20 * 4 * US and ext4.exclusive_ns == 20 * 2 * US


def test_the_slowest_are_told_of_as_one_would_say_it(tmp_path: Path) -> None:
    """One call is no `each`, thousands need no decimals, and what takes more than the difference takes all of it."""
    with TraceWriter(tmp_path / "t.pfw") as trace:
        process = trace.process(7, "app")
        for number in range(50):
            trace.call(process, "read", EPOCH_NS + 100 * US * number, 10 * US, ts_ns=0)
            trace.call(process, "folio", EPOCH_NS + 100 * US * number + US, 4 * US, cat="filemap", ts_ns=0)
        trace.call(process, "read", EPOCH_NS + 10_000 * US, 77_000 * US, ts_ns=0)
    told = "The slowest took 77 ms, 7,700 times as long as typical ones (10 µs); all of the difference is read "
    assert told + "(layer: system calls)." in explained(tmp_path / "t.pfw").sentences


def test_hits_and_misses_are_told_apart(mixed: Path) -> None:
    answer = explained(mixed)
    assert answer.page_cache.known and answer.page_cache.with_calls == 20 and answer.page_cache.without_calls == 180
    assert answer.device.with_calls == 20 and answer.device.with_ns == 20 * 500 * US
    assert answer.childless.with_calls == 180 and answer.childless.with_ns == 180 * 10 * US
    assert any("20 of 200 calls" in sentence and "page-cache miss" in sentence for sentence in answer.sentences)


def test_typical_and_slow_calls_are_beside_each_other(mixed: Path) -> None:
    rows = explained(mixed, slowest=20).tree
    assert rows[0].function == "read" and rows[0].typical_ns == 10 * US and rows[0].slow_ns == 500 * US
    device = next(row for row in rows if row.function == "block_rq")
    assert device.depth == 1 or device.depth == 2
    assert device.typical_calls == 0 and sum(r.slow_exclusive_ns for r in rows if r.function == "block_rq") == 480 * US
    assert sum(row.slow_exclusive_ns for row in rows) == 500 * US


def test_warm_reads_are_not_blamed_on_the_device(tmp_path: Path) -> None:
    """The negative control: the same program without cold reads."""
    path = tmp_path / "warm.pfw.gz"
    with TraceWriter(path) as trace:
        process, at = trace.process(7, "app"), 0
        for _ in range(200):
            at = read(trace, process, at, cold=False)
        other = trace.process(8, "other")  # another process's requests are nobody else's fault
        trace.call(other, "block_rq", EPOCH_NS, 10**6, cat="block", tid=10_000_000, cause="request", thread=8)
    answer = explained(path)
    assert answer.cause.own and answer.cause.layer == "system calls"
    assert "device" not in answer.sentences[0] and answer.device.known and answer.device.with_calls == 0


def test_what_follows_on_a_file_is_joined_within_the_window(tmp_path: Path) -> None:
    path = tmp_path / "t.pfw.gz"
    with TraceWriter(path) as trace:
        process = trace.process(7, "app")
        mine, other = trace.file("/data/out"), trace.file("/data/other")
        trace.call(process, "write", EPOCH_NS, 10 * US, ret=4096, fhash=mine)
        for file, after, size in ((mine, 5 * 10**9, 4096), (other, 5 * 10**9, 77), (mine, 500 * 10**9, 99)):
            trace.call(
                process, "block_rq", EPOCH_NS + after, 300 * US, cat="block", tid=10_000_000, cause="inode", thread=7,
                fhash=file, bytes=size,
            )  # fmt: skip
    answer = explained(path, "write")
    (row,) = answer.afterwards
    assert (row.function, row.cause, row.spans, row.ns, row.bytes) == ("block_rq", "inode", 1, 300 * US, 4096)
    assert answer.cause.own and any("Afterwards" in sentence and "inode" in sentence for sentence in answer.sentences)


def test_recursion_counts_time_once(tmp_path: Path) -> None:
    path = tmp_path / "t.pfw.gz"
    with TraceWriter(path) as trace:
        process = trace.process(7, "app")
        for depth in reversed(range(5)):
            trace.call(process, "walk", EPOCH_NS + depth * US, (100 - 2 * depth) * US, cat="C", ts_ns=0)
    answer = explained(path, "walk")
    assert (answer.spread.calls, answer.spread.nested, answer.spread.total_ns) == (1, 4, 100 * US)
    (row,) = answer.functions
    assert (row.calls, row.inclusive_ns, row.exclusive_ns) == (5, 100 * US, 100 * US)


def test_a_call_is_chosen_around_another_and_elsewhere_inside_one(tmp_path: Path) -> None:
    """Only some calls of a function that calls itself are asked about: each tree begins at such a call."""
    with TraceWriter(tmp_path / "t.pfw", plain=True) as trace:
        process, other, mine = trace.process(7, "app"), trace.file("/other"), trace.file("/mine")
        for number, (outer, inner) in enumerate([(other, mine), (mine, mine), (mine, other)]):
            at = EPOCH_NS + 1000 * US * number
            trace.call(process, "stat", at + 20 * US, 5 * US, ts_ns=0)
            trace.call(process, "walk", at + 10 * US, 30 * US, cat="C", ts_ns=0, fhash=inner)
            trace.call(process, "walk", at, 100 * US, cat="C", ts_ns=0, fhash=outer)
    answer = explained(tmp_path / "t.pfw", "walk", file="/mine", slowest=3)
    assert (answer.spread.calls, answer.spread.nested, answer.spread.total_ns) == (3, 1, 230 * US)
    assert [(row.depth, row.function, row.slow_calls * 3, row.slow_exclusive_ns * 3) for row in answer.tree] == [
        (0, "walk", 3, pytest.approx(165 * US, abs=3)),
        (1, "walk", 2, pytest.approx(50 * US, abs=3)),
        (2, "stat", 2, pytest.approx(10 * US, abs=3)),
        (1, "stat", 1, pytest.approx(5 * US, abs=3)),
    ]
    (walk, _) = answer.functions
    assert (walk.calls, walk.inclusive_ns, walk.exclusive_ns) == (5, 230 * US, 215 * US)


def test_what_only_begins_during_a_call_is_not_inside_it(tmp_path: Path) -> None:
    """A system call holds no other. Nor is what is inside that one inside, though a call that is comes after it."""
    with TraceWriter(tmp_path / "t.pfw", plain=True) as trace:
        process = trace.process(7, "app")
        for name, category, begin, end in (
            ("read", "POSIX", 1, 19), ("stat", "POSIX", 1, 9), ("filemap_add", "filemap", 3, 7), ("vfs", "vfs", 7, 11)
        ):  # fmt: skip
            trace.call(process, name, EPOCH_NS + begin * US, (end - begin) * US, cat=category)
    answer = explained(tmp_path / "t.pfw")
    assert sorted((row.function, row.calls) for row in answer.functions) == [("read", 1), ("vfs", 1)]
    assert answer.childless.without_calls == 1


def test_calls_without_length_are_alike(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.pfw", plain=True) as trace:
        process = trace.process(7, "app")
        for number in range(20):
            trace.call(process, "read", EPOCH_NS + number * US, 0)
    answer = explained(tmp_path / "t.pfw")
    assert (answer.spread.calls, answer.spread.total_ns, answer.slow.calls) == (20, 0, 1)
    assert "The calls are alike" in answer.sentences[1]


def test_filters(tmp_path: Path) -> None:
    path = tmp_path / "t.pfw.gz"
    with TraceWriter(path) as trace:
        one, two = trace.process(7, "app"), trace.process(8, "tool", cmd="tool --fast")
        files = [trace.file(f"/data/{name}") for name in ("a.h5", "b.h5", "c.txt")]
        for number, file in enumerate(files):
            trace.call(one, "read", EPOCH_NS + number * 1000 * US, 10 * US, fhash=file, ret=1)
        trace.call(two, "read", EPOCH_NS, 70 * US, fhash=files[0], ret=1)
    assert explained(path).spread.calls == 4
    assert explained(path, file="*.h5").spread.calls == 3
    assert explained(path, file="c.txt").spread.calls == 1
    assert explained(path, host="node1", time=(0.0005, 2.0)).spread.calls == 2
    assert explained(path, process="8").spread.total_ns == explained(path, process="--fast").spread.total_ns == 70 * US
    with pytest.raises(NoInputError, match="of that file, process and node"):
        explained(path, file="nothing")
    with pytest.raises(NoInputError, match=r"no call of 'raed'") as error:
        explained(path, "raed")
    assert "read" in error.value.hint


def test_the_json_form_is_plain(mixed: Path) -> None:
    value = json.loads(json.dumps(as_json.plain(explained(mixed))))
    assert value["version"] == 1 and value["cause"]["function"] == "block_rq"
    assert value["slowest"][0]["layers"]["block device"] == 480 * US
