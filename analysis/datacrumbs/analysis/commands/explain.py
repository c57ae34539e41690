"""datacrumbs_analyze explain."""

from __future__ import annotations

import argparse
import sys

from datacrumbs.analysis.commands.arguments import (
    add_json,
    add_scheduler,
    add_selection,
    add_traces,
    number,
    selection_of,
)


class ExplainCommand:
    """Why calls of one function take the time that they take: by layer, by function, typical against slow.

    FUNCTION is a name from the trace, such as read, fsync or H5Dwrite. What is traced inside it, down to the device,
    says where its time went. docs/explaining.md defines every figure.
    """

    name = "explain"
    example = "datacrumbs_analyze explain read /scratch/traces/4711"

    def prepare_parser(self, parser: argparse.ArgumentParser) -> None:
        """Adds the verb's own arguments."""
        parser.add_argument("function", metavar="FUNCTION", help="a function in the trace")
        add_traces(parser)
        add_json(parser)
        add_selection(parser)
        parser.add_argument(
            "--slowest", type=number("--slowest", "calls"), default=0, metavar="N",
            help="how many calls count as slow (default: one in a hundred)",
        )  # fmt: skip
        add_scheduler(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Does it and returns the exit code."""
        # DuckDB, numpy and rich take 0.2 s to import: nobody who asks for help should wait for them.
        from datacrumbs.analysis import progress
        from datacrumbs.analysis.explaining.explain import explain
        from datacrumbs.analysis.explaining.parted import opened
        from datacrumbs.analysis.reporters import as_json, explanation_tables
        from datacrumbs.core.text import printable

        which = selection_of(args)
        with opened(args.traces, args.scheduler) as traces, progress.steps("explain", 1) as step:
            step(f"calls inside {printable(args.function)}")
            answer = explain(traces, args.function, which, slowest=args.slowest)
        if args.json:
            as_json.write_plain(answer, sys.stdout)
        else:
            explanation_tables.write(answer, sys.stdout)
        return 0
