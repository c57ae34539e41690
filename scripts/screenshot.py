#!/usr/bin/env python3
"""Pictures of an HTML report, in the Chromium that the tests use.

screenshot.py REPORT.html OUT.png [SECTION]     SECTION: such as timeline; default: the top of the page
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
from browser import Browser, find

WIDTH, HEIGHT = 1280, 860


def main() -> int:
    """Takes one picture; without a browser it says so and succeeds: a picture is nice to have."""
    if not find():
        print("screenshot: there is no chromium here, so no picture; the package is called chromium", file=sys.stderr)
        return 0
    report, out, *section = sys.argv[1:]
    with Browser() as browser, browser.page(WIDTH, HEIGHT) as page:
        page.open(Path(report))
        if section:
            page.run(f"document.querySelector('.sections a[href=\"#{section[0]}\"]').click()")
            page.run("document.activeElement.blur()")
            page.settle()
        page.settle()
        Path(out).write_bytes(page.picture())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
