"""datacrumbs_analyze export."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Final

from datacrumbs.analysis.commands.arguments import add_traces
from datacrumbs.core.errors import OutputError

FORMS: Final = ("perfetto", "speedscope", "parquet", "darshan", "dftracer")


class ExportCommand:
    """A trace in a form that other tools open.

    perfetto: a JSON array for ui.perfetto.dev and chrome://tracing; speedscope: a flame graph for speedscope.app;
    parquet: a row for each call; darshan: CSV with Darshan's counters for each process and file; dftracer: one .pfw.gz
    from many. docs/exporting.md has more on each.
    """

    name = "export"
    example = "datacrumbs_analyze export /scratch/traces/4711 --to perfetto -o trace.json"

    def prepare_parser(self, parser: argparse.ArgumentParser) -> None:
        """Adds the verb's own arguments."""
        add_traces(parser)
        parser.add_argument("--to", required=True, choices=FORMS, metavar="FORM", help=", ".join(FORMS))
        parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the file to write")

    def run(self, args: argparse.Namespace) -> int:
        """Does it and returns the exit code."""
        from datacrumbs.analysis import progress
        from datacrumbs.analysis.exports import lines, speedscope, tables
        from datacrumbs.analysis.reading.completeness import judge
        from datacrumbs.analysis.reading.trace import open_traces
        from datacrumbs.analysis.units import count, size
        from datacrumbs.core.text import printable

        write = {
            "perfetto": lines.perfetto, "dftracer": lines.dftracer, "speedscope": speedscope.speedscope,
            "parquet": tables.parquet, "darshan": tables.darshan,
        }[args.to]  # fmt: skip
        target = Path(args.output)
        with open_traces(args.traces) as traces, progress.steps("export", 1) as step:
            step(f"writing {args.to}")
            try:
                # Beside its place, so that nobody meets half a file; in a folder, for what is written on the way.
                with tempfile.TemporaryDirectory(prefix=".datacrumbs-", dir=target.parent) as folder:
                    beside = Path(folder, "export")
                    write(traces, beside)
                    with beside.open("rb") as done:
                        os.fsync(done.fileno())
                    amount = beside.stat().st_size
                    beside.replace(target)
            except OSError as error:
                raise OutputError(f"cannot write {target}: {error.strerror}", "name another file") from error
            added = judge(traces).profiled
        print(f"{printable(args.output)} ({size(amount)})")
        if added:
            print(f"{count(added)} calls that were only added up (mode: profile) are not in it: it has single calls")
        return 0
