"""Arguments that several verbs take."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from datacrumbs.core.errors import UsageError


def add_traces(parser: argparse.ArgumentParser) -> None:
    """The traces themselves."""
    parser.add_argument("traces", nargs="+", metavar="TRACE", help="a trace (.pfw.gz, .pfw), or a folder of them")


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON: whole nanoseconds and bytes, stable names")


def number(option: str, of: str) -> Callable[[str], int]:
    """What reads the whole number of an option such as `--top`, a number of `of`."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise UsageError(f"{option} {text!r} is not a number of {of}", "give a whole number, such as 20")
        return int(text)

    return read
