"""The verbs of the node helper: start, stop. Each is safe to repeat, and safe to run twice at once."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import NamedTuple

from datacrumbs.core import locks, metadata
from datacrumbs.core.config import Config
from datacrumbs.core.errors import BusyError, DataCrumbsError
from datacrumbs.core.metadata import Metadata
from datacrumbs.core.text import printable
from datacrumbs.core.users import User, find_user
from datacrumbs.systemd import telling, unit
from datacrumbs.systemd.job import Job, write_environment, write_reason

READY = "ready"
OFF = "off"
STOPPED = "stopped"
ABSENT = "absent"
_ENDED = "the job ended before its trace began"


class Request(NamedTuple):
    """What a scheduler's hook asks for at the beginning of a job."""

    job: Job
    user: str
    """Name or number of the job's owner."""
    scheduler: str = ""
    """Whose job it is; empty for runs without one, which the reaper leaves alone."""
    until: int = 0
    """When the job will end at the latest, in seconds since 1970; 0: not known."""
    error_output: Path | None = None
    """The job's error output, where the scheduler knows it already."""
    detached: bool = False
    """The hook made ID.starting, for which the job's tasks wait, and does not wait itself."""
    begun: bool = False
    """The same, but the hook takes ID.starting away itself; and it may have written ID.env and asked systemd to start
    the unit already, which is then waited for.
    """


def start(request: Request, text: bytes, config: Config) -> str:
    """Has the job's unit ready, if the job asks for a trace.

    Args:
        request: whose job.
        text: its metadata; hostile.
        config: the machine's settings.

    Returns:
        `ready`, `off`, or `none: REASON` after the owner was told.
    """
    try:
        # The lock is held until the owner is told, so that a stop takes away what is written for that, too.
        with contextlib.ExitStack() as lock:
            return _answer(request, text, config, lock)
    finally:
        _go_on(request)


def _answer(request: Request, text: bytes, config: Config, lock: contextlib.ExitStack) -> str:
    job = request.job
    try:
        wanted, reason = _parse(text)
        if wanted is None and not reason:
            return OFF
        job.run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock.enter_context(locks.held(job.file("node"), config.start_seconds))
        if wanted:
            reason = _start(request, wanted, config)
    except DataCrumbsError as error:
        reason = _sentence(error)
    except Exception as error:
        reason = f"unexpected {type(error).__name__} in the node helper: {error}"
    if not reason:
        _go_on(request)
        telling.journal(f"job {job.id} is traced", fields=_fields(job))
        return READY
    if _is_over(request):  # whoever ended it waits for our lock, and cleans up
        telling.journal(f"job {job.id}: {_ENDED}", fields=_fields(job))
        return f"none: {_ENDED}"
    reason = printable(f"job {job.id} is not traced on this node: {reason}")
    _tell(request, reason, config)
    return f"none: {reason}"


def _parse(text: bytes) -> tuple[Metadata | None, str]:
    """What the metadata ask for, or what is wrong with them."""
    try:
        return metadata.parse(text), ""
    except DataCrumbsError as error:
        return None, _sentence(error)


def _go_on(request: Request) -> None:
    """Lets the job's tasks go on, which wait for the trace or for the reason why there is none."""
    if request.detached:
        with contextlib.suppress(OSError):
            request.job.file("starting").unlink(missing_ok=True)


def _start(request: Request, wanted: Metadata, config: Config) -> str:
    """Returns why there is no trace, or nothing."""
    job = request.job
    user = find_user(request.user)
    unit.require_systemd()
    values = {
        "DATACRUMBS_PROBE_FILE": wanted.probe_file,
        "DATACRUMBS_USER": str(user.uid),
        "DATACRUMBS_RUN_ID": job.id,
        "DATACRUMBS_ERROR_FILE": str(job.file("error")),
        "DATACRUMBS_SCHEDULER": request.scheduler,
        "DATACRUMBS_UNTIL": str(request.until),
    }
    deadline = time.monotonic() + config.start_seconds
    if request.begun and job.environment() == values:
        if job.runtime():
            return ""
        return _ENDED if _is_over(request) else job.error() or _start_unit(job, deadline)
    if job.file("env").exists() and unit.is_active(job.unit):
        if job.environment() == values and job.runtime():
            _notice_twice(job)
            return ""
        # What is left of another attempt at this job, such as one that was requeued without an epilog.
        unit.stop(job.unit, max(1.0, deadline - time.monotonic()))
    if _is_over(request):
        return _ENDED
    job.forget()
    write_environment(job, values)
    return _start_unit(job, deadline)


