"""What Slurm knows of a job: from pyslurm where it is installed, else from `squeue` and `scontrol`, as JSON.

The parts of a job array (`4711_3`) and of a heterogeneous job (`4711+1`) are jobs of their own with ids of their own,
and it is those that their traces bear.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any, Final

from datacrumbs.core.errors import DataCrumbsError, UsageError
from datacrumbs.core.schedulers import JobPart
from datacrumbs.core.users import User, find_user

_JOB: Final = re.compile(r"([0-9]{1,10})(?:_([0-9]{1,10})|\+([0-9]{1,5}))?\Z")
_SECONDS: Final = 20.0
_MOST: Final = 64 << 20


def find_job(job: str) -> list[JobPart]:
    """The parts of a job, while Slurm remembers it (MinJobAge after its end).

    Args:
        job: an id as users have it: `4711`, `4711_3`, `4711+1`.

    Returns:
        Empty where this is no id of Slurm's, or Slurm does not know it, or is not here.
    """
    match = _JOB.match(job)
    if not match:
        return []
    found = [part for record in _records(match[1]) if (part := _part(record, match))]
    return sorted(found, key=lambda part: int(part.run_id))


def _records(number: str) -> list[Mapping[str, Any]]:
    try:
        return list(_from_pyslurm(number))
    except ImportError:
        pass
    except Exception:  # noqa: S110 - a pyslurm of another Slurm fails in its own ways; the commands are as good
        pass
    for command in (["scontrol", "show", "job", number, "--json"], ["squeue", "--json", "--jobs", number]):
        document = _json(command)
        if document is not None:
            jobs = document.get("jobs")
            return [entry for entry in jobs if isinstance(entry, dict)] if isinstance(jobs, list) else []
    return []


def _from_pyslurm(number: str) -> Iterator[Mapping[str, Any]]:
    """Jobs as pyslurm 23.2 and newer has them, whose attributes are None where Slurm has 0 (its u32_parse): also
    for the first task of an array, and for the first part of a heterogeneous job.
    """
    import pyslurm

    for job in pyslurm.Jobs.load().values():
        record = {
            "job_id": job.id,
            "array_job_id": job.array_id,
            "array_task_id": job.array_task_id or 0 if not job.array_tasks_waiting else None,
            "het_job_id": job.heterogeneous_id,
            "het_job_offset": job.heterogeneous_offset or 0,
            "user_id": job.user_id,
            "nodes": job.allocated_nodes or "",
        }
        if int(number) in (record["job_id"], record["array_job_id"], record["het_job_id"]):
            yield record


def _json(command: list[str]) -> dict[str, Any] | None:
    """What a command of Slurm's prints; None when it fails or prints no JSON, as scontrol before 23.02."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
        if done.returncode or len(done.stdout) > _MOST:
            return None
        document = json.loads(done.stdout)
    except (OSError, ValueError, RecursionError, subprocess.TimeoutExpired):
        return None
    return document if isinstance(document, dict) else None


def _part(record: Mapping[str, Any], wanted: re.Match[str]) -> JobPart | None:
    own = _number(record.get("job_id"))
    if own is None:
        return None
    job, task, offset = int(wanted[1]), wanted[2], wanted[3]
    array, het = _number(record.get("array_job_id")), _number(record.get("het_job_id"))
    if task is not None:
        if (array or own) != job or _number(record.get("array_task_id")) != int(task):
            return None
    elif offset is not None:
        if het != job or _number(record.get("het_job_offset")) != int(offset):
            return None
    elif job not in (own, array, het):
        return None
    return JobPart(str(own), _user(record), _nodes(str(record.get("nodes") or "")))


def _number(value: Any) -> int | None:
    """A number as 22.05 has it, or as 23.11 does: {"set": true, "infinite": false, "number": 7}."""
    if isinstance(value, dict):
        value = value.get("number") if value.get("set") else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32 - 2 else None


def _user(record: Mapping[str, Any]) -> User | None:
    number = _number(record.get("user_id"))
    try:
        return find_user(str(number if number is not None else record["user_name"]))
    except (UsageError, KeyError):
        return None


def _nodes(text: str) -> tuple[str, ...]:
    from ClusterShell.NodeSet import NodeSet, NodeSetException

    try:
        return tuple(str(node) for node in NodeSet(text))
    except (NodeSetException, DataCrumbsError):
        return ()
