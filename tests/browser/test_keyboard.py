"""The report without a mouse."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from reports import opened, text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


def test_it_works_from_the_keyboard_alone(browser: Browser, report: Path) -> None:
    """Tab reaches the strip's handles, timeline, heatmap and tables; arrows, plus, Enter and Escape do their work."""
    with browser.page() as page:
        opened(page, report)
        reached = []
        for _ in range(160):
            page.send("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
            page.send("Input.dispatchKeyEvent", type="keyUp", key="Tab", code="Tab", windowsVirtualKeyCode=9)
            reached.append(page.run("document.activeElement.id || document.activeElement.tagName"))
        assert {"theme", "help-open", "select-from", "select-to", "timeline-canvas", "heat-canvas"} <= set(reached)
        whole = text(page, "#selection-text")
        page.run("document.getElementById('select-from').focus()")
        for _ in range(3):
            page.key("ArrowRight")
        assert text(page, "#selection-text") != whole
        page.key("Escape")
        assert text(page, "#selection-text") == whole
        page.run("document.getElementById('timeline-canvas').focus()")
        page.key("+")
        zoomed = text(page, "#selection-text")
        page.key("ArrowLeft")
        assert whole != zoomed != text(page, "#selection-text")
        page.key("Escape")
        page.run("document.getElementById('heat-canvas').focus()")
        page.key("ArrowDown")
        page.key("ArrowRight")
        assert "worker" in text(page, "#heat-readout")
        page.key("Enter")
        assert text(page, "#selection-text") != whole
        page.key("?")
        assert page.run("document.getElementById('help').open")
        page.key("Escape")
        page.wait("!document.getElementById('help').open")
        page.key("6")
        assert page.run("document.activeElement.id") == "files"
