"""Whether a job still lives on this node, from what the node itself shows: no controller is asked.

A job lives when one of its processes runs here: slurmstepd, whose title begins with `slurmstepd: [JOBID.`, Flux's
`flux-shell JOBID`, or any process with the job's id in its environment. That none runs is no proof of its end, since an
allocation may idle. So a job counts as gone when none was seen for

- an hour, if a process was seen before that lasts as long as its job: Slurm's `extern` step (PrologFlags=Contain), or
  flux-shell; or if the scheduler told when the job ends at the latest, and that was an hour ago as well;
- else a week.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from datacrumbs.systemd.job import Job

GRACE_SECONDS: Final = 3600.0
IDLE_SECONDS: Final = 7 * 86400.0
_STEP: Final = re.compile(rb"slurmstepd: \[(\d+)\.(extern)?")
_VARIABLES: Final = (b"SLURM_JOB_ID=", b"FLUX_JOB_ID=")
"""Not DATACRUMBS_RUN_ID: the runtime itself has it, and would keep its job alive for ever."""
_MOST: Final = 1 << 20


def living(proc: Path = Path("/proc")) -> dict[str, bool]:
    """Ids of all jobs that have a process on this node; true for those with one that lasts as long as the job."""
    found: dict[str, bool] = {}
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while we looked
            for job, lasting in _jobs_of(folder):
                found[job] = found.get(job, False) or lasting
    return found


def _jobs_of(folder: Path) -> Iterator[tuple[str, bool]]:
    command = _read(folder / "cmdline")
    if step := _STEP.match(command):
        yield step[1].decode(), bool(step[2])
    words = command.split(b"\0")
    if words[0].rsplit(b"/", 1)[-1] == b"flux-shell":
        yield from ((word.decode("ascii", "replace"), True) for word in words[1:] if word[:1] not in (b"", b"-"))
    with contextlib.suppress(PermissionError):
        for entry in _read(folder / "environ").split(b"\0"):
            for variable in _VARIABLES:
                if entry.startswith(variable):
                    yield entry[len(variable) :].decode("ascii", "replace"), False


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST)


def is_gone(job: Job, alive: bool | None, now: float | None = None, grace: float = GRACE_SECONDS) -> bool:
    """Whether a job has ended, by what was seen of it so far; remembers what is seen now.

    Args:
        job: which one.
        alive: its entry in `living`; None: no process of it is on this node.
        now: seconds since 1970.
        grace: for how long nothing may be seen, in seconds, where something else says that the job ended.
    """
    now = time.time() if now is None else now
    if alive is not None:
        _remember(job, alive, now)
        return False
    values = job.environment()
    until = values.get("DATACRUMBS_UNTIL", "0")
    ends = float(until) if until.isdigit() else 0.0
    last, lasting = _last_seen(job)
    if ends:
        return max(last, ends) < now - grace
    return last < now - (grace if lasting else max(grace, IDLE_SECONDS))


def _remember(job: Job, lasting: bool, now: float) -> None:
    seen = job.file("seen")
    descriptor = os.open(seen, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if lasting:
            os.pwrite(descriptor, b"lasting", 0)
        os.utime(descriptor, (now, now))
    finally:
        os.close(descriptor)


def _last_seen(job: Job) -> tuple[float, bool]:
    """When a process of it was seen, else when its trace began; and whether one was seen that lasts as long as it."""
    try:
        seen = job.file("seen")
        return seen.stat().st_mtime, seen.stat().st_size > 0
    except FileNotFoundError:
        return job.file("env").stat().st_mtime, False
