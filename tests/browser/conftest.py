"""What tests of the HTML report in a real browser share: the browser, and two reports to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser
from reports import HOSTILE, make_report
from tracegen import EPOCH_NS, TraceWriter, synthetic


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with Browser() as running:
        yield running


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a trace that is larger than what is drawn call by call."""
    folder = tmp_path_factory.mktemp("report")
    synthetic(folder / "t.pfw.gz", 300_000)
    return make_report(folder / "t.pfw.gz", folder / "report.html")


@pytest.fixture(scope="session")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a small trace of several layers, with errors, children, signals and hostile names everywhere."""
    folder = tmp_path_factory.mktemp("layered")
    with TraceWriter(folder / "t.pfw.gz", host=HOSTILE[0]) as trace:
        trace.opening(user=HOSTILE[1], refused_count=1, refused=[HOSTILE[0]])
        parent = trace.process(100, HOSTILE[0], cmd=HOSTILE[1])
        files = [trace.file("/" + name) for name in HOSTILE]
        for number, name in enumerate(HOSTILE):
            child = trace.process(101 + number, name, ppid=100, cmd=name, start_ns=EPOCH_NS + number * 10**6)
            for turn in range(40):
                start = EPOCH_NS + number * 10**6 + turn * 50_000
                trace.call(child, name, start, 40_000, cat=name, fhash=files[number])
                trace.call(child, "H5Dwrite", start + 1000, 35_000, cat="HDF5")
                trace.call(child, "fwrite", start + 2000, 30_000, cat="C", fhash=files[number], ret=100)
                trace.call(child, "write", start + 3000, 20_000, fhash=files[number], ret=4096 if turn % 9 else -28)
            begin = EPOCH_NS + (number + 2) * 10**6
            trace.added_up(child, f"sum {name}", begin, {9000: 5}, cat=name, fhash=files[number], moved=9)
            trace.exit(child, EPOCH_NS + (number + 4) * 10**6, **({"signal": 9} if number == 2 else {"exit": number}))
        trace.exit(parent, EPOCH_NS + 12 * 10**6, exit=0)
        trace.closing(ended=EPOCH_NS // 1000 + 12_000, clock_step_us=5_000_000)
    return make_report(folder / "t.pfw.gz", folder / "report.html", "--title", HOSTILE[0])
