"""What a job with a Dask worker is in Slurm, where dask-jobqueue knows it, and in Flux, where we tell it."""

from __future__ import annotations

import subprocess
from typing import Any, ClassVar, Final

import dask
from dask_jobqueue.core import Job
from dask_jobqueue.slurm import SLURMJob
from distributed.deploy.spec import ProcessInterface

_SECONDS: Final = 20.0


class WorkerJob(Job):
    """A job that remembers why it could not be submitted: Dask would log that, and let everybody wait for it."""

    listing: ClassVar[tuple[str, ...]] = ()
    """The command that prints id, state and queue of each of the user's jobs that have not ended."""
    explaining: ClassVar[tuple[str, ...]] = ()
    """The command that prints, for an id, why a job waits or has ended."""
    looking: ClassVar[str] = ""
    """The command with which a user sees what waits and runs."""
    refused: str = ""

    async def start(self) -> None:
        """Submits it."""
        try:
            await super().start()
        except OSError as error:
            self.refused = f"{self.submit_command}: {error.strerror}"
        except (RuntimeError, ValueError) as error:
            self.refused = str(error).strip().splitlines()[-1]
        await ProcessInterface.start(self)

    async def close(self) -> None:
        """Cancels it."""
        await super().close()
        await ProcessInterface.close(self)

    def listed(self) -> dict[str, str] | None:
        """The user's jobs that have not ended, by id, such as "PENDING in debug"; None: the scheduler does not say."""
        said = _said(*self.listing)
        if said is None:
            return None
        rows = [line.split() for line in said.splitlines() if line.strip()]
        return {job_id: " in ".join(state_and_queue) for job_id, *state_and_queue in rows}

    def why(self) -> str:
        """What the scheduler says of why it waits or has ended; empty: nothing."""
        return (_said(*self.explaining, self.job_id) or "").strip()


class SlurmJob(WorkerJob, SLURMJob):
    """A job of Slurm."""

    listing = ("squeue", "--me", "--noheader", "--format=%A %T %P")
    explaining = ("squeue", "--states=all", "--noheader", "--format=%r", "--jobs")
    looking = "squeue"


class FluxJob(WorkerJob):
    """A job of Flux: a batch script, since `flux submit` would not keep the script that dask-jobqueue removes."""

    submit_command = "flux batch"
    cancel_command = "flux cancel"
    config_name = "flux"
    job_id_regexp = r"(?P<job_id>\S+)"
    listing = ("flux", "jobs", "--no-header", "--format={id.f58} {state} {queue}")
    explaining = ("flux", "jobs", "--no-header", "--format={exception.note}")
    looking = "flux jobs -A"

    def __init__(self, scheduler: str | None = None, name: str | None = None, **options: Any) -> None:
        super().__init__(scheduler=scheduler, name=name, **options)

        def configured(key: str) -> str | None:
            value: str | None = dask.config.get(f"jobqueue.{self.config_name}.{key}")
            return value

        wanted = {
            "job-name": self.job_name,
            "nslots": 1,
            "cores-per-slot": self.worker_cores,
            "time-limit": configured("walltime"),
            "queue": configured("queue"),
            "bank": configured("account"),
            "output": f"{self.log_directory}/{self.job_name}-{{{{id}}}}.out",
        }
        directives = [f"--{key}={value}" for key, value in wanted.items() if value is not None]
        self.job_header = "\n".join(f"# flux: {line}" for line in [*directives, *self.job_extra_directives])


KINDS: Final[dict[str, type[WorkerJob]]] = {"slurm": SlurmJob, "flux": FluxJob}


def _said(*command: str) -> str | None:
    """What a command prints; None: it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def configure() -> None:
    """Tells Dask what a job is where the user's own configuration does not say it: one worker of four threads.

    Flux has the section that dask-jobqueue has for Slurm, but for what a time limit looks like.
    """
    defaults = dask.config.merge(*dask.config.defaults)["jobqueue"]["slurm"]
    slurm = {**defaults, "cores": 4, "processes": 1, "memory": "8GB"}
    dask.config.update_defaults({"jobqueue": {"slurm": slurm, "flux": {**slurm, "walltime": "30m"}}})
