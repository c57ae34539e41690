#!/bin/bash
# Makes the pictures in docs/images: what `datacrumbs_analyze summary` prints of the demo's trace, and what the HTML report
# shows of it and of a generated trace of several layers, where Chromium is there. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
said=$(scripts/demo.sh)
trace=$(sed -n 's/^The trace is //p' <<<"$said")
trap 'rm -rf "$(dirname "$(dirname "$trace")")"' EXIT
mkdir -p docs/images
FORCE_COLOR=1 TERM=xterm-256color COLUMNS=110 .venv/bin/datacrumbs_analyze summary "$trace" |
  .venv/bin/python -c '
import io, os, sys
from rich.console import Console
from rich.text import Text
text = Text.from_ansi(sys.stdin.read().rstrip().replace(os.getcwd(), "/home/ada/datacrumbs"))
width = max(len(line) for line in text.plain.splitlines())
console = Console(record=True, width=width + 1, file=io.StringIO())
console.print(text)
console.save_svg("docs/images/summary.svg", title="datacrumbs_analyze summary", unique_id="summary")
'
echo "docs/images/summary.svg"

# A job of many ranks and layers is more than the demo can run anywhere, so its trace is generated.
work=$(mktemp -d)
trap 'rm -rf "$work" "$(dirname "$(dirname "$trace")")"' EXIT
.venv/bin/python tests/support/simulation.py "$work/simulation.pfw.gz"
.venv/bin/datacrumbs_analyze report "$work/simulation.pfw.gz" -o "$work/report.html" >/dev/null
for section in glance timeline explain; do
  .venv/bin/python scripts/screenshot.py "$work/report.html" "docs/images/report-$section.png" "$section"
  echo "docs/images/report-$section.png"
done
