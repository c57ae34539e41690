"""Whether a job still lives on this node, from what the node itself shows: no controller is asked.

A job lives when one of its processes runs here: slurmstepd, whose title begins with `slurmstepd: [JOBID.` (also the
`extern` step that `PrologFlags=Contain` keeps for as long as the job lasts), Flux's `flux-shell JOBID`, or any process
of its owner with the job's id in its environment. No such process is no proof that the job ended: an allocation may
idle. So a job counts as gone only when processes of it were seen before, none was seen for `GRACE_SECONDS`, and, where
the scheduler told when the job ends at the latest, that time is over as well.
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
_STEP: Final = re.compile(rb"slurmstepd: \[(\d+)\.")
_VARIABLES: Final = (b"SLURM_JOB_ID=", b"FLUX_JOB_ID=", b"DATACRUMBS_RUN_ID=")
_MOST: Final = 1 << 20


def living(proc: Path = Path("/proc")) -> set[str]:
    """Ids of all jobs that have a process on this node."""
    found: set[str] = set()
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while we looked
            found.update(_jobs_of(folder))
    return found


def _jobs_of(folder: Path) -> Iterator[str]:
    command = _read(folder / "cmdline")
    if step := _STEP.match(command):
        yield step[1].decode()
    words = command.split(b"\0")
    if words[0].rsplit(b"/", 1)[-1] == b"flux-shell":
        yield from (word.decode("ascii", "replace") for word in words[1:] if word and not word.startswith(b"-"))
    with contextlib.suppress(PermissionError):
        for entry in _read(folder / "environ").split(b"\0"):
            for variable in _VARIABLES:
                if entry.startswith(variable):
                    yield entry[len(variable) :].decode("ascii", "replace")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST)


def is_gone(job: Job, alive: bool, now: float | None = None, grace: float = GRACE_SECONDS) -> bool:
    """Whether a job has ended, by what was seen of it so far; remembers what is seen now.

    Args:
        job: which one.
        alive: whether it has a process on this node.
        now: seconds since 1970.
        grace: for how long nothing may be seen, in seconds.
    """
    now = time.time() if now is None else now
    seen = job.file("seen")
    if alive:
        descriptor = os.open(seen, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.utime(descriptor, (now, now))
        finally:
            os.close(descriptor)
        return False
    values = job.environment()
    until = values.get("DATACRUMBS_UNTIL", "0")
    ends = float(until) if until.isdigit() else 0.0
    try:
        last = seen.stat().st_mtime
    except FileNotFoundError:
        # Never a process of it: only a time limit that is over says that it ended.
        return 0 < ends < now - grace
    return last < now - grace and ends < now - grace
