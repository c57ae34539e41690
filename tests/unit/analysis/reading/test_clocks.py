"""What traces say of their hosts' clocks is told where it matters, and never more than that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datacrumbs.analysis.reading.clocks import Clock, sentence
from datacrumbs.analysis.summing.gather import gathered
from datacrumbs.analysis.summing.summarise import summarise
from tracegen import EPOCH_NS, TraceWriter

KEPT: dict[str, Any] = {"clock_synchronized": True, "clock_max_error_us": 2000}


def clocks(folder: Path, *hosts: tuple[dict[str, Any], dict[str, Any]]) -> tuple[Clock, ...]:
    """Of traces of node0, node1, …, with such members in their opening and closing records."""
    for number, (opening, closing) in enumerate(hosts):
        with TraceWriter(folder / f"n{number}.pfw", host=f"node{number}", plain=True) as trace:
            trace.opening(**opening)
            trace.closing(ended=EPOCH_NS // 1000, **closing)
    with gathered([str(folder)]) as traces:
        return summarise(traces).clocks


def test_the_two_worst_clocks_bound_how_far_hosts_are_apart(tmp_path: Path) -> None:
    worse = KEPT | {"clock_max_error_us": 7000}
    found = clocks(tmp_path, (KEPT, {}), (worse, {}), (KEPT, {}))
    assert found[1] == Clock("node1", True, 7000, 0) and len(found) == 3
    assert sentence(found) == ("moments of different hosts are 9 ms apart at most, as their kernels say", False)


def test_of_one_host_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert sentence(clocks(tmp_path, (KEPT, {"clock_step_us": 200}))) == ("", False)


def test_a_clock_that_was_set_is_told(tmp_path: Path) -> None:
    said, careful = sentence(clocks(tmp_path, (KEPT, {"clock_step_us": -3_200_000})))
    assert said == "that of node0 was set back by 3.20 s while it was traced" and careful


def test_a_clock_that_nobody_keeps_is_told(tmp_path: Path) -> None:
    loose = {"clock_synchronized": False, "clock_max_error_us": 16_000_000}
    said, careful = sentence(clocks(tmp_path, (KEPT, {}), (loose, {}), (loose, {})))
    assert said.startswith("that of node1 and of 1 more is not synchronised") and careful


@pytest.mark.parametrize(
    "strange",
    [{}, {"clock_max_error_us": -5}, {"clock_synchronized": "?", "clock_max_error_us": [1], "clock_step_us": {}}],
)
def test_what_is_not_known_is_not_claimed(tmp_path: Path, strange: dict[str, Any]) -> None:
    """Older traces say nothing, and hostile ones anything."""
    found = clocks(tmp_path, (KEPT, {}), (strange, {}))
    assert found[1] == Clock("node1", None, None, 0)
    assert sentence(found) == ("how far moments of different hosts are apart is not known", False)
