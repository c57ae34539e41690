"""What compare makes of runs whose difference is known."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from datacrumbs.analysis import command
from datacrumbs.analysis.comparing import chance
from datacrumbs.analysis.comparing.compare import compare
from datacrumbs.analysis.comparing.comparison import Comparison
from datacrumbs.analysis.comparing.sides import profile, slow_and_typical
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.core.errors import UsageError
from tracegen import EPOCH_NS, TraceWriter

US = 1000


def write(path: Path, *, cold: bool = False, calls: int = 400, seed: int = 1, slower: float = 1.0) -> Path:
    """Reads of about 10 µs; where they are cold, each waits 300 µs for the device besides."""
    rng = random.Random(seed)
    with TraceWriter(path) as trace:
        process, at = trace.process(7, "app"), EPOCH_NS
        for _ in range(calls):
            own = int(rng.gauss(10 * US, US) * slower)
            length = own + (300 * US if cold else 0)
            if cold:
                trace.call(
                    process, "block_rq", at + 2 * US, 300 * US, cat="block", tid=10_000_000, cause="request", thread=7,
                    ts_ns=0,
                )  # fmt: skip
            trace.call(process, "read", at, length, ret=4096, ts_ns=0)
            at += length + 50 * US - (length % US)
    return path


def compared(a: Path, b: Path, function: str = "") -> Comparison:
    profiles = []
    for path in (a, b):
        with open_traces([str(path)]) as traces:
            profiles.append(profile(traces, path.name, function))
    return compare(profiles[0], profiles[1], function)


@pytest.mark.parametrize("function", ["", "read"])
def test_the_device_is_what_changed(tmp_path: Path, function: str) -> None:
    answer = compared(write(tmp_path / "warm"), write(tmp_path / "cold", cold=True, seed=2), function)
    top = answer.changes[0]
    assert (top.layer, top.function, top.caused) == ("block device", "block_rq", True)
    assert top.delta_ns == (300 * US if function else 400 * 300 * US)
    assert 0.95 < top.contribution < 1.05 and top.p is not None and top.p < 0.01
    assert "block_rq" in answer.sentences[0] and "longer" in answer.sentences[0]
    assert answer.sentences[1].startswith("That is hardly chance: p = ")
    assert sum(row.contribution for row in answer.changes) == pytest.approx(1)
    assert all(row.from_calls_ns + row.from_duration_ns == row.delta_ns for row in answer.changes)


def test_the_same_twice_is_chance(tmp_path: Path) -> None:
    """The negative control: two runs of the same kind are not told to differ."""
    answer = compared(write(tmp_path / "one"), write(tmp_path / "two", seed=2))
    assert all(row.p is None or row.p > 0.05 for row in answer.changes)
    assert all(row.layer != "block device" for row in answer.changes)
    assert answer.sentences[1].startswith(("That is perhaps chance: p = ", "That may well be chance: p = "))


def test_few_calls_say_nothing_about_chance(tmp_path: Path) -> None:
    answer = compared(write(tmp_path / "one", calls=3), write(tmp_path / "two", calls=400, slower=3))
    assert answer.changes[0].p is None and "too few" in answer.sentences[1]


def test_more_calls_and_longer_calls_are_told_apart(tmp_path: Path) -> None:
    twice = compared(write(tmp_path / "a"), write(tmp_path / "b", calls=800)).changes[0]
    longer = compared(write(tmp_path / "a"), write(tmp_path / "c", slower=2)).changes[0]
    assert abs(twice.from_duration_ns) < 0.1 * twice.from_calls_ns
    assert longer.from_calls_ns == 0 and longer.from_duration_ns == longer.delta_ns > 0


def test_slow_calls_of_one_trace(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with TraceWriter(path) as trace:
        process = trace.process(7, "app")
        for number in range(300):
            begin = EPOCH_NS + number * 1000 * US
            slow = number % 50 == 0
            if slow:
                trace.call(process, "folio_wait", begin + 1 * US, 400 * US, cat="filemap", ts_ns=0)
            trace.call(process, "read", begin, 450 * US if slow else 10 * US, ts_ns=0)
    with open_traces([str(path)]) as traces:
        a, b = slow_and_typical(traces, "read", slowest=6)
    answer = compare(a, b, "read", by_duration=True)
    assert answer.changes[0].function == "folio_wait" and answer.changes[0].delta_ns == 400 * US
    assert answer.delta_ns == 440 * US and all(row.p is None for row in answer.changes)


def test_chance_finds_what_is_there_and_only_that() -> None:
    """Of samples of one distribution about one in twenty is below 0.05; of different ones nearly all are."""
    rng = np.random.default_rng(5)
    dealt = chance.deals(8, 8)
    assert dealt is not None
    same = [chance.p_value(rng.normal(size=8), rng.normal(size=8), dealt) for _ in range(300)]
    other = [chance.p_value(rng.normal(size=8), rng.normal(3, size=8), dealt) for _ in range(50)]
    assert 0.01 < np.mean(np.array(same) < 0.05) < 0.11 and np.mean(np.array(other) < 0.01) > 0.9
    assert chance.deals(4, 20) is None
    assert chance.holm([0.01, None, 0.04, 0.03]) == [0.03, None, 0.06, 0.06]


def groups(tmp_path: Path) -> Path:
    """Two processes of two nodes on two files; the second is slower by 300 µs at the device, from second 5 on."""
    for node in (1, 2):
        with TraceWriter(tmp_path / f"n{node}.pfw", host=f"node{node}") as trace:
            process, file = trace.process(7, f"rank{node}", cmd=f"./app --rank {node}"), trace.file(f"/data/{node}.h5")
            for number in range(400):
                at, slow = EPOCH_NS + number * 25_000 * US, node == 2 and number >= 200
                if slow:
                    trace.call(process, "folio_wait", at + 2 * US, 300 * US, cat="filemap", ts_ns=0)
                trace.call(process, "read", at, (310 if slow else 10) * US, ret=1, fhash=file, ts_ns=0)
    return tmp_path


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["process=--rank 1"], ["process=rank2"]),
        (["host=node1"], ["host=node2"]),
        (["file=1.h5"], ["file=/data/2.*"]),
        (["host=node2", "time=0:5"], ["host=node2", "time=5:10"]),
    ],
)
def test_two_groups_of_one_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], a: list[str], b: list[str]
) -> None:
    """By process, node, file and time; call by call the difference is what one of them waits for."""
    options = [word for side, texts in (("--a", a), ("--b", b)) for text in texts for word in (side, text)]
    assert command.run(["compare", str(groups(tmp_path)), "--function", "read", *options, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    top, part = answer["changes"][0], 1 if "time=0:5" in a else 2
    assert (top["function"], top["delta_ns"]) == ("folio_wait", 300 * US / part)
    assert (answer["a"]["name"], answer["b"]["name"]) == (" ".join(a), " ".join(b))
    assert answer["a"]["calls"] == answer["b"]["calls"] == 400 / (3 - part)
    assert "folio_wait" in answer["sentences"][0]


def test_the_same_group_twice_does_not_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The negative control."""
    options = ["--a", "host=node1", "--a", "time=0:5", "--b", "host=node1", "--b", "time=5:10"]
    assert command.run(["compare", str(groups(tmp_path)), *options, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["delta_ns"] == 0 and "same time" in answer["sentences"][0]


def test_groups_of_two_traces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = groups(tmp_path)
    options = ["--a", "time=0:5", "--b", "time=5:10", "--function", "read"]
    assert command.run(["compare", str(folder / "n1.pfw"), str(folder / "n2.pfw"), *options, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["delta_ns"] == 300 * US and answer["a"]["calls"] == answer["b"]["calls"] == 200


@pytest.mark.parametrize(
    "options",
    [
        ["--a", "process=1"], ["--a", "process", "--b", "process=2"], ["--a", "pid=1", "--b", "pid=2"],
        ["--a", "time=3:1", "--b", "time=1:3"], ["--a", "time=a:b", "--b", "time=1:3"],
        ["--a", "file=a", "--a", "file=b", "--b", "file=c"], ["--a", "file=a", "--b", "file=b", "--process", "7"],
        ["--a", "file=", "--b", "file=b"], ["--a", "file=a", "--b", "file=b", "--slowest", "3"],
    ],
)  # fmt: skip
def test_groups_that_make_no_sense(tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        command.run(["compare", str(groups(tmp_path)), "--function", "read", *options])
    assert error.value.hint
