"""Arguments that several verbs take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from datacrumbs.core.errors import UsageError

if TYPE_CHECKING:
    from datacrumbs.analysis.explaining.selection import Selection


def add_traces(parser: argparse.ArgumentParser) -> None:
    """The traces themselves."""
    parser.add_argument("traces", nargs="+", metavar="TRACE", help="a trace (.pfw.gz, .pfw), or a folder of them")


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON: whole nanoseconds and bytes, stable names")


def add_scheduler(parser: argparse.ArgumentParser) -> None:
    """`--scheduler`."""
    parser.add_argument(
        "--scheduler", default="", metavar="ADDRESS",
        help="have a Dask cluster read the traces: slurm:8 or flux:8 for one of so many jobs, or the address "
        "of a scheduler, such as tcp://login1:8786",
    )  # fmt: skip


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Which calls an answer is about."""
    parser.add_argument("--file", default="", metavar="PATH", help="only calls on files whose path holds this")
    parser.add_argument("--process", default="", metavar="PID", help="only calls of this pid or program")
    parser.add_argument("--host", default="", metavar="NAME", help="only calls on this node")
    parser.add_argument(
        "--time", default="", metavar="FROM:TO", help="only calls that begin in this part of the run, in seconds"
    )


def selection_of(args: argparse.Namespace) -> Selection:
    """What `add_selection`'s arguments say.

    Raises:
        UsageError: the time is no part of a run.
    """
    from datacrumbs.analysis.explaining.selection import Selection, part_of_run

    time = part_of_run(args.time, f"--time {args.time}") if args.time else None
    return Selection(args.file, args.process, args.host, time)


def number(option: str, of: str) -> Callable[[str], int]:
    """What reads the whole number of an option such as `--top`, a number of `of`."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise UsageError(f"{option} {text!r} is not a number of {of}", "give a whole number, such as 20")
        return int(text)

    return read
