"""One run from its plan to its report: everything is attached, then the run becomes active, then all is undone."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datacrumbs.core.config import Config
from datacrumbs.core.errors import OutputError
from datacrumbs.runtime import clock, presence, profiling, records, report, ring
from datacrumbs.runtime.drain import Drain, Stats
from datacrumbs.runtime.features import MARKS as MARK_PROGRAMS
from datacrumbs.runtime.features import PROGRAMS as FUNCTION_PROGRAMS
from datacrumbs.runtime.plan import AttachPlan, without
from datacrumbs.runtime.programs import (
    Programs,
    RunEntry,
    fill_function_specs,
    fill_specs,
    lost_counts,
    missed_returns,
)
from datacrumbs.runtime.providers import functions, kernel_functions, marks, syscalls, tracepoints
from datacrumbs.runtime.records import Gaps
from datacrumbs.runtime.run import Run, open_trace

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    trace: Path
    stats: Stats
    gaps: Gaps


def trace_run(
    run: Run, plan: AttachPlan, config: Config, ready: Callable[[Path, AttachPlan], None], look: Callable[[Stats], None]
) -> Outcome:
    """Traces until a signal ends it.

    Args:
        run: whose and what.
        plan: what to attach.
        config: the machine's settings.
        ready: called once when all is attached, with the trace and the plan as the kernel let it be.
        look: called twice a second with what was captured so far.

    Raises:
        BusyError, KernelError, OutputError: and nothing stays attached.
    """
    with (
        presence.claimed(config.run_dir, run.run_id),
        ring.made(config.ring_mib) as new_ring,
        _loaded(run, plan) as programs,
        _signals_held(),
    ):
        fill_specs(programs, run.sealed.probes)
        probes = run.sealed.probes
        if plan.links or plan.mark_links:
            fill_function_specs(programs, probes)
        limit = profiling.window_limit(probes)
        entry = RunEntry(programs, run.run_id, run.user.uid, probes.min_duration_ns, limit)
        with (
            ring.in_slot(programs, new_ring) as in_slot,
            profiling.tables(programs, probes, config.profile_keys) as tables,
            contextlib.ExitStack() as attachments,
        ):
            attachments.enter_context(syscalls.attached(programs, calls=bool(plan.syscalls)))
            refused = attachments.enter_context(functions.attached(programs, plan, probes))
            attachments.enter_context(marks.attached(programs, plan))
            refused += attachments.enter_context(tracepoints.attached(programs, plan, probes))
            refused += attachments.enter_context(kernel_functions.attached(programs, plan, probes))
            plan = without(plan, refused)
            in_slot.result()  # from here on processes are started
            if plan.customs:
                # Here: only runs with custom probes pay for the import.
                from datacrumbs.runtime.providers import custom

                attachments.enter_context(custom.attached(programs, probes, config.kernel_headers))
            path, descriptor = _new_trace(run, config)
            _write_report(run, plan, path)
            host, epoch = records.host_hash(run.host), clock.epoch_ns()
            with Drain(new_ring.result(), descriptor, probes, host, config.max_files, epoch, tables) as drain:
                drain.write(records.opening(run, plan, path))
                drain.start()
                with _active(entry), presence.announced(config.run_dir, run.run_id, run.user.uid, path):
                    ready(path, plan)
                    reason = _wait(drain, look)
                attachments.close()
                drain.stop()
                gaps = _gaps(run, plan, programs)
                drain.write(records.closing(run, drain.stats(), gaps, epoch, reason))
                drain.finish()
                return Outcome(path, drain.stats(), gaps)


@contextlib.contextmanager
def _active(entry: RunEntry) -> Iterator[None]:
    entry.activate()
    try:
        yield
    finally:
        entry.deactivate()


def _wait(drain: Drain, look: Callable[[Stats], None]) -> str:
    while True:
        received = signal.sigtimedwait(ENDING, _LOOK_SECONDS)
        if received:
            return signal.Signals(received.si_signo).name
        look(drain.stats())


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Signals that end the run wait until it can be ended in order; a second Ctrl-C changes nothing."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        while signal.sigtimedwait(ENDING, 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _loaded(run: Run, plan: AttachPlan) -> Programs:
    calls = bool(plan.syscalls)
    wanted: dict[str, Mapping[str, int]] = {syscalls.OBJECT: syscalls.wanted(calls=calls)}
    if plan.links:
        wanted[functions.OBJECT] = FUNCTION_PROGRAMS[plan.links]
    if plan.mark_links:
        wanted[functions.OBJECT] = {**wanted.get(functions.OBJECT, {}), **MARK_PROGRAMS[plan.mark_links]}
    if plan.events:
        wanted[tracepoints.OBJECT] = tracepoints.wanted(run.sealed.probes, plan.event_links)
    if plan.kernel and plan.kernel_links:
        wanted.setdefault(tracepoints.OBJECT, tracepoints.helpers(run.sealed.probes))
        wanted[kernel_functions.OBJECT] = kernel_functions.PROGRAMS[plan.kernel_links]
    count = len(run.sealed.probes.probes)
    sizes = dict.fromkeys(("functions", "function_specs", "events", tracepoints.TABLE, "briefs", "rates"), count)
    return Programs(wanted, sizes, {"mode": profiling.MODES[run.sealed.probes.mode], "calls": calls})


def _new_trace(run: Run, config: Config) -> tuple[Path, int]:
    try:
        return open_trace(run, config)
    except OSError as error:
        raise OutputError(
            f"user {run.user.name} cannot create the trace {error.filename or ''}: {os.strerror(error.errno or 0)}",
            "make the folder writable for that user, or set trace_dir",
            who="administrator",
        ) from error


def _write_report(run: Run, plan: AttachPlan, trace: Path) -> None:
    try:
        report.write(run, plan, trace)
    except OSError as error:
        raise OutputError(
            f"cannot write {report.path_for(trace)}: {os.strerror(error.errno or 0)}", "make room, or set trace_dir"
        ) from error


def _gaps(run: Run, plan: AttachPlan, programs: Programs) -> Gaps:
    probes = run.sealed.probes
    names = [probe.name for probe in probes.probes]
    lost: Counter[str] = Counter()
    for fn, count in lost_counts(programs).items():
        lost[names[fn] if 0 <= fn < len(names) else "(files and processes)"] += count
    inside = [*plan.events, *plan.kernel]
    missed = missed_returns(programs, inside, tracepoints.TABLE) if inside else {}
    if plan.links or plan.mark_links:
        ids = [i for group in plan.groups for i in group.ids] + [i for group in plan.marks for _, i in group.ends]
        missed |= missed_returns(programs, sorted(set(ids)))
    brief: Counter[str] = Counter()
    brief_ns = 0
    if probes.min_duration_ns:
        for fn, (calls, time) in profiling.brief_calls(programs, len(names)).items():
            brief[names[fn]] += calls
            brief_ns += time
    profiled = profiling.profiled(programs, len(names)) if probes.mode == "auto" else []
    return Gaps(dict(lost), sum(missed.values()), dict(brief), brief_ns, tuple(names[fn] for fn in profiled))
