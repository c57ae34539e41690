"""Explanations and comparisons add up: whatever the calls are divided into, the answer is the one about all of them."""

from __future__ import annotations

import pickle
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from datacrumbs.analysis.comparing.compare import compare
from datacrumbs.analysis.comparing.sides import profile, slow_and_typical
from datacrumbs.analysis.explaining.explain import explain
from datacrumbs.analysis.explaining.explanation import Explanation
from datacrumbs.analysis.explaining.parted import Ask, Parted, of_traces
from datacrumbs.analysis.explaining.partition import Partition, choose
from datacrumbs.analysis.explaining.selection import Choice, Selection
from datacrumbs.analysis.reading.columns import Calls
from datacrumbs.analysis.reading.trace import Traces, open_traces
from datacrumbs.core.errors import NoInputError
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tracegen import EPOCH_NS, TraceWriter

US = 1000
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""An example is a seed: there is no smaller one."""
HOSTS = ("n1", "n2", "n3")
ELSEWHERE = (("block_rq", "block"), ("nvme_rq", "nvme"), ("writeback", "writeback"))
"""The first two are of one layer."""
CATEGORIES = {"read": "POSIX", "fread": "C", "step": "region", "filemap_add_folio": "filemap"}


class Call(NamedTuple):
    """Times in microseconds since `EPOCH_NS`; `caused`: the thread had the kernel do it elsewhere."""

    host: int
    pid: int
    tid: int
    name: str
    begin: int
    length: int
    file: int
    caused: bool


def calls_of(rng: random.Random) -> list[Call]:
    """So many in so little time that they are inside each other, overlap, and are alike in every way."""
    lengths = rng.choices(range(20), k=rng.randint(1, 6))
    return [
        Call(
            rng.randrange(3), rng.randint(1, 2), rng.randint(1, 2), rng.choice([*CATEGORIES]), rng.randrange(30),
            rng.choice(lengths), rng.randrange(3), rng.random() < 0.2,
        )
        for _ in range(rng.randint(1, 150))
    ]  # fmt: skip


WHICH = st.sampled_from(
    [
        Selection(),
        Selection(),
        Selection(file="/d/1"),
        Selection(process="1", host="n2"),
        Selection(time=(0.00001, 0.00004)),
    ]
)


def write(folder: Path, calls: Sequence[Call], *, exact: bool) -> None:
    """A trace for each host. Files of the third have no name; process 1 of each host also has calls added up."""
    for number, host in enumerate(HOSTS):
        with TraceWriter(folder / f"{host}.pfw", host=host, plain=True) as trace:
            processes = {pid: trace.process(pid, f"app{pid}") for pid in (1, 2)}
            files = [trace.file(f"/d/{name}") for name in range(2)] + ["ffff"]
            trace.added_up(processes[1], "read", EPOCH_NS + 10 * number * US, {3 * US: 5}, fhash=files[0], moved=9)
            for call in calls:
                if call.host == number:
                    more: dict[str, Any] = {"ts_ns": 0} if exact else {}
                    name, category, tid = call.name, CATEGORIES[call.name], 10 * call.pid + call.tid
                    if call.caused:
                        more |= {"cause": ("request", "inode")[call.file % 2], "thread": tid, "bytes": call.length}
                        name, category = ELSEWHERE[call.length % 3]
                        tid = 10_000_000
                    trace.call(
                        processes[call.pid], name, EPOCH_NS + call.begin * US, call.length * US, tid=tid, cat=category,
                        fhash=files[call.file], ret=call.begin, **more,
                    )  # fmt: skip


@contextmanager
def written(folder: Path, calls: Sequence[Call], *, exact: bool = True) -> Iterator[Traces]:
    """Opened traces with these calls."""
    write(folder, calls, exact=exact)
    with open_traces([str(folder)]) as traces:
        yield traces


def parted(traces: Traces, rng: random.Random) -> Parted:
    """The same calls in several partitions of whole processes, which have words and numbers of their own."""
    processes = sorted({(thread.host, thread.pid) for thread in traces.calls.threads})
    number = rng.randint(1, 4)
    of_process = {process: rng.randrange(number) for process in processes}
    of_thread = np.array([of_process[thread.host, thread.pid] for thread in traces.calls.threads])
    partitions = [
        Partition.of(
            renumbered(traces.calls, np.flatnonzero(of_thread[traces.calls.thread] == one), rng),
            at_once=rng.choice([1, 3, 7, 1000]),
        )
        for one in range(number)
    ]  # fmt: skip

    def begin(choice: Choice) -> Ask:
        chosen = [choose(one, choice) for one in partitions]
        return lambda what, *args: [what(*pair, *args) for pair in zip(partitions, chosen, strict=True)]

    return replace(of_traces(traces), choose=begin)


def renumbered(calls: Calls, rows: np.ndarray, rng: random.Random) -> Calls:
    """Some of the calls, with those functions, threads and files alone that they have, in another order."""
    columns = {name: column[rows] for name, column in calls.columns.items()}
    words: dict[str, Any] = {}
    for name, fixed in (("function", []), ("thread", []), ("file", [0])):
        order = [*fixed, *rng.sample(found := sorted({*columns[name].tolist()} - {*fixed}), len(found))]
        known = getattr(calls, f"{name}s")
        words[f"{name}s"] = tuple(known[number] for number in order)
        number_of = np.zeros(len(known), np.uint32)
        number_of[order] = np.arange(len(order))
        columns[name] = number_of[columns[name]]
    return replace(calls, **columns, **words)


def answer(make: Any, *args: Any) -> Any:
    """What is told, be it that there is nothing to tell."""
    try:
        return make(*args)
    except NoInputError as error:
        return str(error), error.hint


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(
    seed=st.integers(0, 1 << 30), exact=st.booleans(), which=WHICH, slowest=st.integers(0, 20),
    function=st.sampled_from([*CATEGORIES, "block_rq"]),
)  # fmt: skip
def test_any_partitions_give_the_same_answers(
    tmp_path_factory: pytest.TempPathFactory, seed: int, exact: bool, which: Selection, slowest: int, function: str
) -> None:
    rng = random.Random(seed)
    with written(tmp_path_factory.mktemp("p"), calls_of(rng), exact=exact) as traces:
        whole, parts = of_traces(traces), parted(traces, rng)

        def explained(one: Parted) -> Explanation:
            return explain(one, function, which, slowest=slowest)

        def compared(one: Parted, of: str) -> Any:
            return compare(profile(one, "a", of, which), profile(one, "b", of), of)

        def slow(one: Parted) -> Any:
            return compare(*slow_and_typical(one, function, which, slowest=slowest), function, by_duration=True)

        assert answer(explained, parts) == answer(explained, whole)
        assert answer(slow, parts) == answer(slow, whole)
        for of in ("", function):
            assert answer(compared, parts, of) == answer(compared, whole, of)


@settings(max_examples=30, deadline=None, phases=PHASES)
@given(seed=st.integers(0, 1 << 30), slowest=st.integers(1, 30))
def test_the_slowest_are_the_longest_and_of_these_the_earliest(
    tmp_path_factory: pytest.TempPathFactory, seed: int, slowest: int
) -> None:
    """Then by host, process and thread, and in the order of the trace. No call is inside another one here: those of a
    thread at the same time have no length.
    """
    rng = random.Random(seed)
    calls = [one._replace(name="read", caused=False, begin=100 * one.begin) for one in calls_of(rng)]
    alike = Counter((one.host, one.pid, one.tid, one.begin) for one in calls)
    calls = [one if alike[(*one[:3], one.begin)] == 1 else one._replace(length=0) for one in calls]
    expected = sorted(calls, key=lambda one: (-one.length, one.begin, one.host, one.pid, one.tid))[:slowest]
    with written(tmp_path_factory.mktemp("s"), calls) as traces:
        found = explain(parted(traces, rng), "read", slowest=slowest)
    assert [(one.ns, one.start_us - EPOCH_NS // US, one.host, one.pid, one.tid, one.path) for one in found.slowest] == [
        (one.length * US, one.begin, HOSTS[one.host], one.pid, 10 * one.pid + one.tid, ("/d/0", "/d/1", "")[one.file])
        for one in expected
    ]
    times = sorted(one.length * US for one in calls)
    assert (found.slow.calls, found.slow.min_ns, found.slow.max_ns) == (len(expected), times[-len(expected)], times[-1])
    assert found.spread.total_ns == sum(times) and found.typical.calls == sum(
        found.spread.p25_ns <= time <= found.spread.p50_ns for time in times
    )
    assert [found.spread.p25_ns, found.spread.p50_ns, found.spread.p75_ns, found.spread.p99_ns] == [
        times[int((len(times) - 1) * part)] for part in (0.25, 0.5, 0.75, 0.99)
    ]


@pytest.mark.parametrize("slowest", range(1, 12, 2))
def test_calls_that_are_alike_in_all_but_their_file_go_by_the_order_of_the_trace(tmp_path: Path, slowest: int) -> None:
    calls = [Call(host, 1, 1, "read", 5, 0, file, False) for host in (0, 1) for file in (1, 0, 2, 1, 0)]
    with written(tmp_path, calls, exact=False) as traces:
        found = explain(parted(traces, random.Random(slowest)), "read", slowest=slowest)
    expected = [(HOSTS[one.host], ("/d/0", "/d/1", "")[one.file]) for one in calls][:slowest]
    assert [(one.host, one.path) for one in found.slowest] == expected and found.slow.calls == len(expected)
    assert sum(row.slow_calls for row in found.tree) == 1


def test_a_partition_that_is_sent_elsewhere_answers_the_same(tmp_path: Path) -> None:
    """And whoever sends it is told how large it is."""
    with written(tmp_path, calls_of(random.Random(7))) as traces:
        there = pickle.loads(pickle.dumps(Partition.of(traces.calls)))
        found = explain(replace(of_traces(traces), choose=lambda choice: lambda what, *args: [
            what(there, choose(there, choice), *args)
        ]), "read")  # fmt: skip
        assert found == explain(traces, "read") and sys.getsizeof(there) > 80 * len(traces.calls)
