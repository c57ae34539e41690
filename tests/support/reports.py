"""The HTML report as the tests in tests/browser make it, open it, and ask it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from browser import Page

PART = "!document.getElementById('selection-clear').hidden"
"""Not the whole run is selected."""
PROBE = Path(__file__).with_name("probe.js")
SECTIONS = ("glance", "layers", "timeline", "heatmap", "latency", "files", "processes", "explain")
HOSTILE = (
    '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>',
    "</script><script>window.hacked=1</script>",
    "'; DROP TABLE records; --",
    "\u202egnp.exe\u0007\x1b[31m",
    "x" * 4000,
    "javascript:window.hacked=1",
)


def make_report(trace: Path, out: Path, *options: str) -> Path:
    code = "from datacrumbs.analysis.command import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code, "report", trace, "-o", out, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stderr == "", done
    assert str(out) in done.stdout
    return out


def opened(page: Page, report: Path) -> None:
    """Opens a report, and what the tests ask it with."""
    page.open(report)
    page.run(PROBE.read_text() + "\nglobalThis.probe = probe; 0")


def painted(page: Page, selector: str) -> int:
    """How many colours a canvas has, in steps of eight."""
    return int(page.run(f"probe.colours({json.dumps(selector)})"))


def in_sight(page: Page, section: str) -> None:
    """Scrolls to a section and waits until it shows what is selected."""
    page.run(f"document.getElementById('{section}').scrollIntoView()")
    page.settle()
    page.wait(f"!('stale' in document.getElementById('{section}').dataset)")


def text(page: Page, selector: str) -> str:
    return str(page.run(f"document.querySelector({json.dumps(selector)}).innerText"))


def table(label: str, rows: str = " tbody tr") -> str:
    """The selector of a table's rows, or of the table, by its accessible name."""
    return f"[aria-label=\\'{label}\\']{rows}"


def shown(page: Page) -> dict[str, Any]:
    """What each view shows, in a form that changes when the view does."""
    found: dict[str, Any] = {}
    for section in SECTIONS:
        in_sight(page, section)
        found[section] = page.run(f"probe.look('{section}')")
    return found
