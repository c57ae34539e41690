"""`datacrumbs PROBES.json.gz [RUN-ID]`: what the runtime's user types and sees."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from datacrumbs.core import cli, config, journal
from datacrumbs.core.errors import DataCrumbsError, OutputError, RefusedError, UsageError
from datacrumbs.core.kernelprobes import KernelFunction, Tracepoint
from datacrumbs.core.probes import Function, ProbeSet
from datacrumbs.core.text import printable
from datacrumbs.runtime import presence
from datacrumbs.runtime.drain import Stats
from datacrumbs.runtime.features import find_event_links, find_features, find_kernel_links, machine
from datacrumbs.runtime.inspect import inspected
from datacrumbs.runtime.ksyms import addresses
from datacrumbs.runtime.plan import AttachPlan, Features, make_plan
from datacrumbs.runtime.relocate import relocated
from datacrumbs.runtime.run import Run, choose_run_id, choose_user, open_run
from datacrumbs.runtime.trace_run import Outcome, trace_run

PROG: Final = "datacrumbs"
_DESCRIPTION: Final = """\
Attaches to the functions that a signed probes file names, follows the user's tagged processes (datacrumbs_wrap,
datacrumbs_track, the schedulers' plugins), and writes a trace until SIGINT or SIGTERM ends it. Needs root.

Without arguments it takes DATACRUMBS_PROBE_FILE, DATACRUMBS_RUN_ID and DATACRUMBS_USER from the environment, as its
systemd unit does."""
_EXAMPLE: Final = """\
sudo datacrumbs probes.json.gz myrun
sudo datacrumbs --dry-run probes.json.gz"""


def main() -> int:
    """The command's entry point."""
    return cli.main(PROG, _told)


def _told(argv: Sequence[str]) -> int:
    try:
        return _run(argv)
    except DataCrumbsError as error:
        presence.failed(os.environ, error)
        raise


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser(PROG, _DESCRIPTION, _EXAMPLE)
    parser.add_argument("probe_file", nargs="?", metavar="PROBES.json.gz", help="the signed probes file")
    parser.add_argument(
        "run_id", nargs="?", metavar="RUN-ID", help="names the run (default: the job's id, else the time)"
    )
    parser.add_argument("--user", metavar="NAME", help="whose processes to trace (default: who called sudo)")
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"settings (default: {config.DEFAULT_PATH})")
    parser.add_argument("--dry-run", action="store_true", help="show what would be attached, and how, and end")
    parser.add_argument("--features", action="store_true", help="show what this kernel can do, and end")
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    parser.add_argument(
        "--function-links",
        choices=("session", "multi", "perf"),
        help="how to attach user functions (default: the best that the kernel has)",
    )
    return parser


