"""datacrumbs_analyze compare."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from datacrumbs.analysis.commands.arguments import add_json, add_scheduler, add_selection, number, selection_of
from datacrumbs.core.errors import UsageError

if TYPE_CHECKING:
    from datacrumbs.analysis.comparing.comparison import Comparison
    from datacrumbs.analysis.explaining.selection import Selection


class CompareCommand:
    """What changed between two traces, two groups of calls in one, or the typical and the slow calls of a function.

    A and B are traces, or folders of them. With --function, its calls are compared with each other, call by call;
    without, all calls by what they took in all. With --function and A alone, the slow calls are compared with the
    typical ones; with A alone and --a and --b, the calls that these choose: process=PID (or a text in its name or
    command line), file=PATH, host=NAME, time=FROM:TO (seconds since the first call), or several of them.
    docs/comparing.md defines every figure.
    """

    name = "compare"
    example = "datacrumbs_analyze compare /scratch/traces/4711 /scratch/traces/4712"

    def prepare_parser(self, parser: argparse.ArgumentParser) -> None:
        """Adds the verb's own arguments."""
        parser.add_argument("a", metavar="A", help="a trace (.pfw.gz, .pfw), or a folder of them")
        parser.add_argument("b", metavar="B", nargs="?", help="another one")
        add_json(parser)
        parser.add_argument("--function", default="", metavar="NAME", help="only calls of this function")
        add_selection(parser)
        for side in ("a", "b"):
            parser.add_argument(
                f"--{side}", dest=f"of_{side}", action="append", default=[], metavar="KEY=VALUE",
                help=f"calls of group {side}: process=, file=, host= or time=FROM:TO; may be repeated, all must hold",
            )  # fmt: skip
        parser.add_argument(
            "--slowest", type=number("--slowest", "calls"), default=0, metavar="N",
            help="with A alone: how many calls count as slow (default: one in a hundred)",
        )  # fmt: skip
        parser.add_argument(
            "--top", type=number("--top", "rows"), default=20, metavar="N", help="rows; 0: all (default: 20, JSON: all)"
        )
        add_scheduler(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Does it and returns the exit code."""
        from datacrumbs.analysis.reporters import as_json, comparison_tables

        make = _two_groups if args.of_a or args.of_b else _two_traces if args.b else _one_trace
        answer = make(args)
        if args.json:
            as_json.write_plain(answer, sys.stdout)
        else:
            comparison_tables.write(answer, sys.stdout, top=args.top)
        return 0


def _two_traces(args: argparse.Namespace) -> Comparison:
    if args.slowest:
        raise UsageError("--slowest is about one trace", "leave it out, or give A alone")
    which = selection_of(args)
    return _compared(args, [(args.a, args.a, which), (args.b, args.b, which)])


def _two_groups(args: argparse.Namespace) -> Comparison:
    from datacrumbs.analysis.explaining.selection import parse

    if args.slowest or not selection_of(args).all:
        raise UsageError(
            "--slowest, --file, --process, --host and --time do not go with --a and --b",
            "say file=PATH, process=PID and so on in --a and --b",
        )
    if not args.b and not (args.of_a and args.of_b):
        raise UsageError("one trace has two groups only with both --a and --b", "give both, or a second trace")
    groups = []
    for trace, texts, option in ((args.a, args.of_a, "--a"), (args.b or args.a, args.of_b, "--b")):
        name = " ".join(texts) or trace
        groups.append((trace, f"{trace} ({name})" if args.b and texts else name, parse(texts, option)))
    return _compared(args, groups)


def _compared(args: argparse.Namespace, groups: list[tuple[str, str, Selection]]) -> Comparison:
    """Compares two groups: of each the trace, what it is called, and its calls. One trace alone is read once."""
    from datacrumbs.analysis import progress
    from datacrumbs.analysis.comparing.compare import compare
    from datacrumbs.analysis.comparing.sides import profile
    from datacrumbs.analysis.explaining.parted import reader

    names = list(dict.fromkeys(trace for trace, *_ in groups))
    profiles = []
    with reader(names, args.scheduler) as read:
        for trace in names:
            with read([trace]) as traces, progress.steps("compare", 1) as step:
                step("calls inside calls")
                profiles += [profile(traces, name, args.function, which) for of, name, which in groups if of == trace]
    return compare(profiles[0], profiles[1], args.function)


def _one_trace(args: argparse.Namespace) -> Comparison:
    from datacrumbs.analysis import progress
    from datacrumbs.analysis.comparing.compare import compare
    from datacrumbs.analysis.comparing.sides import slow_and_typical
    from datacrumbs.analysis.explaining.parted import opened

    if not args.function:
        raise UsageError("one trace alone compares calls of a function", "give --function NAME, or a second trace")
    which = selection_of(args)
    with opened([args.a], args.scheduler) as traces, progress.steps("compare", 1) as step:
        step("calls inside calls")
        groups = slow_and_typical(traces, args.function, which, slowest=args.slowest)
    return compare(groups[0], groups[1], args.function, by_duration=True)
