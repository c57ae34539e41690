"""One run from its plan to its report: everything is attached, then the run becomes active, then all is undone."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datacrumbs.core.config import Config
from datacrumbs.core.errors import OutputError
from datacrumbs.runtime import presence, records
from datacrumbs.runtime.drain import Drain, Stats, epoch_ns
from datacrumbs.runtime.features import PROGRAMS as FUNCTION_PROGRAMS
from datacrumbs.runtime.plan import AttachPlan
from datacrumbs.runtime.programs import Programs, RunEntry, fill_specs, lost_counts, missed_returns, ring
from datacrumbs.runtime.providers import functions, syscalls
from datacrumbs.runtime.run import Run, open_trace

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    trace: Path
    stats: Stats
    lost: dict[str, int]
    """By function; "(files and processes)" stands for records that belong to none."""
    missed: int
    """Calls of user functions that did not return: longjmp, exceptions, threads that ended."""


def trace_run(
    run: Run, plan: AttachPlan, config: Config, ready: Callable[[Path], None], look: Callable[[Stats], None]
) -> Outcome:
    """Traces until a signal ends it.

    Args:
        run: whose and what.
        plan: what to attach.
        config: the machine's settings.
        ready: called once when all is attached.
        look: called twice a second with what was captured so far.

    Raises:
        BusyError, KernelError, OutputError: and nothing stays attached.
    """
    with presence.claimed(config.run_dir, run.run_id), _loaded(run, plan) as programs:
        fill_specs(programs, run.sealed.probes)
        entry = RunEntry(programs, run.run_id, run.user.uid, run.sealed.probes.min_duration_ns)
        with ring(programs, config.ring_mib) as ring_descriptor, _signals_held():
            path, descriptor = _new_trace(run, config)
            host = records.host_hash(run.host)
            drain = Drain(ring_descriptor, descriptor, run.sealed.probes, host, config.max_files, epoch_ns())
            with drain:
                drain.write(records.opening(run, plan))
                reason = _attached_until_signal(run, plan, config, programs, entry, drain, path, ready, look)
                drain.stop()
                outcome = _outcome(run, plan, programs, drain, path)
                drain.write(records.closing(run, outcome.stats, outcome.lost, outcome.missed, reason))
    return outcome


def _attached_until_signal(
    run: Run,
    plan: AttachPlan,
    config: Config,
    programs: Programs,
    entry: RunEntry,
    drain: Drain,
    path: Path,
    ready: Callable[[Path], None],
    look: Callable[[Stats], None],
) -> str:
    with syscalls.attached(programs), functions.attached(programs, plan):
        drain.start()
        entry.activate()
        with presence.announced(config.run_dir, run.run_id, run.user.uid, path):
            ready(path)
            try:
                return _wait(drain, look)
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
    wanted = {syscalls.OBJECT: syscalls.PROGRAMS}
    if plan.links:
        wanted[functions.OBJECT] = FUNCTION_PROGRAMS[plan.links]
    return Programs(wanted, {"functions": len(run.sealed.probes.probes)})


def _new_trace(run: Run, config: Config) -> tuple[Path, int]:
    try:
        return open_trace(run, config)
    except OSError as error:
        raise OutputError(
            f"user {run.user.name} cannot create the trace {error.filename or ''}: {os.strerror(error.errno or 0)}",
            "make the folder writable for that user, or set trace_dir",
            who="administrator",
        ) from error


def _outcome(run: Run, plan: AttachPlan, programs: Programs, drain: Drain, path: Path) -> Outcome:
    probes = run.sealed.probes.probes
    lost = {
        probes[fn].name if 0 <= fn < len(probes) else "(files and processes)": count
        for fn, count in lost_counts(programs).items()
    }
    missed = 0
    if plan.links:
        missed = sum(missed_returns(programs, [i for group in plan.groups for i in group.ids]).values())
    return Outcome(path, drain.stats(), lost, missed)
