#!/bin/bash
# Makes docs/images/summary.svg: what `datacrumbs_analyze summary` prints of the demo's trace. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
said=$(scripts/demo.sh)
trace=$(sed -n 's/^The trace is //p' <<<"$said")
trap 'rm -rf "$(dirname "$(dirname "$trace")")"' EXIT
mkdir -p docs/images
FORCE_COLOR=1 TERM=xterm-256color COLUMNS=110 .venv/bin/datacrumbs_analyze summary "$trace" |
  .venv/bin/python -c '
import io, sys
from rich.console import Console
from rich.text import Text
text = Text.from_ansi(sys.stdin.read().rstrip())
width = max(len(line) for line in text.plain.splitlines())
console = Console(record=True, width=width + 1, file=io.StringIO())
console.print(text)
console.save_svg("docs/images/summary.svg", title="datacrumbs_analyze summary", unique_id="summary")
'
echo "docs/images/summary.svg"
