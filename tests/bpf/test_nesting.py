"""Which call is inside which is exact in a real trace, also where calls begin and end in one microsecond."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from datacrumbs.analysis.explaining.nest import NO_PARENT, nest
from datacrumbs.analysis.reading.trace import open_traces
from tracing import Run, Site, binary, function_probes, syscall_probes

pytestmark = pytest.mark.ebpf

TIMES = 3000
CALLS = ("getuid", "getppid", "getgid")
ROUND = [("getuid", 0), ("outer", 0), ("inner", 1), ("getppid", 2), ("inner", 1), ("getppid", 2), ("getgid", 0)]
"""What programs/nested.c does each time, and how deep in one another the calls are."""


@pytest.fixture(scope="module")
def traced(site: Site, compiled: Callable[..., Path]) -> Run:
    program = compiled("nested", "-fcf-protection=full")
    probes = [*syscall_probes(CALLS), *function_probes(program, ["inner", "outer"])]
    with site.run(site.sign(probes, [binary(program)]), "nested") as run:
        run.command([program, str(TIMES)])
    assert run.closing()["lost"] == run.closing()["missed_returns"] == 0
    return run


def test_cheap_calls_nest_as_they_were_made(traced: Run) -> None:
    """Every one of 21,000 calls is inside the one that made it, and its own time is what the calls inside it left."""
    with open_traces([str(traced.trace)]) as traces:
        calls, swept = traces.calls, nest(traces.calls, traces.layers)
        names = [calls.functions[number].name for number in calls.function[swept.order]]
        depth: list[int] = []
        for parent in swept.parent.tolist():
            depth.append(0 if parent == NO_PARENT else depth[parent] + 1)
        begin = names.index("outer") - 1  # the loader may have asked who it is
        assert list(zip(names, depth, strict=True))[begin : begin + TIMES * len(ROUND)] == TIMES * ROUND
        ns, ts = calls.ns[swept.order], calls.ts[swept.order]
        inside = np.zeros(len(ns), np.int64)
        held = swept.parent != NO_PARENT
        np.add.at(inside, swept.parent[held], ns[held])
        assert (swept.exclusive == ns - inside).all()
        # Thousands on any machine, fewer where a probe is slow: enough for the order of the file not to do by chance.
        assert np.count_nonzero(np.diff(ts) == 0) > TIMES // 10, "many begin in the same microsecond as the one before"


def test_nanoseconds_of_begins_are_written_where_calls_nest(
    traced: Run, site: Site, compiled: Callable[..., Path]
) -> None:
    """System calls alone are never inside one another, so their traces do not pay for it."""
    with site.run(site.sign(syscall_probes(CALLS)), "flat") as flat:
        flat.command([compiled("nested"), "10"])
    shown = [line["args"] for line in (*traced.events("C"), *traced.events("POSIX"))]
    assert len(shown) >= 7 * TIMES and all(0 <= args["ts_ns"] <= 999 for args in shown)
    assert len({args["ts_ns"] for args in shown}) > 900
    assert flat.events("POSIX") and not any("ts_ns" in line["args"] for line in flat.events("POSIX"))
