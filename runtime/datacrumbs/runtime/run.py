"""What a run is: its id, its user, its probes, and where its trace goes."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datacrumbs.core import envelope, runid
from datacrumbs.core.config import Config
from datacrumbs.core.errors import NoInputError, RefusedError, UsageError
from datacrumbs.core.files import read_bounded, read_error, require_regular
from datacrumbs.core.keys import KeyRing
from datacrumbs.core.users import User, find_user, open_as
from datacrumbs.runtime.inspect import opener

JOB_ID_VARIABLES: Final = ("DATACRUMBS_RUN_ID", "SLURM_JOB_ID", "FLUX_JOB_ID", "PBS_JOBID", "LSB_JOBID")
"""Where a run id is looked for when none is given."""
TRACE_SUFFIX: Final = ".pfw.gz"


@dataclass(frozen=True, slots=True)
class Run:
    """One run on this node."""

    run_id: str
    user: User
    host: str
    sealed: envelope.Sealed
    started: float
    """Seconds since 1970."""


def choose_run_id(given: str | None, environment: Mapping[str, str], now: float) -> str:
    """The run id: the argument, else the job id in the environment, else the time.

    Raises:
        UsageError: it is no run id.
    """
    for candidate in (given, *(environment.get(name) for name in JOB_ID_VARIABLES)):
        if candidate is not None:
            return runid.check(candidate)
    return time.strftime("%Y%m%d-%H%M%S", time.localtime(now))


def choose_user(given: str | None, environment: Mapping[str, str]) -> User:
    """Whose processes are traced: the option, else the unit's environment, else who called sudo, else root.

    Raises:
        UsageError: there is no such user.
    """
    for candidate in (given, environment.get("DATACRUMBS_USER"), environment.get("SUDO_UID")):
        if candidate:
            return find_user(candidate)
    return find_user(str(os.getuid()))


def open_run(probe_file: str, run_id: str, user: User, config: Config) -> Run:
    """Reads and verifies the probes file, with the user's rights.

    Raises:
        NoInputError: the file cannot be read by the user, or is no regular file.
        DataError: it is damaged.
        RefusedError: it is not signed for this user, by a trusted key, for now; or it holds too many functions.
    """
    try:
        descriptor = open_as(user, opener(probe_file))
    except OSError as error:
        raise read_error(probe_file, error) from error
    except ValueError as error:
        raise NoInputError(f"{probe_file!r} is not a file name", "give the file's name") from error
    try:
        require_regular(descriptor, probe_file)
        raw = read_bounded(descriptor, envelope.MAX_PACKED, probe_file)
    finally:
        os.close(descriptor)
    now = time.time()
    sealed = envelope.unseal(raw, KeyRing.load(config.keys_dir), uid=user.uid, now=now)
    count = len(sealed.probes.probes)
    if count > config.max_functions:
        raise RefusedError(
            f"{probe_file} names {count} functions, this machine allows {config.max_functions}",
            "select fewer, or ask the administrator to raise max_functions",
        )
    return Run(run_id, user, socket.gethostname(), sealed, now)


def open_trace(run: Run, config: Config) -> tuple[Path, int]:
    """Makes the trace's folder and file with the user's rights; no file that exists is touched.

    Returns:
        The path and a descriptor open for writing.

    Raises:
        OSError: the user may not, or cannot; with the file name.
    """
    folder = config.trace_directory(
        home=run.user.home,
        user=run.user.name,
        date=time.strftime("%Y-%m-%d", time.localtime(run.started)),
        host=run.host,
        run_id=run.run_id,
    )
    if not folder.is_absolute():
        raise UsageError(f"the trace folder {folder} is not an absolute path", "correct trace_dir")
    stem = f"{run.run_id}-{run.host}"
    for attempt in range(1, 1000):
        path = folder / (stem + (f".{attempt}" if attempt > 1 else "") + TRACE_SUFFIX)
        try:
            return path, open_as(run.user, lambda path=path: _create(path))  # type: ignore[misc]
        except FileExistsError:
            continue
    raise FileExistsError(17, "a thousand traces of this run exist already", str(path))


def _create(path: Path) -> int:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
