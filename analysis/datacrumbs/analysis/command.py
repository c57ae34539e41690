"""datacrumbs_analyze: answers from traces. Each verb is a file in commands/ and a line in `VERBS`."""

from __future__ import annotations

import argparse
import gc
import inspect
import os
from collections.abc import Sequence
from typing import Final, Protocol

from datacrumbs.analysis import jobs
from datacrumbs.analysis.commands.compare import CompareCommand
from datacrumbs.analysis.commands.explain import ExplainCommand
from datacrumbs.analysis.commands.export import ExportCommand
from datacrumbs.analysis.commands.report import ReportCommand
from datacrumbs.analysis.commands.sql import SqlCommand
from datacrumbs.analysis.commands.summary import SummaryCommand
from datacrumbs.analysis.reading import memory
from datacrumbs.analysis.reading.machine import told_when_short
from datacrumbs.core import cli


class Verb(Protocol):
    """One verb. Its docstring is its help; its module imports nothing heavy, so that `--help` is instant."""

    name: str
    example: str

    def prepare_parser(self, parser: argparse.ArgumentParser) -> None:
        """Adds the verb's own arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Does it and returns the exit code."""


VERBS: Final[tuple[Verb, ...]] = (
    SummaryCommand(),
    ExplainCommand(),
    CompareCommand(),
    ReportCommand(),
    ExportCommand(),
    SqlCommand(),
)


def main() -> int:
    """The command `datacrumbs_analyze`."""
    return cli.main("datacrumbs_analyze", run)


def run(argv: Sequence[str]) -> int:
    """Runs the verb that the arguments name.

    Raises:
        UsageError: the arguments make no sense.
    """
    parser = cli.parser(
        "datacrumbs_analyze",
        "Answers from DataCrumbs traces (and other DFTracer traces): where did the I/O time go?\n\n"
        "In all verbs, --job ID stands for the traces of that job of a scheduler.",
        "\n".join(verb.example for verb in VERBS),
    )
    choices = parser.add_subparsers(metavar="VERB", required=True, title="verbs")
    for verb in VERBS:
        text = inspect.cleandoc(verb.__doc__ or "")
        chosen = choices.add_parser(
            verb.name,
            help=text.partition("\n")[0].rstrip("."),
            description=text,
            epilog=f"example:\n  {verb.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.prepare_parser(chosen)
        chosen.set_defaults(run=verb.run)
    args = parser.parse_args(jobs.expand(argv))
    memory.check()
    # numpy's linear algebra, which nothing here asks for, would start a thread for each processor.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Else Python looks for cycles of garbage after every 700 new objects. Modules are most of them, and are none: it
    # takes a twentieth of a summary.
    gc.set_threshold(100_000)
    try:
        with told_when_short():
            return int(args.run(args))
    finally:
        gc.freeze()
