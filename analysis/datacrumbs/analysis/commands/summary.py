"""datacrumbs_analyze summary."""

from __future__ import annotations

import argparse
import sys

from datacrumbs.core.errors import UsageError


class SummaryCommand:
    """The run at a glance: time, bytes and bandwidth, by category, function, file and process.

    TRACE is a trace file or a folder of them, such as one per node; all of them count as one run.
    docs/reading-reports.md defines every figure.
    """

    name = "summary"
    example = "datacrumbs_analyze summary /scratch/traces/4711"

    def prepare_parser(self, parser: argparse.ArgumentParser) -> None:
        """Adds the verb's own arguments."""
        parser.add_argument("traces", nargs="+", metavar="TRACE", help="a trace (.pfw.gz, .pfw), or a folder of them")
        parser.add_argument("--json", action="store_true", help="print JSON: whole nanoseconds and bytes, stable names")
        parser.add_argument(
            "--top", type=_rows, default=None, metavar="N", help="rows of each table; 0: all (default: 10, JSON: all)"
        )

    def run(self, args: argparse.Namespace) -> int:
        """Does it and returns the exit code."""
        # DuckDB and rich take 0.1 s to import: nobody who asks for help should wait for them.
        from datacrumbs.analysis.reporters import as_json, as_tables
        from datacrumbs.analysis.summarise import summarise
        from datacrumbs.analysis.trace import open_traces

        with open_traces(args.traces) as traces:
            summary = summarise(traces)
        if args.json:
            as_json.write(summary, sys.stdout, top=args.top or 0)
        else:
            as_tables.write(summary, sys.stdout, top=10 if args.top is None else args.top)
        return 0


def _rows(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise UsageError(f"--top {text!r} is not a number of rows", "give a whole number, such as 20")
    return int(text)
