"""`make bench`: figures against their targets, and against other tools; see docs/performance.md.

Exits with 0 where every target is met, 1 where one is missed, 69 where something is missing. Needs root.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "support")]

import cost  # noqa: E402
import figures  # noqa: E402
import floods  # noqa: E402
import functions  # noqa: E402
import many_files  # noqa: E402
import probes  # noqa: E402
import startup  # noqa: E402
from bench import Bench, BenchError, opened, say  # noqa: E402
from datacrumbs.core.errors import DataCrumbsError  # noqa: E402

PARTS: dict[str, Callable[[Bench], list[figures.Figure]]] = {
    "cost": cost.measure,
    "floods": floods.measure,
    "profile": many_files.measure,
    "startup": startup.measure,
    "functions": functions.measure,
    "probes": probes.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and shorter floods")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--only", action="append", choices=sorted(PARTS), help="measure this part; may be repeated")
    options = parser.parse_args()
    found: list[figures.Figure] = []
    missing = False
    try:
        with opened(quick=options.quick) as bench:
            for name, measure in PARTS.items():
                if not options.only or name in options.only:
                    found += measure(bench)
    except (BenchError, DataCrumbsError) as error:
        say(f"cannot measure the rest: {error}")
        missing = True
    figures.show(found)
    if options.json:
        figures.write_json(options.json, found)
    if missing:
        return 69
    return 1 if any(figure.failed for figure in found) else 0


if __name__ == "__main__":
    sys.exit(main())
