"""What explain, compare and the report make of calls that were only added up (profile mode)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datacrumbs.analysis import command
from datacrumbs.analysis.comparing.compare import compare
from datacrumbs.analysis.comparing.sides import profile, slow_and_typical
from datacrumbs.analysis.explaining import addedup
from datacrumbs.analysis.explaining.explain import explain
from datacrumbs.analysis.explaining.selection import Selection
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.core.errors import NoInputError
from tracegen import EPOCH_NS, TraceWriter

US, SECOND = 1000, 1_000_000_000


def write(path: Path, *, slower: int = 1, traced: int = 0) -> Path:
    """For each of ten seconds: 90 reads of 2 µs and 10 of 500 µs on one file, 10 of 2 µs on another; and, where asked,
    reads and an fsync of 1 ms that are traced.
    """
    with TraceWriter(path) as trace:
        trace.opening()
        process, other = trace.process(7, "app"), trace.process(8, "helper")
        hot, cold = trace.file("/data/hot"), trace.file("/data/cold")
        for second in range(10):
            at = EPOCH_NS + second * SECOND
            spread = {2 * US: 90, 500 * US * slower: 10}
            trace.added_up(process, "read", at, spread, fhash=hot, moved=409_600, interval=second, errors=1)
            trace.added_up(other, "read", at, {2 * US: 10}, fhash=cold, moved=40_960, interval=second)
            for number in range(traced):
                trace.call(process, "read", at + 100_000 * US + number * 20 * US, 10 * US, ret=1, fhash=hot)
            trace.call(process, "fsync", at + 900_000 * US, 1000 * US, fhash=hot)
        trace.closing(ended=1)
    return path


def test_explain_says_what_a_profile_knows(tmp_path: Path) -> None:
    with open_traces([str(write(tmp_path / "t.pfw"))]) as traces:
        answer = explain(traces, "read")
    added = answer.added_up
    assert added is not None
    total = 10 * (90 * 2 * US + 10 * 500 * US + 10 * 2 * US)
    assert (added.calls, added.errors, added.total_ns, added.bytes) == (1100, 10, total, 10 * 450_560)
    assert added.log2_ns == {"10": 1000, "18": 100} and added.max_ns == 500 * US
    assert (answer.spread.calls, answer.spread.total_ns, answer.spread.files) == (1100, total, 2)
    assert 1 * US <= added.p50_ns <= 4 * US and 262 * US <= added.p99_ns <= 500 * US
    assert [(part.name, part.calls) for part in added.by_file] == [("/data/hot", 1000), ("/data/cold", 100)]
    assert [(part.name, part.calls) for part in added.by_process] == [("7 on node1", 1000), ("8 on node1", 100)]
    assert answer.cause.own and answer.cause.layer == "system calls" and answer.cause.ns == total
    assert "only added up" in answer.sentences[0] and "not known" in answer.sentences[0]
    assert any("/data/hot" in sentence for sentence in answer.sentences)
    assert not answer.tree and not answer.slowest and not answer.device.known


def test_filters_reach_profiles(tmp_path: Path) -> None:
    with open_traces([str(write(tmp_path / "t.pfw"))]) as traces:
        assert explain(traces, "read", Selection(file="cold")).spread.calls == 100
        assert explain(traces, "read", Selection(process="helper")).spread.calls == 100
        assert explain(traces, "read", Selection(process="7", file="*hot")).spread.calls == 1000
        with pytest.raises(NoInputError):
            explain(traces, "read", Selection(file="none"))


def test_traced_calls_are_explained_and_the_others_told(tmp_path: Path) -> None:
    """With `mode: auto` a function may be both."""
    with open_traces([str(write(tmp_path / "t.pfw", traced=5))]) as traces:
        answer = explain(traces, "read")
    assert answer.spread.calls == 50 and answer.added_up is not None and answer.added_up.calls == 1100
    assert "1,100 more calls of read were only added up" in answer.sentences[-1]


@pytest.mark.parametrize("function", ["", "read"])
def test_compare_counts_profiles(tmp_path: Path, function: str) -> None:
    sides = []
    for name, slower in (("a", 1), ("b", 4)):
        with open_traces([str(write(tmp_path / name, slower=slower))]) as traces:
            sides.append(profile(traces, name, function))
    answer = compare(sides[0], sides[1], function)
    top = answer.changes[0]
    more = 10 * 10 * 1500 * US
    assert (top.function, top.layer) == ("read", "system calls") and top.p is not None and top.p < 0.05
    assert top.delta_ns == (round(more / 1100) if function else more)
    assert "only added up" in answer.sentences[-1]
    assert answer.a.calls == (1100 if function else 1110)


def test_a_profile_and_a_trace_are_compared_by_whole_durations(tmp_path: Path) -> None:
    """What is inside a traced call is not known of one that was added up, so it is no difference."""
    with TraceWriter(tmp_path / "traced") as trace:
        process = trace.process(7, "app")
        for number in range(100):
            at = EPOCH_NS + number * 1000 * US
            trace.call(process, "block_rq", at + US, 8 * US, cat="block", ts_ns=0)
            trace.call(process, "read", at, 10 * US, ret=1, ts_ns=0)
    with TraceWriter(tmp_path / "profiled") as trace:
        trace.added_up(trace.process(7, "app"), "read", EPOCH_NS, {10 * US: 100})
    sides = []
    for name in ("traced", "profiled"):
        with open_traces([str(tmp_path / name)]) as traces:
            sides.append(profile(traces, name, "read"))
    answer = compare(sides[0], sides[1], "read")
    (row,) = answer.changes
    assert (row.function, row.delta_ns, answer.delta_ns) == ("read", 0, 0)
    assert "In profiled calls of read were only added up" in answer.sentences[-1]


def test_slow_calls_of_a_profile_cannot_be_told(tmp_path: Path) -> None:
    with open_traces([str(write(tmp_path / "t.pfw"))]) as traces, pytest.raises(NoInputError, match="only added up"):
        slow_and_typical(traces, "read")


@pytest.mark.parametrize("verb", [["explain", "read"], ["compare"], ["summary"]])
def test_the_commands_print_them(tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: list[str]) -> None:
    path = str(write(tmp_path / "t.pfw"))
    more = ["--a", "process=7", "--b", "process=8"] if verb == ["compare"] else []
    for form in ([], ["--json"]):
        assert command.run([*verb, path, *more, *form]) == 0
        assert "read" in capsys.readouterr().out


def test_exports_say_what_they_leave_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path / "t.pfw"))
    assert command.run(["export", path, "--to", "parquet", "-o", str(tmp_path / "out")]) == 0
    assert "1,100 calls that were only added up" in capsys.readouterr().out


@pytest.mark.parametrize(
    "spread",
    [
        "5",
        "[1, 2]",
        '"text"',
        "null",
        '{"9": "x", "\u00b2": 1, "99": 3, "-1": 2, "5": -7, "6": 1e300, "7": true, "8": {}}',
        "[" * 900 + "]" * 900,
        '{"3": 99999999999999999999999}',
    ],
    ids=["number", "list", "text", "null", "odd members", "deep", "large"],
)
@pytest.mark.parametrize(
    "numbers", ['"calls":5,"errors":1', '"calls":9007199254740992,"errors":-3,"bytes":1e18'], ids=["sound", "large"]
)
def test_a_hostile_profile_breaks_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spread: str, numbers: str
) -> None:
    """Every answer is given, or refused in one line, whatever a row of a profile holds."""
    with TraceWriter(tmp_path / "t.pfw") as trace:
        trace.opening()
        trace.added_up(trace.process(7, "app"), "read", EPOCH_NS, {1000: 3})
        for times in ('"ts":1795344514000001,"dur":5', '"ts":9007199254740991,"dur":9007199254740991'):
            trace.line(
                f'{{"name":"read","cat":"POSIX","ph":"X","pid":7,"tid":20971527,{times},"args":'
                f'{{"dur_ns":9000000000000000000,"profile":{{{numbers},"max_ns":-5,"log2_ns":{spread}}}}}}}'.encode()
            )
        trace.closing(ended=1)
    path, groups = str(tmp_path / "t.pfw"), ["--a", "time=0:1", "--b", "process=7"]
    for verb in (["summary", path], ["explain", "read", path], ["compare", path, *groups]):
        capsys.readouterr()
        assert command.run([*verb, "--json"]) == 0
        json.loads(capsys.readouterr().out)
        assert command.run(verb) == 0
    assert command.run(["report", path, "-o", str(tmp_path / "r.html")]) == 0


def test_powers_of_sound_and_odd_text() -> None:
    assert list(addedup.powers('{"9": 5, "70": 2, "\u00b2": 1, "4": 0, "5": 1.5}')) == [(9, 5), (62, 2)]
    assert list(addedup.powers("[" * 100_000)) == list(addedup.powers(None)) == list(addedup.powers("{")) == []
