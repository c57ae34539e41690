"""datacrumbs_analyze summary."""

from __future__ import annotations

import argparse
import sys

from datacrumbs.analysis.commands.arguments import add_json, add_scheduler, add_traces, number


class SummaryCommand:
    """The run at a glance: time, bytes and bandwidth, by category, function, file and process.

    TRACE is a trace file or a folder of them, such as one per node; all of them count as one run.
    docs/reading-reports.md defines every figure.
    """

    name = "summary"
    example = "datacrumbs_analyze summary /scratch/traces/4711"

    def prepare_parser(self, parser: argparse.ArgumentParser) -> None:
        """Adds the verb's own arguments."""
        add_traces(parser)
        add_json(parser)
        parser.add_argument(
            "--top", type=number("--top", "rows"), default=None, metavar="N",
            help="rows of each table; 0: all (default: 10, JSON: all)",
        )  # fmt: skip
        add_scheduler(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Does it and returns the exit code."""
        # DuckDB and rich take 0.1 s to import: nobody who asks for help should wait for them.
        if args.scheduler:
            from datacrumbs.analysis import cluster_sums

            opened = cluster_sums.gathered(args.traces, args.scheduler)
        else:
            from datacrumbs.analysis.gather import gathered

            opened = gathered(args.traces)
        with opened as whole:
            from datacrumbs.analysis import gain
            from datacrumbs.analysis.reporters import as_json, as_tables
            from datacrumbs.analysis.summarise import summarise

            summary = summarise(whole)
            findings = gain.findings_of(whole, summary)
        if args.json:
            as_json.write(summary, sys.stdout, top=args.top or 0, findings=findings)
        else:
            as_tables.write(summary, sys.stdout, top=10 if args.top is None else args.top, findings=findings)
        return 0
