"""The report of a run beside its trace: what was attached, and what was refused and why, for people and for scripts.

`datacrumbs_probe_configurator --drop-refused REPORT` makes a probes file without what was refused.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from datacrumbs.core import jsontext
from datacrumbs.core.probes import REPORT_VERSION, place_of
from datacrumbs.core.users import open_as
from datacrumbs.runtime.plan import AttachPlan
from datacrumbs.runtime.run import TRACE_SUFFIX, Run

SUFFIX: Final = ".probes.json"


def path_for(trace: Path) -> Path:
    """The name of the report that belongs to a trace."""
    return trace.with_name(trace.name.removesuffix(TRACE_SUFFIX) + SUFFIX)


def document(run: Run, plan: AttachPlan) -> dict[str, Any]:
    """The report as JSON values; pure."""
    probes = run.sealed.probes
    attached = {
        *plan.syscalls,
        *plan.events,
        *plan.customs,
        *plan.kernel,
        *(i for group in plan.marks for _, i in group.begins),
        *(i for group in plan.groups for i in group.ids),
    }
    reasons = {item.name: item.reason for item in plan.refused}
    rows: tuple[list[dict[str, Any]], list[dict[str, Any]]] = [], []
    for index, probe in enumerate(probes.probes):
        row = {
            "name": probe.name,
            "category": probe.category,
            "kind": probe.kind,
            "place": place_of(probe, probes.files),
        }
        if index in attached:
            rows[0].append(row)
        else:
            rows[1].append(row | {"reason": reasons.get(probe.name, "refused")})
    return {
        "datacrumbs_report": REPORT_VERSION,
        "run": run.run_id,
        "host": run.host,
        "kernel": os.uname().release,
        "probe_file": run.sealed.digest,
        "attached": rows[0],
        "refused": rows[1],
        "excluded": list(probes.excluded),
    }


def write(run: Run, plan: AttachPlan, trace: Path) -> Path:
    """Writes the report with the user's rights, where the trace is.

    Raises:
        OSError: it cannot be written.
    """
    path = path_for(trace)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = open_as(run.user, lambda: os.open(path, flags, 0o644))
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(jsontext.dump(document(run, plan)) + b"\n")
        stream.flush()
        os.fsync(descriptor)
    return path
