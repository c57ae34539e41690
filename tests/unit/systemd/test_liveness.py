"""The reaper never takes a live job for a dead one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from datacrumbs.systemd.job import Job, write_environment
from datacrumbs.systemd.liveness import is_gone, living

HOUR = 3600.0
NOW = 1_800_000_000.0


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job("17", tmp_path)


def until(job: Job, when: float) -> None:
    write_environment(job, {"DATACRUMBS_SCHEDULER": "slurm", "DATACRUMBS_UNTIL": str(int(when))})


def test_a_process_with_the_jobs_id_in_its_environment_is_found() -> None:
    name = f"t{os.getpid()}"
    with subprocess.Popen(["sleep", "60"], env={"SLURM_JOB_ID": name}) as process:
        try:
            deadline = time.monotonic() + 60
            while name not in living() and time.monotonic() < deadline:
                time.sleep(0.01)
            assert name in living()
        finally:
            process.kill()
    assert name not in living()


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("slurmstepd: [4711.batch]", "4711"),
        ("slurmstepd: [4711.extern]", "4711"),
        ("slurmstepd: [4711.0]", "4711"),
        ("/usr/libexec/flux/flux-shell\\04711", "4711"),
        ("vi slurmstepd: [4711.0]", ""),
        ("flux-shell", ""),
    ],
)
def test_the_schedulers_own_processes_are_found(tmp_path: Path, title: str, found: str) -> None:
    """A copy of /proc's layout stands for processes with another's title."""
    folder = tmp_path / "42"
    folder.mkdir()
    (folder / "cmdline").write_bytes(title.replace("\\0", "\0").encode() + b"\0")
    (folder / "environ").write_bytes(b"HOME=/\0")
    lasting = "extern" in title or "shell" in title
    assert all(value is lasting for value in living(tmp_path).values())
    assert set(living(tmp_path)) == ({found} if found else set())


def test_a_job_with_processes_lives(job: Job) -> None:
    until(job, NOW - 10 * HOUR)
    assert not is_gone(job, False, NOW)


def test_a_job_whose_lasting_process_is_gone_has_a_grace(job: Job) -> None:
    """The extern step of Slurm, and flux-shell, are there from the beginning to the end of a job."""
    until(job, 0)
    assert not is_gone(job, True, NOW)
    assert not is_gone(job, None, NOW + 0.9 * HOUR)
    assert is_gone(job, None, NOW + 1.1 * HOUR)


def test_a_job_that_was_seen_again_has_it_anew(job: Job) -> None:
    until(job, 0)
    assert not is_gone(job, True, NOW)
    assert not is_gone(job, False, NOW + HOUR)
    assert not is_gone(job, None, NOW + 1.5 * HOUR)


def test_an_allocation_that_idles_lives_until_its_time_is_over(job: Job) -> None:
    """An salloc without a step has no process here: only its time limit says that it ended."""
    until(job, NOW + 5 * HOUR)
    assert not is_gone(job, None, NOW)
    assert not is_gone(job, None, NOW + 5.9 * HOUR)
    assert is_gone(job, None, NOW + 6.1 * HOUR)


def test_between_its_steps_a_job_lives_for_a_week(job: Job) -> None:
    """Slurm before 23.02 does not tell the prolog when the job ends."""
    until(job, 0)
    assert not is_gone(job, False, NOW)
    assert not is_gone(job, None, NOW + 6 * 24 * HOUR)
    assert is_gone(job, None, NOW + 8 * 24 * HOUR)


def test_this_process_does_not_look_like_a_job() -> None:
    assert sys.executable not in living()
