"""The lines that the runtime itself puts into a trace: at its head who and what, at its end what is missing."""

from __future__ import annotations

import os
import time
from importlib.metadata import version
from typing import Any

from datacrumbs.core.runid import fnv1a
from datacrumbs.runtime.drain import Stats
from datacrumbs.runtime.plan import AttachPlan
from datacrumbs.runtime.run import Run

MAX_LISTED = 200
"""Refused or lost functions that are listed one by one in a record."""


def host_hash(host: str) -> int:
    """What stands for the host in every event."""
    return fnv1a(host.encode())


def opening(run: Run, plan: AttachPlan) -> list[dict[str, Any]]:
    """The host's name and the run's description."""
    refused = [f"{item.name}: {item.reason}" for item in plan.refused[:MAX_LISTED]]
    return [
        _record("HH", {"name": run.host, "value": f"{host_hash(run.host):016x}"}),
        _record(
            "datacrumbs",
            {
                "name": "run",
                "value": run.run_id,
                "version": version("datacrumbs"),
                "user": run.user.name,
                "uid": run.user.uid,
                "host": run.host,
                "started": int(run.started * 1e6),
                "probes": plan.attached,
                "probe_file": run.sealed.digest,
                "min_duration_ns": run.sealed.probes.min_duration_ns,
                "refused_count": len(plan.refused),
                "refused": refused,
                "excluded": list(run.sealed.probes.excluded[:MAX_LISTED]),
            },
        ),
    ]


def closing(run: Run, stats: Stats, lost: dict[str, int], missed: int, reason: str) -> list[dict[str, Any]]:
    """What was captured and what is missing; a trace without this record was cut off."""
    most = sorted(lost.items(), key=lambda item: -item[1])[:MAX_LISTED]
    return [
        _record(
            "datacrumbs",
            {
                "name": "end",
                "value": run.run_id,
                "ended": time.time_ns() // 1000,
                "captured": stats.captured,
                "lost": sum(lost.values()),
                "lost_by_function": dict(most),
                "missed_returns": missed,
                "unnamed": stats.unnamed,
                "unwritten": stats.lines_unwritten,
                "reason": reason,
            },
        )
    ]


def _record(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "cat": "dftracer", "ph": "M", "pid": os.getpid(), "tid": os.getpid(), "args": arguments}
