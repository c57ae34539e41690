"""Traces that grow, were cut off, damaged or made by an enemy: what can be read is read, the rest is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datacrumbs.analysis.reading import records, schema
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.core.errors import NoInputError
from hypothesis import given, settings
from hypothesis import strategies as st
from tracegen import EPOCH_NS, TraceWriter, gzip_member, synthetic

GOOD = (
    b'{"name":"read","cat":"POSIX","ph":"X","pid":7,"tid":7,"ts":1795344514813171,"dur":4,'
    b'"args":{"hhash":"68","fhash":"3d","ret":4096,"count":4096,"dur_ns":4211}}'
)


def read(*names: str | Path, workers: int = 2) -> tuple[int, int, list[str]]:
    """Calls and broken lines in traces, and what was said about them."""
    with open_traces([str(name) for name in names], workers=workers) as traces:
        kinds = dict(traces.database.execute("SELECT kind, count(*) FROM records GROUP BY kind").fetchall())
        assert schema.KIND_CALL not in kinds
        return len(traces.calls), kinds.get(schema.KIND_BROKEN, 0), [note.text for note in traces.notes]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A sound trace of 3,000 calls in some dozen members."""
    path = tmp_path / "trace.pfw.gz"
    with TraceWriter(path, member_bytes=40_000) as writer:
        writer.opening()
        worker = writer.process(5, "worker")
        for number in range(3000):
            writer.call(worker, "read", EPOCH_NS + 5000 * number, 4000, ret=number)
        writer.closing(ended=1)
    return path


def test_plain_and_compressed_are_the_same(trace: Path, tmp_path: Path) -> None:
    import gzip

    plain = tmp_path / "trace.pfw"
    plain.write_bytes(gzip.decompress(trace.read_bytes()))
    assert read(trace) == read(plain) == (3000, 0, [])


def test_workers_share_a_file_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "large.pfw.gz"
    synthetic(path, 250_000)
    assert path.stat().st_size > 2 << 21, "several spans"
    assert read(path, workers=1) == read(path, workers=3) == (250_000, 0, [])


