"""A summary that is added up part by part is the one of all calls in memory, whatever the parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from datacrumbs.analysis._columns import ffi
from datacrumbs.analysis.reading.room import Room, Shelf
from datacrumbs.analysis.reading.spans import united
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.analysis.summing import begun, gain, partial, parts, patterns, reducer
from datacrumbs.analysis.summing.adding import kept
from datacrumbs.analysis.summing.gather import gathered
from datacrumbs.analysis.summing.partial import Partial, bounds, merge, with_few_lanes
from datacrumbs.analysis.summing.summarise import summarise
from datacrumbs.analysis.summing.summary import Summary
from hypothesis import given, settings
from hypothesis import strategies as st
from tracegen import EPOCH_NS, TraceWriter, synthetic


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several spans, so that several workers share it."""
    path = tmp_path_factory.mktemp("gather") / "t.pfw.gz"
    synthetic(path, 250_000)
    return path


def whole(*traces: Path) -> Summary:
    """From all calls in memory."""
    with open_traces([str(trace) for trace in traces]) as opened:
        return summarise(opened)


@pytest.mark.parametrize("workers", [1, 3])
def test_parts_of_any_number_give_the_same(trace: Path, workers: int) -> None:
    with gathered([str(trace)], workers=workers) as parted:
        assert summarise(parted) == whole(trace)


def test_what_does_not_fit_goes_to_a_file_and_comes_back(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gathered([str(trace)], workers=2) as parted:
        expected = summarise(parted), gain.patterns_of(parted)
    monkeypatch.setattr(begun, "ROOM", 100_000)
    monkeypatch.setattr(reducer, "_SPANS", 10_000)  # so that lanes are cut, too
    with gathered([str(trace)], workers=2) as parted:
        spilled = summarise(parted), gain.patterns_of(parted)
    assert spilled == expected and expected[1]


def test_patterns_found_in_parts_are_those_of_all_calls(trace: Path) -> None:
    with gathered([str(trace)], workers=3) as parted:
        found = gain.patterns_of(parted)
    with open_traces([str(trace)]) as traces:
        paths = dict(traces.database.execute("SELECT id, path FROM files WHERE id > 0").fetchall())
        expected = patterns.find(traces, list(paths), ["POSIX"])
    assert found == {paths[file]: pattern for file, pattern in expected.items()} and len(found) == 200


@given(st.lists(st.tuples(*[st.integers(-(1 << 63), (1 << 63) - 1)] * 2, st.integers(0, (1 << 32) - 1)), min_size=1))
def test_a_piece_keeps_what_counts_of_each_number(rows: list[tuple[int, int, int]]) -> None:
    """In whatever width it takes; results below all errors, and negative offsets, are the same as none."""
    ret, offset, file = (list(column) for column in zip(*rows, strict=True))
    size, zeros = len(rows), [0] * len(rows)
    columns = {
        "int64_t": {"ts": list(range(5, 5 + size)), "dur": zeros, "ns": zeros, "ret": ret, "offset": offset},
        "uint32_t": {"function": zeros, "thread": zeros, "file": file},
    }
    pointers = {name: ffi.new(f"{kind}[]", some[name]) for kind, some in columns.items() for name in some}
    calls = ffi.new("struct dc_calls *", {"size": size, **pointers})
    (piece,) = parts.read({}, partial.NOTHING, [kept(calls[0], 0, 0, Shelf(Room()))]).pieces
    assert (piece.columns["ts"] + piece.base).tolist() == columns["int64_t"]["ts"]
    assert piece.columns["ret"].tolist() == [max(number, -4096) for number in ret]
    assert piece.columns["offset"].tolist() == [max(number, -1) for number in offset]
    assert piece.columns["file"].tolist() == file
    assert piece.columns["file"].itemsize == next(width for width in (1, 2, 4) if max(file) < 1 << 8 * width)


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), min_size=1, max_size=12)


