"""How the report looks: widths, contrast, light and dark, paper, and a picture of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import readers
from browser import Browser
from reports import SECTIONS, in_sight, opened, painted

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@pytest.mark.parametrize("width", [400, 768, 1280, 2560])
def test_it_fits_every_width(browser: Browser, report: Path, width: int) -> None:
    """Nothing makes the page itself scroll sideways, and no canvas is drawn for another size than it has."""
    with browser.page(width) as page:
        opened(page, report)
        for section in SECTIONS:
            in_sight(page, section)
        assert page.run("document.documentElement.scrollWidth") <= width
        page.wait("probe.blurred() === 0")
        assert page.run("probe.outside()") == 0


@pytest.mark.parametrize("which", ["report", "layered"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(browser: Browser, which: str, scheme: str, request: pytest.FixtureRequest) -> None:
    """axe-core's rules: names, roles, contrast, landmarks, keyboard."""
    with browser.page(1280, dark=scheme == "dark") as page:
        opened(page, request.getfixturevalue(which))
        for section in SECTIONS:
            in_sight(page, section)
        page.run("scrollTo(0, 0)")
        page.settle()
        page.run(readers.axe().read_text() + "; 0")
        assert page.run("probe.faults()") == []


def test_light_and_dark_follow_the_reader(browser: Browser, report: Path) -> None:
    with browser.page() as page:
        opened(page, report)
        in_sight(page, "heatmap")
        light, picture = page.run("probe.brightness()"), page.run("document.getElementById('heat-canvas').toDataURL()")
        page.scheme("dark")
        page.wait("probe.brightness() < 150")
        in_sight(page, "heatmap")
        assert light > 600
        assert page.run("document.getElementById('heat-canvas').toDataURL()") != picture
        page.run("document.getElementById('theme').click()")
        page.wait(f"probe.brightness() === {light}")


def test_it_prints_on_white_without_controls(browser: Browser, report: Path) -> None:
    with browser.page(1280, dark=True) as page:
        opened(page, report)
        pdf = page.send("Page.printToPDF", printBackground=True)["data"]
        assert len(pdf) > 100_000
        page.run("dispatchEvent(new Event('beforeprint'))")
        page.send("Emulation.setEmulatedMedia", media="print", features=[])
        page.settle()
        assert page.run("document.documentElement.dataset.theme") == "light"
        assert page.run("getComputedStyle(document.querySelector('.sections')).display") == "none"
        assert painted(page, "#heat-canvas") >= 3 and painted(page, "#timeline-canvas") >= 3
        # What can be clicked is gone, but for parts of drawings and heads of tables, which are text there.
        left = "probe.all('main button').filter((b) => b.getClientRects().length && !b.closest('.icicle, .tl')).length"
        assert page.run(left) == 0


def test_a_picture_is_made_and_missed_by_nobody(report: Path, tmp_path: Path) -> None:
    """scripts/screenshot.py, which the demo calls: without a browser it says so, and that is no failure."""
    script, picture = Path(__file__).parents[2] / "scripts" / "screenshot.py", tmp_path / "p.png"
    command = [sys.executable, script, report, picture, "explain"]
    without = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert "no chromium" in without.stderr and not picture.exists()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stderr == ""
    assert picture.read_bytes().startswith(b"\x89PNG")
