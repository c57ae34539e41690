#!/bin/bash
# Makes the pictures in docs/images: what `datacrumbs_analyze summary` prints of the demo's trace, and what the HTML report
# shows of a small job of several layers (example_job.py), where Chromium is there. Needs root and a disk with ext4.
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

# The demo has one layer, so that it runs anywhere; the report is shown of a job in which more can be seen.
work=$(mktemp -d)
trap 'rm -rf "$work" "$(dirname "$(dirname "$trace")")"' EXIT
.venv/bin/python scripts/example_job.py "$work/job.pfw.gz"
.venv/bin/datacrumbs_analyze report "$work/job.pfw.gz" -o "$work/report.html" >/dev/null
for section in '' layers timeline explain; do
  picture=docs/images/report-${section:-glance}.png
  .venv/bin/python scripts/screenshot.py "$work/report.html" "$picture" ${section:+"$section"}
  ! command -v pngquant >/dev/null || pngquant --force --ext .png 128 "$picture" # a third of the size
  echo "$picture"
done
