"""datacrumbs_analyze summary."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from datacrumbs.analysis.commands.arguments import add_json, add_scheduler, add_traces, number

if TYPE_CHECKING:
    from datacrumbs.analysis.summing.gather import Gathered


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
        if args.scheduler:
            from datacrumbs.analysis.clusters import cluster_sums

            return _answer(cluster_sums.gathered(args.traces, args.scheduler), args)
        from datacrumbs.analysis.summing.begun import begin_reading

        with begin_reading(args.traces) as begun:
            from datacrumbs.analysis.summing.gather import of_begun

            return _answer(of_begun(begun), args)


def _answer(opened: AbstractContextManager[Gathered], args: argparse.Namespace) -> int:
    # numpy, rich and what asks DuckDB take 0.2 s to import: nobody who asks for help should wait for them, and traces
    # are read meanwhile.
    from datacrumbs.analysis.reading.machine import started_pool
    from datacrumbs.analysis.summing import findings, gain
    from datacrumbs.analysis.summing.summarise import summarise

    if args.json:
        from datacrumbs.analysis.reporters import as_json
    else:
        from datacrumbs.analysis.reporters import as_tables

    with opened as whole, started_pool(1, "datacrumbs-patterns") as pool:
        patterns = pool.submit(gain.patterns_of, whole)
        summary = summarise(whole)
        found = tuple(findings.find(summary, patterns.result()))
    if args.json:
        as_json.write(summary, sys.stdout, top=args.top or 0, findings=found)
    else:
        as_tables.write(summary, sys.stdout, top=10 if args.top is None else args.top, findings=found)
    return 0
