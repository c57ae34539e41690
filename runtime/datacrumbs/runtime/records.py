"""The lines that the runtime itself puts into a trace: at its head who and what, at its end what is missing."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacrumbs.core.probes import ProbeSet
from datacrumbs.core.runid import fnv1a
from datacrumbs.runtime import clock, report
from datacrumbs.runtime._native import ffi, lib
from datacrumbs.runtime.drain import Stats
from datacrumbs.runtime.plan import AttachPlan
from datacrumbs.runtime.run import Run

MAX_LISTED = 200
"""Refused or lost functions that are listed one by one in a record."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """What the kernel counted besides what it sent."""

    lost: dict[str, int]
    """By function; "(files and processes)" stands for records that belong to none."""
    missed: int
    """Calls of user functions that did not return: longjmp, exceptions, threads that ended."""
    brief: dict[str, int]
    """Calls shorter than min_duration, by function."""
    brief_ns: int
    """The time of all of them."""
    profiled: tuple[str, ...]
    """Mode auto: functions that passed the rate limit."""


def host_hash(host: str) -> int:
    """What stands for the host in every event."""
    return fnv1a(host.encode())


def opening(run: Run, plan: AttachPlan, trace: Path) -> list[dict[str, Any]]:
    """The host's name and the run's description."""
    refused = [f"{item.name}: {item.reason}" for item in plan.refused[:MAX_LISTED]]
    return [
        _record("HH", {"name": run.host, "value": f"{host_hash(run.host):016x}"}),
        _record(
            "datacrumbs",
            {
                "name": "run",
                "value": run.run_id,
                "version": ffi.string(lib.dc_version).decode(),
                "user": run.user.name,
                "uid": run.user.uid,
                "host": run.host,
                "started": int(run.started * 1e6),
                **clock.state(),
                "probes": plan.attached,
                "probe_file": run.sealed.digest,
                "min_duration_ns": run.sealed.probes.min_duration_ns,
                **_mode(run.sealed.probes),
                "report": report.path_for(trace).name,
                "refused_count": len(plan.refused),
                "refused": refused,
                "excluded": list(run.sealed.probes.excluded[:MAX_LISTED]),
            },
        ),
    ]


def _mode(probes: ProbeSet) -> dict[str, Any]:
    more: dict[str, Any] = {"mode": probes.mode}
    if probes.mode != "trace":
        more["interval_ns"] = probes.interval_ns
    if probes.mode == "auto":
        more["rate_limit"] = probes.rate_limit
    return more


def _most(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: -item[1])[:MAX_LISTED])


def closing(run: Run, stats: Stats, gaps: Gaps, epoch: int, reason: str) -> list[dict[str, Any]]:
    """What was captured and what is missing; a trace without this record was cut off.

    Args:
        run: the run.
        stats: what the drain did.
        gaps: what the kernel counted.
        epoch: what was added to CLOCK_MONOTONIC, ns.
        reason: why the run ended.
    """
    return [
        _record(
            "datacrumbs",
            {
                "name": "end",
                "value": run.run_id,
                "ended": time.time_ns() // 1000,
                "clock_step_us": clock.step_us(epoch),
                "captured": stats.captured,
                "lost": sum(gaps.lost.values()),
                "lost_by_function": _most(gaps.lost),
                "missed_returns": gaps.missed,
                "brief": sum(gaps.brief.values()),
                "brief_ns": gaps.brief_ns,
                "brief_by_function": _most(gaps.brief),
                "overflowed": stats.overflowed,
                "profiled": list(gaps.profiled[:MAX_LISTED]),
                "unnamed": stats.unnamed,
                "unwritten": stats.lines_unwritten,
                "reason": reason,
            },
        )
    ]


def _record(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "cat": "dftracer", "ph": "M", "pid": os.getpid(), "tid": os.getpid(), "args": arguments}