@given(st.lists(SPANS, min_size=1, max_size=5))
def test_spans_of_several_are_united_to_the_time_that_any_covers(rows: list[list[tuple[int, int]]]) -> None:
    """Also where some are not in order, overlap or touch."""
    columns = [
        (np.array([b for b, _ in row], np.int64), np.array([b + n + 1 for b, n in row], np.int64)) for row in rows
    ]
    covered = sorted({moment for row in rows for begin, length in row for moment in range(begin, begin + length + 1)})
    begins, ends = united(columns, Room())
    assert [moment for b, e in zip(begins.tolist(), ends.tolist(), strict=True) for moment in range(b, e)] == covered
    assert (begins[1:] > ends[:-1]).all()


def test_unusual_and_ordinary_calls_add_up(tmp_path: Path) -> None:
    """Lines that only a reader of all of JSON understands are behind the others, as in memory."""
    path = tmp_path / "odd.pfw.gz"
    with TraceWriter(path) as writer:
        worker = writer.process(5, "worker")
        for number in range(500):
            name = "caf\u00e9" if number % 3 else "/data/a"
            writer.call(worker, "read", EPOCH_NS + 5000 * number, 4000 + number, ret=number, fname=name)
    with gathered([str(path)]) as parted:
        assert summarise(parted) == whole(path)
        assert parted.events == 500


@settings(max_examples=60, deadline=None)
@given(
    calls=st.lists(
        st.tuples(
            st.integers(0, 1 << 53), st.integers(0, 1 << 53), st.integers(0, (1 << 53) * 1000),
            st.integers(-(1 << 63), (1 << 63) - 1), st.integers(0, 2), st.integers(0, 2),
        ),
        min_size=1, max_size=40,
    ),
    cut=st.integers(0, 40),
)  # fmt: skip
def test_sums_of_two_parts_are_the_sums_of_all(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[int, ...]], cut: int
) -> None:
    """Also of the largest numbers that a trace can hold."""

    def totals(rows: list[tuple[int, ...]]) -> Partial | None:
        if not rows:
            return None
        path = tmp_path_factory.mktemp("sums") / "t.pfw"
        lines = [
            {"name": f"f{f}", "cat": "POSIX", "ph": "X", "pid": 1, "tid": t, "ts": ts, "dur": dur,
             "args": {"dur_ns": ns, "ret": ret}}
            for ts, dur, ns, ret, f, t in rows
        ]  # fmt: skip
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        with gathered([str(path)], workers=1) as found:
            words = {
                "function": tuple(f"{one.name}\ud800{one.category}" for one in found.functions),
                "thread": tuple(str(one.tid) for one in found.threads), "file": found.files,
                "category": found.categories,
            }  # fmt: skip
            return Partial(words, found.sums)

    def named(partial: Partial) -> tuple[object, ...]:
        """With names in place of numbers."""
        sums, words = partial.sums, partial.words
        tally = sorted(
            (words["function"][row["function"]], words["thread"][row["thread"]], *row.tolist()[4:])
            for row in sums.tally
        )
        buckets = sorted((words["function"][int(row["function"])], *row.tolist()[1:]) for row in sums.buckets)
        return tally, buckets, sums.shift, sorted(row.tolist()[1:] for row in sums.slices)

    found = [one for one in (totals(calls[:cut]), totals(calls[cut:])) if one]
    everything = totals(calls)
    assert everything and named(with_few_lanes(merge(found), Room())) == named(
        with_few_lanes(merge([everything]), Room())
    )
    assert everything.sums.events == len(calls)


@given(ns=st.integers(0, (1 << 63) - 1))
def test_every_duration_is_within_the_bounds_of_its_bucket(ns: int) -> None:
    power = max(0, ns.bit_length() - 6)
    bucket = ns if ns < 64 else ((power + 1) << 5) | (ns >> power & 31)
    low, high = bounds(bucket)
    assert low <= ns < high and (high - low) * 32 <= max(ns, 32)
