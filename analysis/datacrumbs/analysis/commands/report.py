"""datacrumbs_analyze report."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Final

from datacrumbs.core.errors import OutputError, UsageError

if TYPE_CHECKING:
    from datacrumbs.analysis.report.spans import Range

MOST_BYTES: Final = 5 << 20
"""A report is never larger than this, so that it can be mailed, and opens at once."""


class ReportCommand:
    """One HTML file with all of it, to open in a browser: timeline, heatmap, latencies, files, processes, explanations.

    TRACE is a trace file or a folder of them, such as one per node; all of them count as one run. The report needs
    nothing but itself, works without a network, and stays below 5 MiB however long the trace is: of a long one it has
    sums for each moment, the longest calls, and every call of the windows that stand out.
    docs/reading-reports.md explains the page.
    """

    name = "report"
    example = "datacrumbs_analyze report /scratch/traces/4711 -o report.html"

    def prepare_parser(self, parser: argparse.ArgumentParser) -> None:
        """Adds the verb's own arguments."""
        parser.add_argument("traces", nargs="+", metavar="TRACE", help="a trace (.pfw.gz, .pfw), or a folder of them")
        parser.add_argument("-o", "--output", default="report.html", metavar="FILE", help="(default: report.html)")
        parser.add_argument("--title", default=None, help="what the page is called (default: the run and its host)")
        parser.add_argument(
            "--window", type=_window, action="append", default=[], metavar="FROM:TO",
            help="show every single call of this part of the run, in seconds since its start; may be repeated",
        )  # fmt: skip

    def run(self, args: argparse.Namespace) -> int:
        """Does it and returns the exit code."""
        # DuckDB takes 0.1 s to import: nobody who asks for help should wait for it.
        from datacrumbs.analysis import progress, units
        from datacrumbs.analysis.reading.trace import open_traces
        from datacrumbs.analysis.report.document import STEPS, Budget, prepare, source_names
        from datacrumbs.analysis.report.page import render
        from datacrumbs.analysis.summing.gather import of_traces
        from datacrumbs.analysis.summing.summarise import summarise
        from datacrumbs.core.files import write_atomically
        from datacrumbs.core.text import printable

        with open_traces(args.traces) as traces, progress.steps("report", len(STEPS) + 1) as step:
            step("sums")
            whole = of_traces(traces)
            summary = summarise(whole)
            header = summary.header
            run = " ".join(header.runs[:1]) or source_names(traces.sources)
            title = args.title or (f"{run} on {header.hosts[0]}" if header.hosts else run)
            make = prepare(traces, whole.sums, summary, tuple(args.window), step)
            budget = Budget()
            page = render(make(budget) | {"title": title}, title).encode()
            while len(page) > MOST_BYTES:
                budget = budget.halved()
                if budget.cells < 1000:
                    raise OutputError(
                        "the names in this trace alone are more than a report may hold", "give fewer traces"
                    )
                page = render(make(budget) | {"title": title}, title).encode()
        write_atomically(args.output, page)
        print(f"{printable(args.output)} ({units.size(len(page))}): open it in a browser")
        return 0


def _window(text: str) -> Range:
    from datacrumbs.analysis.report.spans import Range

    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?):(\d{1,9}(?:\.\d{1,9})?)", text, re.ASCII)
    begin, end = (round(float(part) * 1e6) for part in match.groups()) if match else (1, 0)
    if begin >= end:
        raise UsageError(f"--window {text!r} is not a part of the run", "give two times in seconds, such as 1.5:1.75")
    return Range(begin, end)