def _start_unit(job: Job, deadline: float) -> str:
    reason = unit.start(job.unit, max(1.0, deadline - time.monotonic()))
    if reason:
        return job.error() or f"{reason}; administrators find more with: journalctl -u {job.unit}"
    return ""


def _is_over(request: Request) -> bool:
    """Whether the end of the job, or another start of it, has taken ID.starting away."""
    return (request.detached or request.begun) and not request.job.begins


def _notice_twice(job: Job) -> None:
    telling.journal(
        f"the trace of job {job.id} was begun twice: where both SPANK plugin and Prolog are installed, one is enough",
        telling.NOTICE,
        _fields(job),
    )


def stop(job: Job, config: Config) -> str:
    """Has the job's unit stopped, and removes what was kept of the job.

    Returns:
        `stopped`, `absent` where nothing was traced, or `failed: …`.
    """
    try:
        unit.require_systemd()
        job.run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        began = not job.begins
        job.file("starting").unlink(missing_ok=True)  # a start that is under way gives up
        with contextlib.ExitStack() as lock:
            _end_start(job, config, lock)
            return _stop(job, config, began=began)
    except BusyError:
        return _failed(job, "another start or stop of this job does not end")
    except DataCrumbsError as error:
        return _failed(job, _sentence(error))
    except Exception as error:
        return _failed(job, f"unexpected {type(error).__name__} in the node helper: {error}")


def _end_start(job: Job, config: Config, lock: contextlib.ExitStack) -> None:
    """Takes the job's lock; a start that has it loses its unit, as often as it takes.

    Raises:
        BusyError: whoever has it does not end.
    """
    deadline = time.monotonic() + config.stop_seconds
    patience = 0.0
    while True:
        try:
            lock.enter_context(locks.held(job.file("node"), patience))
            return
        except BusyError:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            unit.stop(job.unit, left)
            patience = 0.5


def _stop(job: Job, config: Config, *, began: bool) -> str:
    values = job.environment()
    active = bool(job.runtime()) or unit.is_active(job.unit)
    expected = began and values and not job.file("why").exists()
    trouble = (unit.stop(job.unit, config.stop_seconds) or job.error()) if active else ""
    if job.file("ending").exists():  # a hook has asked it to end
        trouble = trouble or job.error()
    elif not active and expected:
        said = job.error()
        trouble = f"the runtime ended before the job did{f': {said}' if said else ''}"
        trouble += "; the trace ends there" if not said else ""
    if trouble:
        _tell_end(job, values, trouble, config)
    job.forget()
    if trouble:
        return _failed(job, trouble)
    if active:
        telling.journal(f"the trace of job {job.id} is closed", fields=_fields(job))
    return STOPPED if active else ABSENT


def _tell_end(job: Job, values: dict[str, str], trouble: str, config: Config) -> None:
    try:
        user: User = find_user(values["DATACRUMBS_USER"])
    except (KeyError, DataCrumbsError):
        return
    telling.tell_owner(config, user, job.id, f"job {job.id}: {trouble}")


def _tell(request: Request, reason: str, config: Config) -> None:
    job = request.job
    telling.journal(reason, telling.ERROR, _fields(job))
    try:
        user = find_user(request.user)
        if not job.file("env").exists():  # the hooks' sign that there is something to end
            write_environment(job, {"DATACRUMBS_USER": str(user.uid), "DATACRUMBS_SCHEDULER": request.scheduler})
        write_reason(job, user.uid, reason)
        _go_on(request)
        telling.tell_owner(config, user, job.id, reason, request.error_output)
    except (DataCrumbsError, OSError) as error:
        telling.journal(f"the owner of job {job.id} could not be told: {error}", telling.ERROR, _fields(job))


def _failed(job: Job, why: str) -> str:
    line = printable(f"failed: {why}")
    telling.journal(f"job {job.id}: {line}", telling.ERROR, _fields(job))
    return line


def _fields(job: Job) -> dict[str, str]:
    return {"RUN_ID": job.id, "JOB_ID": job.id}


def _sentence(error: DataCrumbsError) -> str:
    return printable(f"{error.message}{f'; {error.hint}' if error.hint else ''}")
