"""Inclusive and exclusive times are exact, whatever a trace holds."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from datacrumbs.analysis.explaining.nest import NO_PARENT, nest
from datacrumbs.analysis.reading.trace import Traces, open_traces
from datacrumbs.analysis.summing.summarise import summarise
from hypothesis import given, settings
from hypothesis import strategies as st
from tracegen import EPOCH_NS, TraceWriter


class Span(NamedTuple):
    """A call: begin and end in nanoseconds since `EPOCH_NS`."""

    name: str
    begin: int
    end: int
    tid: int = 1
    cat: str = "C"


class Found(NamedTuple):
    """What the sweep says of a call."""

    parent: str | None
    inclusive: int
    exclusive: int


def write(path: Path, spans: list[Span], *, exact: bool = True) -> Path:
    with TraceWriter(path) as trace:
        trace.opening()
        process = trace.process(1, "app")
        for span in spans:
            extra = {"ts_ns": (EPOCH_NS + span.begin) % 1000} if exact else {}
            trace.call(
                process, span.name, EPOCH_NS + span.begin, span.end - span.begin, tid=span.tid, cat=span.cat, **extra
            )
        trace.closing(ended=1)
    return path


def results(traces: Traces) -> list[tuple[str, Found]]:
    """In the order of the sweep."""
    swept, calls = nest(traces.calls, traces.layers), traces.calls
    names = [calls.functions[number].name for number in calls.function[swept.order]]
    return [
        (
            name,
            Found(
                None if swept.parent[place] == NO_PARENT else names[swept.parent[place]],
                int(calls.ns[swept.order[place]]),
                int(swept.exclusive[place]),
            ),
        )
        for place, name in enumerate(names)
    ]


def swept(path: Path, spans: list[Span], *, exact: bool = True) -> dict[str, Found]:
    with open_traces([str(write(path, spans, exact=exact))]) as traces:
        return dict(results(traces))


@pytest.mark.parametrize("exact", [True, False], ids=["nanoseconds", "microseconds"])
def test_times_of_nested_calls(tmp_path: Path, exact: bool) -> None:
    """Written as they end, which is how traces come."""
    spans = [
        Span("write", 2000, 5000, cat="POSIX"),
        Span("write2", 6000, 6000, cat="POSIX"),
        Span("fwrite", 1000, 9000),
        Span("other", 1500, 2500, tid=2),
        Span("H5Dwrite", 0, 20000, cat="HDF5"),
    ]
    assert swept(tmp_path / "t.pfw.gz", spans, exact=exact) == {
        "H5Dwrite": (None, 20000, 12000),
        "fwrite": ("H5Dwrite", 8000, 5000),
        "write": ("fwrite", 3000, 3000),
        "write2": ("fwrite", 0, 0),
        "other": (None, 1000, 1000),
    }


def test_calls_far_below_a_microsecond_nest_exactly(tmp_path: Path) -> None:
    spans = [
        Span("lseek", 1010, 1090, cat="POSIX"),
        Span("get_page", 1210, 1230, cat="filemap"),
        Span("vfs_read", 1200, 1290, cat="vfs"),
        Span("read", 1100, 1300, cat="POSIX"),
        Span("close", 1300, 1400, cat="POSIX"),
    ]
    found = swept(tmp_path / "t.pfw.gz", spans)
    assert found["vfs_read"] == ("read", 90, 70) and found["get_page"] == ("vfs_read", 20, 20)
    assert found["read"] == (None, 200, 110)
    assert found["lseek"] == (None, 80, 80) and found["close"] == (None, 100, 100)


def test_system_calls_in_one_microsecond_are_beside_each_other(tmp_path: Path) -> None:
    """Where a trace has no nanoseconds of begins, the layers tell what can be inside what."""
    spans = [Span(f"c{n}", 1000 + 150 * n, 1100 + 150 * n, cat="POSIX") for n in range(20)]
    assert set(swept(tmp_path / "t.pfw.gz", spans, exact=False).values()) == {(None, 100, 100)}


def test_deep_and_wide(tmp_path: Path) -> None:
    depth, width = 2000, 3000
    deep = [Span(f"d{n}", n, 2 * depth - n) for n in reversed(range(depth))]
    wide = [Span(f"w{n}", 10 * n, 10 * n + 5, tid=2) for n in range(width)] + [Span("all", 0, 10 * width, tid=2)]
    found = swept(tmp_path / "t.pfw.gz", deep + wide)
    assert all(found[f"d{n}"].exclusive == 2 for n in range(depth))
    assert found[f"d{depth - 1}"].parent == f"d{depth - 2}"
    assert found["all"].exclusive == 5 * width


def test_recursion_and_equal_times(tmp_path: Path) -> None:
    """Of two calls with the same begin and end, the one that the trace has first is the outer one."""
    path = write(tmp_path / "t.pfw.gz", [Span("f", 10, 90), Span("f", 10, 90), Span("f", 0, 100)])
    with open_traces([str(path)]) as traces:
        assert [found for _, found in results(traces)] == [(None, 100, 20), ("f", 80, 0), ("f", 80, 80)]


def test_a_pid_that_is_used_again_and_a_clock_that_steps_back(tmp_path: Path) -> None:
    """Two lives of one pid, the second of which a clock shows inside the first: no time counts twice."""
    spans = [Span("a", 0, 100), Span("b", 50, 80), Span("c", 90, 150), Span("d", 40, 45)]
    found = swept(tmp_path / "t.pfw.gz", spans)
    assert sum(one.exclusive for one in found.values()) == 150
    assert found["c"] == (None, 60, 60) and found["a"].exclusive == 55


def test_two_lives_of_one_pid_are_two_processes(tmp_path: Path) -> None:
    """A process that starts after one with its id has ended is another one, whatever the clock says of their calls:
    none is inside a call of the other, and the summary has a row for each. A second start alone is no second process.
    """
    with TraceWriter(tmp_path / "t.pfw") as trace:
        trace.opening()
        for life, begin in enumerate((0, 50_000, 200_000)):
            process = trace.process(7, f"life{life}", start_ns=EPOCH_NS + begin)
            trace.call(process, f"outer{life}", EPOCH_NS + begin, 40_000 + 40_000 * (life == 0), ts_ns=0)
            trace.call(process, f"inner{life}", EPOCH_NS + begin + 10_000, 10_000, tid=7 + life % 2, ts_ns=0)
            trace.process(7, f"life{life}", start_ns=EPOCH_NS + begin + 5000)
            trace.exit(process, EPOCH_NS + begin + 45_000, exit=0)
        trace.closing(ended=1)
    with open_traces([str(tmp_path / "t.pfw")]) as traces:
        assert dict(results(traces)) == {
            "outer0": (None, 80_000, 70_000), "inner0": ("outer0", 10_000, 10_000),
            "outer1": (None, 40_000, 40_000), "inner1": (None, 10_000, 10_000),
            "outer2": (None, 40_000, 30_000), "inner2": ("outer2", 10_000, 10_000),
        }  # fmt: skip
        summary = summarise(traces)
    rows = [(row.pid, row.life, row.name, row.calls, row.threads) for row in summary.processes]
    assert rows == [(7, 0, "life0", 2, 1), (7, 1, "life1", 2, 2), (7, 2, "life2", 2, 1)]
    assert summary.header.processes == 3


def test_equal_pids_of_two_nodes_are_two_threads(tmp_path: Path) -> None:
    for host in ("n1", "n2"):
        with TraceWriter(tmp_path / f"{host}.pfw.gz", host=host) as trace:
            process = trace.process(1, "app")
            trace.call(process, host, EPOCH_NS, 1000 if host == "n1" else 500, ts_ns=0)
    with open_traces([str(tmp_path)]) as traces:
        assert dict(results(traces)) == {"n1": (None, 1000, 1000), "n2": (None, 500, 500)}


TREE = st.recursive(
    st.just([]), lambda inner: st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), inner), max_size=4),
    max_leaves=12,
)  # fmt: skip
"""Children: a gap before, time of their own behind their children, and their children."""


def spans_of(tree: list, start: int, tid: int, expected: list[tuple[int, int]]) -> tuple[list[Span], int]:
    """Spans as they end, and where the last ends; appends inclusive and exclusive time of each."""
    found: list[Span] = []
    at = start
    for gap, own, inner in tree:
        begin = at + gap + 1  # no two begin at the same time: which is the outer one is another test
        below, at = spans_of(inner, begin, tid, expected)
        at += own + 1
        found += [*below, Span(f"f{len(expected)}", begin, at, tid)]
        children = sum(e - b for b, e in _outer(below))
        expected.append((at - begin, at - begin - children))
    return found, at


def _outer(spans: list[Span]) -> list[tuple[int, int]]:
    return [(s.begin, s.end) for s in spans if not any(o.begin < s.begin and s.end < o.end for o in spans)]


@settings(max_examples=60, deadline=None)
@given(trees=st.lists(TREE, min_size=1, max_size=3))
def test_any_nesting_is_found_again(tmp_path_factory: pytest.TempPathFactory, trees: list[list]) -> None:
    """Threads interleave in the file."""
    expected: list[tuple[int, int]] = []
    threads = [spans_of(tree, 0, tid, expected)[0] for tid, tree in enumerate(trees, 1)]
    mixed = sorted((span for thread in threads for span in thread), key=lambda span: span.end)
    with open_traces([str(write(tmp_path_factory.mktemp("n") / "t.pfw", mixed))]) as traces:
        found = sorted((one.inclusive, one.exclusive) for _, one in results(traces))
    assert found == sorted(expected)


def union(spans: list[tuple[int, int]]) -> int:
    total, until = 0, -1
    for begin, end in sorted(spans):
        total += max(0, end - max(begin, until))
        until = max(until, end)
    return total


@settings(max_examples=150, deadline=None)
@given(
    raw=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 3000), st.integers(1, 3)), min_size=1, max_size=40),
    cats=st.lists(st.sampled_from(["POSIX", "C", "HDF5", "ext4", "region"]), min_size=40, max_size=40),
    exact=st.booleans(),
)
def test_exclusive_times_add_up_to_the_time_with_any_call(
    tmp_path_factory: pytest.TempPathFactory, raw: list[tuple[int, int, int]], cats: list[str], exact: bool
) -> None:
    """For any spans, also such that overlap and do not nest: their sum is the union of the roots, thread by thread."""
    unit = 1 if exact else 1000
    spans = [
        Span(f"f{n}", unit * begin, unit * (begin + length), tid, cats[n]) for n, (begin, length, tid) in enumerate(raw)
    ]
    with open_traces([str(write(tmp_path_factory.mktemp("u") / "t.pfw", spans, exact=exact))]) as traces:
        found = results(traces)
    times = {span.name: span for span in spans}
    roots = [times[name] for name, one in found if one.parent is None]
    for tid in {span.tid for span in spans}:
        total = union([(span.begin, span.end) for span in spans if span.tid == tid])
        assert sum(one.exclusive for name, one in found if times[name].tid == tid) == total
        assert union([(span.begin, span.end) for span in roots if span.tid == tid]) == total
    assert all(0 <= one.exclusive <= one.inclusive for _, one in found)
