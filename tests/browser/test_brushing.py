"""Every view answers a selection of a part of the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from reports import PART, SECTIONS, in_sight, opened, painted, shown, table, text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


def test_a_brushed_time_range_filters_every_view(browser: Browser, report: Path) -> None:
    with browser.page() as page:
        opened(page, report)
        before = shown(page)
        page.drag("#strip-canvas", 0.4, 0.45)
        page.wait(PART)
        after = shown(page)
        assert [s for s in SECTIONS if before[s] == after[s]] == []
        calls = int(page.run("probe.tile('Calls')").replace(",", ""))
        rows, processes = (
            page.run(f"probe.column('{table('Functions', '')}', 2)"),
            page.run("probe.column('#processes', 3)"),
        )
        assert 300_000 / 40 < calls < 300_000 / 10
        assert sum(rows) == sum(processes) == calls
        page.key("Escape")
        assert shown(page) == before
        page.drag("#heat-canvas", 0.5, 0.6)
        page.wait(PART)
        page.key("Escape")
        page.wait(f"!({PART})")
        page.drag("#timeline-canvas", 0.5, 0.6)
        page.wait(PART)


def test_the_timeline_goes_down_to_single_calls(browser: Browser, report: Path) -> None:
    with browser.page() as page:
        opened(page, report)
        in_sight(page, "timeline")
        assert page.run("document.getElementById('timeline-canvas').dataset.mode") == "sums"
        page.run("document.querySelector('#timeline .chips button').click()")
        page.wait("document.getElementById('timeline-canvas').dataset.mode === 'single'")
        assert "every one is drawn" in text(page, "#timeline-note")
        assert painted(page, "#timeline-canvas") >= 3
        assert "fsync" in text(page, "#timeline tbody")
