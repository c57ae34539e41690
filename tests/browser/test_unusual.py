"""Reports of unusual traces: hostile names, very many processes, no calls at all, sums alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from reports import HOSTILE, SECTIONS, in_sight, make_report, opened, painted, table, text
from tracegen import EPOCH_NS, TraceWriter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


def test_hostile_names_are_shown_and_do_nothing(browser: Browser, layered: Path) -> None:
    with browser.page() as page:
        opened(page, layered)
        for section in SECTIONS:
            in_sight(page, section)
        assert page.run("window.hacked") is None
        assert page.run("probe.all('main img, main script, main iframe').length") == 0
        assert page.complaints() == [] and page.requests() == [layered.as_uri()]
        assert HOSTILE[0] in text(page, "h1")
        assert HOSTILE[1] in text(page, "#files tbody")
        assert f"that of {HOSTILE[0]} was set forward by 5 s while" in text(page, "#complete")
        # What would reorder or hide text is spelled out.
        everything = str(page.run("document.body.innerText"))
        assert "\\u202egnp.exe\\u0007\\u001b[31m" in everything
        assert not any(c in everything for c in "\u202e\x07\x1b")
        assert page.run("document.documentElement.scrollWidth") <= 1280


def test_more_processes_than_rows(browser: Browser, tmp_path: Path) -> None:
    """The answer counts all of them, and names one of them; the others share a row."""
    with TraceWriter(tmp_path / "t.pfw.gz") as trace:
        trace.opening()
        for rank in range(300):
            process = trace.process(1000 + rank, "a.out", cmd=f"./a.out {rank}", start_ns=EPOCH_NS)
            trace.call(process, "pread64", EPOCH_NS + rank * 1000, 10**6 + rank, fhash=trace.file("/in"), ret=4096)
        trace.closing(ended=EPOCH_NS // 1000 + 2000)
    with browser.page() as page:
        opened(page, make_report(tmp_path / "t.pfw.gz", tmp_path / "r.html"))
        answer = text(page, "#answer")
        assert "of the time of 300 processes" in answer and "a.out 1299 1 call," in answer
        in_sight(page, "heatmap")
        assert painted(page, "#heat-canvas") >= 3
        in_sight(page, "layers")
        [category] = page.run(f"probe.texts('{table('Time and bytes by category')}')")
        assert "1 ms, 77 %" in category  # the mean of 300 processes, and its share of the run
        in_sight(page, "files")
        assert page.run(f"probe.column('{table('Files', '')}', 7)") == [300]
        in_sight(page, "processes")
        assert "other processes" in str(page.run("document.querySelector('#processes .more').click() ?? "
                                                 "document.querySelector('#processes').innerText"))  # fmt: skip
        assert page.complaints() == []


def test_a_trace_without_calls_says_so(browser: Browser, tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.pfw") as trace:
        trace.opening()
        trace.closing(ended=EPOCH_NS // 1000)
    with browser.page() as page:
        opened(page, make_report(tmp_path / "t.pfw", tmp_path / "r.html"))
        for section in SECTIONS:
            in_sight(page, section)
        assert page.complaints() == []
        assert page.run("probe.all('.empty').length") >= 5


def test_a_profile_has_all_sums_and_no_single_calls(browser: Browser, tmp_path: Path) -> None:
    """Every view opens, without a complaint, and says where a profile has nothing to show."""
    with TraceWriter(tmp_path / "t.pfw.gz") as trace:
        trace.opening(mode="profile")
        for rank in range(3):
            process = trace.process(100 + rank, f"rank{rank}")
            for second in range(20):
                start = EPOCH_NS + second * 10**9 + rank * 10**6
                trace.added_up(process, "read", start, {2000: 100, 300_000: 7}, fhash=trace.file(f"/data/{rank}"),
                               moved=4096 * 107, interval=second)  # fmt: skip
        trace.closing(ended=EPOCH_NS // 1000 + 20 * 10**6)
    report = make_report(tmp_path / "t.pfw.gz", tmp_path / "report.html")
    with browser.page() as page:
        opened(page, report)
        for section in SECTIONS:
            in_sight(page, section)
        assert page.run("probe.tile('Calls')").replace(",", "") == str(3 * 20 * 107)
        assert "only added up" in text(page, "#explain") and "only added up" in text(page, "#glance, #complete")
        assert painted(page, "#heatmap canvas") > 1 and "/data/1" in text(page, "#files")
        assert page.run("probe.all('#latency td canvas').length") == 1
        assert not page.complaints()