def _run(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    if options.features:
        return _print_features()
    probe_file = options.probe_file or os.environ.get("DATACRUMBS_PROBE_FILE")
    if not probe_file:
        raise UsageError("no probes file is given", f"see '{PROG} --help'")
    run_id = choose_run_id(options.run_id, os.environ, time.time())
    if os.geteuid() != 0:
        raise RefusedError("only root may attach to a kernel", f"type 'sudo {PROG} …', or use the systemd unit")
    settings = config.load(options.config)
    run = open_run(probe_file, run_id, choose_user(options.user, os.environ), settings)
    run = replace(run, sealed=replace(run.sealed, probes=relocated(run.sealed.probes)))
    with inspected(run.sealed.probes, run.user) as files:
        features = find_features(options.function_links) if run.sealed.probes.files else Features(None)
        if any(isinstance(probe.target, Tracepoint) for probe in run.sealed.probes.probes):
            features = replace(features, event_links=find_event_links())
        places = addresses(_kernel_functions(run.sealed.probes))
        known = next(((f.symbol, place) for f, place in places.items() if isinstance(place, int)), None)
        if known:
            features = replace(features, kernel_links=find_kernel_links(known[1], known[0]))
        plan = make_plan(run.sealed.probes, features, files, machine(), places)
        if options.dry_run:
            _print_plan(run, plan)
            return 0
        screen = _Screen(run, plan, quiet=options.quiet)
        outcome = trace_run(run, plan, settings, screen.ready, screen.look)
    screen.done(outcome)
    if outcome.stats.lines_unwritten or outcome.stats.last_error:
        raise OutputError(
            f"{outcome.stats.lines_unwritten} lines could not be written to {outcome.trace}:"
            f" {os.strerror(outcome.stats.last_error)}",
            "make room, or set trace_dir to another file system",
        )
    return 0


def _print_features() -> int:
    from datacrumbs.runtime.survey import survey

    if os.geteuid() != 0:
        raise RefusedError("only root may try what a kernel can do", f"type 'sudo {PROG} --features'")
    for name, state in survey().items():
        print(f"{name}: {state}")
    return 0


def _kernel_functions(probes: ProbeSet) -> list[KernelFunction]:
    return [probe.target for probe in probes.probes if isinstance(probe.target, KernelFunction)]


def _print_plan(run: Run, plan: AttachPlan) -> None:
    probes = run.sealed.probes.probes
    for i in plan.syscalls:
        print(f"{probes[i].category}\t{printable(probes[i].name)}\tsystem call\ttracepoint")
    for group in plan.groups:
        for i, offset in zip(group.ids, group.offsets, strict=True):
            target = probes[i].target
            skip = target.skip if isinstance(target, Function) else 0
            place = f"{printable(group.path)}+{offset - skip:#x}" + (f", probe at +{skip}" if skip else "")
            print(f"{probes[i].category}\t{printable(probes[i].name)}\t{place}\tuprobe {plan.links}")
    for i in plan.events:
        target = probes[i].target
        assert isinstance(target, Tracepoint)
        place = f"{target.event} … {target.end}" if target.end else target.event
        print(f"{probes[i].category}\t{printable(probes[i].name)}\t{printable(place)}\traw tracepoint")
    for marks in plan.marks:
        for mark, i in marks.begins:
            place = f"{printable(marks.path)}+{mark.offset:#x}"
            print(f"{probes[i].category}\t{printable(probes[i].name)}\t{place}\tusdt {plan.mark_links}")
    for i in plan.customs:
        print(f"{probes[i].category}\t{printable(probes[i].name)}\tcustom probe\tBCC")
    for i in plan.kernel:
        how = f"{plan.kernel_links} on a kernel function"
        print(f"{probes[i].category}\t{printable(probes[i].name)}\t{plan.addresses[i]:#x}\t{how}")
    for item in plan.refused:
        print(f"refused\t{printable(item.name)}\t{printable(item.reason)}")
    print(f"{plan.attached} probes would be attached, {len(plan.refused)} are refused; nothing was done")


class _Screen:
    """What is shown while a run goes on: lines for a journal, and one live line on a terminal."""

    def __init__(self, run: Run, plan: AttachPlan, *, quiet: bool) -> None:
        self._run = run
        self._plan = plan
        self._quiet = quiet
        self._live = not quiet and sys.stderr.isatty()

    def ready(self, trace: Path, plan: AttachPlan) -> None:
        self._plan = plan
        for item in self._plan.refused[:10]:
            self._say(f"refused: {item.name}: {item.reason}")
        self._say(
            f"READY: run {self._run.run_id} of user {self._run.user.name}, {self._plan.attached} probes attached,"
            f" {len(self._plan.refused)} refused; trace: {trace}"
        )

    def look(self, stats: Stats) -> None:
        if self._live:
            error = f", {os.strerror(stats.last_error)}" if stats.last_error else ""
            text = f"{stats.captured:,} calls, {stats.bytes_file / 1e6:,.1f} MB{error} (Ctrl-C ends)"
            with contextlib.suppress(OSError):
                sys.stderr.write(f"\r\033[K{PROG}: {text}")
                sys.stderr.flush()

    def done(self, outcome: Outcome) -> None:
        if self._live:
            sys.stderr.write("\r\033[K")
        gaps, stats = outcome.gaps, outcome.stats
        lost, brief = sum(gaps.lost.values()), sum(gaps.brief.values())
        most = max(gaps.lost, key=lambda name: gaps.lost[name], default="")
        notes = [f" (most of {most}: {gaps.lost[most]}; raise ring_mib)" if lost else ""]
        notes.append(f", {gaps.missed} calls did not return" if gaps.missed else "")
        notes.append(f", {brief} were shorter than min_duration" if brief else "")
        notes.append(
            f", {stats.overflowed} found no room for their file (raise profile_keys)" if stats.overflowed else ""
        )
        notes.append(f", {len(gaps.profiled)} functions were profiled" if gaps.profiled else "")
        self._say(f"captured {stats.captured} calls, lost {lost}{''.join(notes)}; trace: {outcome.trace}")
        if stats.profile_error:
            self._say(f"part of the profile could not be read: {os.strerror(stats.profile_error)}")

    def _say(self, text: str) -> None:
        if self._quiet:
            return
        fields = {"RUN_ID": self._run.run_id, "JOB_ID": self._run.run_id}
        if not (journal.is_ours(sys.stderr.fileno()) and journal.send(PROG, text, fields=fields)):
            print(f"{PROG}: {printable(text)}", file=sys.stderr, flush=True)
