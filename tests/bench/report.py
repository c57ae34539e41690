"""`make bench-report`: the HTML report of ten million events: how long it takes to make and to open, how large it is.

Exits with 0 where every target is met, 1 where one is missed, 69 where something is missing.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]

import figures  # noqa: E402
import tracegen  # noqa: E402
from bench import say  # noqa: E402
from browser import Browser, find  # noqa: E402

EVENTS = 10_000_000
OPENINGS = 5


def main() -> int:
    """Measures once; opening takes the best of five, since what disturbs one only ever adds."""
    if not find():
        say("chromium is missing")
        return 69
    with tempfile.TemporaryDirectory(prefix="datacrumbs-bench-") as name:
        trace, report = Path(name, "trace.pfw.gz"), Path(name, "report.html")
        say(f"writing a trace of {EVENTS:,} events")
        tracegen.synthetic(trace, EVENTS)
        say("making its report")
        start = time.monotonic()
        command = [ROOT / ".venv" / "bin" / "datacrumbs_analyze", "report", trace, "-o", report]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        made = time.monotonic() - start
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        say("opening it")
        found = [
            figures.Figure("report of 10 M events, made in", made, "s"),
            figures.Figure("  memory for it", memory, "MiB"),
            figures.Figure("  size", report.stat().st_size / (1 << 20), "MiB", most=5),
            figures.Figure("  opened in Chromium, all views drawn", min(openings(report)), "s", most=2),
        ]
    figures.show(found)
    return 1 if any(figure.failed for figure in found) else 0


def openings(report: Path) -> list[float]:
    """Seconds from the navigation until the page has drawn what is in sight."""
    times = []
    with Browser() as browser:
        for _ in range(OPENINGS):
            with browser.page(1440, 1000) as page:
                start = time.monotonic()
                page.open(report)
                page.wait("!('stale' in document.getElementById('glance').dataset)")
                times.append(time.monotonic() - start)
    return times


if __name__ == "__main__":
    sys.exit(main())
