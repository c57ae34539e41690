"""datacrumbs_analyze explain."""

from __future__ import annotations

import argparse
import sys

from datacrumbs.analysis.commands.arguments import add_json, add_traces, number


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
        parser.add_argument("--file", default="", metavar="PATH", help="only calls on files whose path holds this")
        parser.add_argument("--process", default="", metavar="PID", help="only calls of this pid or program")
        parser.add_argument(
            "--slowest", type=number("--slowest", "calls"), default=0, metavar="N",
            help="how many calls count as slow (default: one in a hundred)",
        )  # fmt: skip

    def run(self, args: argparse.Namespace) -> int:
        """Does it and returns the exit code."""
        # DuckDB, numpy and rich take 0.2 s to import: nobody who asks for help should wait for them.
        from datacrumbs.analysis import progress
        from datacrumbs.analysis.explain import explain
        from datacrumbs.analysis.reporters import as_json, explanation_tables
        from datacrumbs.analysis.trace import open_traces
        from datacrumbs.core.text import printable

        with open_traces(args.traces) as traces, progress.steps("explain", 1) as step:
            step(f"calls inside {printable(args.function)}")
            answer = explain(traces, args.function, file=args.file, process=args.process, slowest=args.slowest)
        if args.json:
            as_json.write_plain(answer, sys.stdout)
        else:
            explanation_tables.write(answer, sys.stdout)
        return 0
