"""The report opens from a file, asks for nothing, and begins with the answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from reports import SECTIONS, in_sight, opened, text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


def test_it_opens_from_a_file_and_asks_for_nothing(browser: Browser, report: Path) -> None:
    """No console error, no breach of its own policy, and one request: the file itself."""
    assert report.stat().st_size < 5 << 20
    with browser.page() as page:
        opened(page, report)
        for section in SECTIONS:
            in_sight(page, section)
        page.scheme("dark")
        page.settle()
        assert page.complaints() == []
        assert page.requests() == [report.as_uri()]


def test_the_first_thing_seen_is_the_answer(browser: Browser, report: Path) -> None:
    """Without scrolling: whether the trace is complete, how much of the time is I/O, what it was for and where, why."""
    with browser.page() as page:
        opened(page, report)
        assert page.run("document.querySelector('.why').getBoundingClientRect().bottom < innerHeight")
        answer = text(page, "#answer")
        assert "of the time of 8 processes" in answer and "of the time in I/O is fsync." in answer
        assert [kind in answer for kind in ("read", "write", "sync", "metadata")] == [True] * 4
        assert "/scratch/alice/run/step" in answer and "worker" in answer and "calls of fsync" in answer
        shares = page.run("probe.texts('#answer .kinds dd.num.muted')")
        assert 98 < sum(float(share.removesuffix(" %")) for share in shares) < 102
        page.run("document.querySelector('.why button').click()")
        assert page.run("document.activeElement.id") == "explain"
        assert page.run("document.querySelector('#explain [aria-pressed=true]').innerText") == "fsync"
