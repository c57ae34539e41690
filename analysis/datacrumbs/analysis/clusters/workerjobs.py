"""A Dask cluster of batch jobs, for one answer: `--scheduler slurm:4` and `--scheduler flux:4`.

dask-jobqueue submits the jobs, each with a worker, and cancels them in the end. Dask's scheduler is a part of this
process; its connections are encrypted with keys that are made for this cluster, and that its workers read from a folder
of the user's: nobody else on the network can have it run code. What a job is (cores, memory, partition, time limit) is
said in dask-jobqueue's own configuration.

Workers whose scheduler has died, as after a `kill -9`, end within a minute.
"""

from __future__ import annotations

import signal
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from datacrumbs.analysis import progress
from datacrumbs.core.errors import BusyError, ConfigError, OutputError, UnavailableError, UsageError

if TYPE_CHECKING:
    from dask_jobqueue import JobQueueCluster
    from datacrumbs.analysis.clusters.workerkinds import WorkerJob

START_SECONDS: Final = 600
"""How long all jobs may wait in the queue."""
LOST_SECONDS: Final = 60
"""How long there may be no worker, later."""
MOST: Final = 1000
CONFIGURATION: Final = "~/.config/dask/jobqueue.yaml"
_KINDS: Final = ("slurm", "flux")
_PAUSE: Final = 0.1
_LOOK_SECONDS: Final = 5.0
"""A scheduler is not asked for our jobs more often than this."""


def are_wanted(scheduler: str) -> bool:
    """Whether that asks for jobs, and is no scheduler's address."""
    return scheduler.partition(":")[0] in _KINDS


@contextmanager
def started(wanted: str) -> Iterator[JobQueueCluster]:
    """Submits jobs with workers, and waits for the first worker; the others come when they can. Ends all of them.

    Args:
        wanted: the scheduler and the number of jobs, such as slurm:4.

    Raises:
        UsageError: that is no number of jobs.
        UnavailableError: dask-jobqueue is not installed, jobs are not taken or end at once, or all workers went away.
        ConfigError: Dask's configuration makes no sense.
        OutputError: there is no place for keys.
        BusyError: no job has started in time.
    """
    kind, _, text = wanted.partition(":")
    count = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= count <= MOST:
        raise UsageError(
            f"--scheduler '{wanted}' is not a number of jobs", f"write {kind}:N for N of them, 1 to {MOST}: {kind}:4"
        )
    kinds = _kinds()
    import dask
    from distributed.scheduler import NoWorkerError

    kinds.configure()
    with (
        _folder(kind) as folder,
        dask.config.set({"distributed.scheduler.no-workers-timeout": f"{LOST_SECONDS}s"}),
        _made(kind, kinds.KINDS[kind], folder) as cluster,
    ):
        cluster.scale(jobs=count)
        with progress.working(f"waiting for the first of {count} jobs ({kinds.KINDS[kind].looking} shows them)"):
            _wait(cluster, kind)
        try:
            yield cluster
        except NoWorkerError as error:
            raise UnavailableError(
                "all jobs with workers ended before the answer was there",
                f"give them more time or memory: jobqueue.{kind} in {CONFIGURATION}", who="user",
            ) from error  # fmt: skip


def _kinds() -> ModuleType:
    """What jobs are. dask-jobqueue answers Ctrl-C in its own way from when it is imported: that is undone."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        from datacrumbs.analysis.clusters import workerkinds
    except ImportError as error:
        raise UnavailableError(
            "dask-jobqueue is not installed where datacrumbs_analyze runs",
            "pip install 'datacrumbs[dask]'", who="user",
        ) from error  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, handler)
    return workerkinds


@contextmanager
def _folder(kind: str) -> Iterator[Path]:
    """A folder of the user's that all nodes see, for keys and for what jobs say."""
    import dask

    shared = Path(dask.config.get(f"jobqueue.{kind}.shared-temp-directory") or "~").expanduser()
    try:
        made = tempfile.TemporaryDirectory(prefix=".datacrumbs-", dir=shared, ignore_cleanup_errors=True)
    except OSError as error:
        raise OutputError(
            f"no folder for the keys of workers can be made: {error}",
            f"name a place for it that all nodes see: jobqueue.{kind}.shared-temp-directory in {CONFIGURATION}",
        ) from error
    with made as folder:
        yield Path(folder)


def _made(kind: str, job: type[WorkerJob], folder: Path) -> JobQueueCluster:
    """A cluster without workers."""
    import dask
    from dask_jobqueue import JobQueueCluster
    from datacrumbs.analysis.clusters import workerkeys

    def configured(key: str) -> Any:
        return dask.config.get(f"jobqueue.{kind}.{key}")

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how it chose an address
            return JobQueueCluster(
                job_cls=job, config_name=kind, security=workerkeys.made(folder), silence_logs="critical",
                log_directory=configured("log-directory") or str(folder),
                scheduler_options={"dashboard": False, **configured("scheduler-options")},
            )  # fmt: skip
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"Dask cannot make a cluster of jobs: {error}", f"see jobqueue.{kind} in {CONFIGURATION}", who="user"
        ) from error


def _wait(cluster: JobQueueCluster, kind: str) -> None:
    """Waits for the first worker."""
    begun = looked = time.monotonic()
    while not cluster.scheduler.workers:
        time.sleep(_PAUSE)
        jobs = list(cluster.workers.values())  # all of them, as soon as the last one was submitted
        taken = [job for job in jobs if not job.refused]
        if jobs and not taken:
            raise UnavailableError(
                f"no job could be submitted: {jobs[0].refused}", f"see jobqueue.{kind} in {CONFIGURATION}", who="user"
            )
        now = time.monotonic()
        if taken and now - looked > _LOOK_SECONDS:
            looked = now
            _check_alive(taken, kind)
        if now - begun > START_SECONDS:
            how = _waiting(taken) if taken else "they are still being submitted"
            raise BusyError(
                f"no worker of {len(cluster.worker_spec)} jobs has come within {START_SECONDS} s: {how}",
                f"see {cluster.job_cls.looking} and ask again later, or choose another queue: "
                f"jobqueue.{kind} in {CONFIGURATION}",
            )


def _waiting(jobs: Sequence[WorkerJob]) -> str:
    """How many are in which state and queue, and why, in the scheduler's words: "8 PENDING in debug (Priority)"."""
    listed = jobs[0].listed() or {}
    states = Counter(listed[job.job_id] for job in jobs if job.job_id in listed)
    counts = ", ".join(f"{count} {state}" for state, count in states.items()) or "nothing is known of them"
    why = jobs[0].why()
    return f"{counts} ({why})" if why else counts


def _check_alive(jobs: Sequence[WorkerJob], kind: str) -> None:
    """Jobs that have all ended need not be waited for."""
    listed = jobs[0].listed()
    if listed is None or any(job.job_id in listed for job in jobs):
        return
    raise UnavailableError(
        f"all jobs ended before a worker came: {_last_words(Path(jobs[0].log_directory)) or jobs[0].why()}",
        f"see jobqueue.{kind} in {CONFIGURATION}",
        who="user",
    )


def _last_words(folder: Path) -> str:
    """What the job that wrote last said last; Flux itself has the very last line."""
    logs = sorted(folder.glob("*-*.???"), key=lambda path: path.stat().st_mtime)
    lines = [line.strip() for path in logs for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-2:])