def test_each_of_many_files_keeps_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers go on from one file to the next, and lines of several go into the table at once."""
    monkeypatch.setattr(records, "_SOURCES", 3)
    for number in range(10):
        with TraceWriter(tmp_path / f"n{number}.pfw.gz", host=f"node{number}") as writer:
            worker = writer.process(5, f"worker{number}")
            for call in range(number):
                writer.call(worker, "read", EPOCH_NS + 5000 * call, 4000)
    with open_traces([str(tmp_path)], workers=3) as traces:
        hosts = [key.host for key in traces.catalog.processes]
        calls = dict(traces.database.execute("SELECT host, count(*) FROM calls GROUP BY host").fetchall())
        lives = traces.database.execute("SELECT source, note->>'$.comm' FROM records WHERE name = 'start'").fetchall()
    assert sorted(hosts) == [f"node{number}" for number in range(10)]
    assert calls == {f"node{number}": number for number in range(1, 10)}
    assert sorted(lives) == [(number, f"worker{number}") for number in range(10)]


def test_a_file_that_cannot_be_read_among_others_leaves_none_open(trace: Path, tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    missing = tmp_path / "z.pfw.gz"
    missing.symlink_to(tmp_path / "nowhere")
    with pytest.raises(NoInputError, match=r"z\.pfw\.gz"):
        read(trace, missing, trace)
    assert os.listdir("/proc/self/fd") == before


def test_a_trace_that_was_cut_off_reads_to_its_last_whole_line(trace: Path) -> None:
    os.truncate(trace, trace.stat().st_size - 700)
    calls, broken, notes = read(trace)
    assert 2500 < calls < 3000 and broken == 0
    assert notes == ["still being written, or cut off: read to its last whole line"]


def test_a_plain_trace_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "cut.pfw"
    path.write_bytes(b"[\n" + GOOD + b"\n" + GOOD[:70])
    assert read(path) == (1, 0, ["ends in the middle of a line: read to its last whole line"])


def test_a_trace_can_be_read_while_it_grows(tmp_path: Path) -> None:
    """A writer in another process appends members, one more whenever it is told to, and stops in the middle of each."""
    path = tmp_path / "growing.pfw.gz"
    code = (
        "import sys; from pathlib import Path; from tracegen import EPOCH_NS, TraceWriter, gzip_member\n"
        "with TraceWriter(Path(sys.argv[1]), plain=True) as writer:\n"
        "    worker, file, half = writer.process(5, 'worker'), writer._file, b''\n"
        "    for _ in sys.stdin:\n"
        "        for _ in range(300): writer.call(worker, 'read', EPOCH_NS, 4000, ret=1)\n"
        "        member = gzip_member(b'\\n'.join(writer._lines) + b'\\n'); writer._lines.clear()\n"
        "        file.write(half + member[:50]); file.flush(); half = member[50:]\n"
        "        print(flush=True)\n"
        "    file.write(half)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as writing:
        assert writing.stdin and writing.stdout
        counts = []
        for _ in range(4):
            writing.stdin.write("more\n")
            writing.stdin.flush()
            writing.stdout.readline()
            counts.append(read(path)[0])
        writing.communicate(timeout=120)
    assert counts == sorted(counts) and counts[0] < 300 < counts[-1] < 1200
    assert read(path) == (1200, 0, [])


def test_damage_in_the_middle_costs_one_member(trace: Path) -> None:
    data = bytearray(trace.read_bytes())
    data[len(data) // 2] ^= 0x55
    trace.write_bytes(data)
    calls, broken, notes = read(trace)
    assert 2600 < calls < 3000 and broken == 0
    assert len(notes) == 1 and "damaged at byte" in notes[0] and "that part was left out" in notes[0]


def test_garbage_after_the_end_is_told(trace: Path) -> None:
    with trace.open("ab") as file:
        file.write(b"\0" * 1000)
    assert read(trace)[0] == 3000
    assert "something that is not gzip data follows" in read(trace)[2][0]


def test_concatenated_traces_are_traces(trace: Path, tmp_path: Path) -> None:
    """`cat a.pfw.gz b.pfw.gz` brings a bracket into the middle."""
    both = tmp_path / "both.pfw.gz"
    both.write_bytes(trace.read_bytes() * 2)
    assert read(both) == (6000, 0, [])


HOSTILE: dict[str, bytes] = {
    "a comma after it": GOOD + b",",
    "half a line": GOOD[:50],
    "no object": b"17",
    "null": b"null",
    "an array": b"[1,2]",
    "two objects": GOOD + GOOD,
    "types": b'{"name":5,"cat":[],"ph":"X","pid":"x","tid":{},"ts":"abc","dur":-1,"args":7}',
    "huge integers": b'{"name":"a","ph":"X","ts":99999999999999999999999,"dur":18446744073709551615}',
    "negative time": b'{"name":"a","ph":"X","ts":-9223372036854775808,"dur":9223372036854775807}',
    "no time": b'{"name":"a","ph":"X"}',
    "not a number": b'{"name":"a","ph":"X","ts":NaN}',
    "raw NUL": b'{"name":"a\0b","ph":"X","ts":1}',
    "NUL line": b"\0\0\0\0",
    "not UTF-8": b'{"name":"a\xff\xfe","ph":"X","ts":1}',
    "half a surrogate": b'{"name":"\\ud800","ph":"X","ts":1}',
    "deep arrays": b"[" * 300_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 99_999,
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_line_is_counted_and_hurts_nobody(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "hostile.pfw.gz"
    path.write_bytes(gzip_member(b"[\n" + GOOD + b"\n" + line + b"\n" + GOOD + b"\n"))
    assert read(path) == (2, 1, [])


LARGE: dict[str, Any] = {
    "deep": {"hhash": json.loads("[" * 500 + "]" * 500), "fhash": {"a": {"b": []}}},
    "largest numbers": {"ret": 2**63 - 1, "size": 2**63 - 1, "dur_ns": 2**63 - 1},
    "smallest numbers": {"ret": -(2**63), "size": -5, "dur_ns": -1},
    "beyond all numbers": {"ret": 10**40, "size": 1e300, "dur_ns": 1e300},
    "wrong types": {"ret": "x", "size": [], "dur_ns": {}, "hhash": 1.5, "fname": True},
}


@pytest.mark.parametrize("args", LARGE.values(), ids=LARGE)
def test_no_argument_is_beyond_reckoning(tmp_path: Path, args: dict[str, Any]) -> None:
    """A million such calls may be added up without a number running over."""
    from datacrumbs.analysis.summing.summarise import summarise

    path = tmp_path / "large.pfw"
    line = {"name": "read", "cat": "POSIX", "ph": "X", "pid": 1, "tid": 1, "ts": 1 << 53, "dur": 1 << 53, "args": args}
    path.write_text((json.dumps(line) + "\n") * 3)
    with open_traces([str(path)]) as traces:
        assert summarise(traces).header.calls == 3


def test_records_about_the_run_may_hold_anything(tmp_path: Path) -> None:
    """They come from a file that a user can write."""
    from datacrumbs.analysis.summing.summarise import summarise

    path = tmp_path / "run.pfw"
    with TraceWriter(path, plain=True) as writer:
        writer.opening(refused={"a": 1}, refused_count="many", user=["x"], min_duration_ns=-1)
        writer.closing(ended=0, lost_by_function={"read": "x", "write": -3}, lost=[], captured=None, unwritten=2**70)
        writer.json({"name": "datacrumbs", "ph": "M", "args": None})
        writer.json({"name": "datacrumbs", "ph": "M", "args": {"name": ["end"], "value": {}}})
        writer.json({"name": "start", "cat": "dftracer", "ph": "X", "ts": 1, "args": [1]})
        writer.json({"name": "FH", "ph": "M", "args": {"name": None, "value": None}})
    with open_traces([str(path)]) as traces:
        assert summarise(traces).header.calls == 0


def test_a_line_of_many_megabytes_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "long.pfw.gz"
    path.write_bytes(gzip_member(GOOD + b'\n{"name":"' + b"x" * (20 << 20) + b'"}\n' + GOOD + b"\n"))
    assert read(path) == (2, 0, ["1 lines longer than 1048576 bytes were left out"])


@settings(max_examples=40, deadline=None)
@given(noise=st.binary(max_size=400), at=st.floats(0, 1), gone=st.integers(0, 200))
def test_any_bytes_anywhere_are_read_to_an_end(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: float, gone: int
) -> None:
    path = tmp_path_factory.mktemp("noise") / "t.pfw.gz"
    whole = gzip_member(b"[\n" + (GOOD + b"\n") * 20) + gzip_member((GOOD + b"\n") * 20)
    begin = int(at * len(whole))
    path.write_bytes(whole[:begin] + noise + whole[begin + gone :])
    assert 0 <= read(path)[0] <= 60


@settings(max_examples=40, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    member=st.sampled_from(["name", "cat", "ph", "pid", "tid", "ts", "dur", "args"]),
)
def test_any_value_in_any_member_is_read(tmp_path_factory: pytest.TempPathFactory, value: Any, member: str) -> None:
    path = tmp_path_factory.mktemp("value") / "t.pfw"
    path.write_text(json.dumps(json.loads(GOOD) | {member: value}) + "\n" + GOOD.decode() + "\n")
    calls, broken, _ = read(path)
    assert calls in (1, 2) and broken in (0, 1)


@pytest.mark.parametrize("kind", ["missing", "empty folder", "fifo", "device"])
def test_what_is_no_trace_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    if kind == "empty folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/null")
    with pytest.raises(NoInputError, match=str(path)):
        read(path)


def test_a_trace_named_twice_counts_once(trace: Path) -> None:
    assert read(trace, trace.parent, trace.parent / ".")[0] == 3000


def test_nothing_is_left_behind(trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No temporary files, also not where the command was run."""
    (tmp_path / "work").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    read(trace)
    assert not list((tmp_path / "work").iterdir()) and not list((tmp_path / "tmp").iterdir())
