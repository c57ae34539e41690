"""Jobs with workers are what the configuration says; what cannot be is told. Real jobs: tests/cluster/test_dask.py."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tracegen import synthetic

ROOT = Path(__file__).resolve().parents[4]
SCRIPT = """
import sys
from datacrumbs.analysis.clusters import workerkinds
workerkinds.configure()
print(workerkinds.KINDS[sys.argv[1]]("tls://login1:4711", "worker", log_directory="/logs").job_script())
"""
"""Prints the batch script of a job of Slurm or of Flux."""

GONE = """
import os, socket, ssl, sys, threading
from pathlib import Path
from datacrumbs.analysis.clusters import workerkeys
made = ssl.create_default_context
def newer(*arguments, **options):
    context = made(*arguments, **options)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context
ssl.create_default_context = newer
keys = workerkeys.made(Path(sys.argv[1]))
here, there = socket.socketpair()
def leave():
    client = keys.get_connection_args("worker")["ssl_context"].wrap_socket(there)
    client.sendall(b"x")
    os.close(client.detach())
threading.Thread(target=leave).start()
context = keys.get_listen_args("scheduler")["ssl_context"]
context.num_tickets = 0
server = context.wrap_socket(here, server_side=True, suppress_ragged_eofs=False)
print(server.recv(1), server.recv(1))
"""
"""Prints what a scheduler receives of a worker that says x and is gone, in a Python that does not ask OpenSSL to let
that pass, as 3.13 does not. Without tickets, nothing is under way to the worker when it goes."""


MAIN = "from datacrumbs.analysis.command import main; raise SystemExit(main())"
SOON = f"from datacrumbs.analysis.clusters import workerjobs; workerjobs.START_SECONDS = 1; {MAIN}"
"""Whoever asks waits for one second."""

FULL = {
    "sbatch": "echo $$ >>~/submitted; echo Submitted batch job $$",
    "squeue": "[ $1 = --me ] && sed 's/$/ PENDING debug/' ~/submitted || echo Priority",
    "scancel": "echo $1 >>~/cancelled",
    "flux": """case $1,$# in
        batch,*) echo f$$ | tee -a ~/submitted ;;
        jobs,3) sed 's/$/ SCHED pdebug/' ~/submitted ;;
        cancel,*) echo $2 >>~/cancelled ;;
    esac""",
}
"""Commands of a Slurm and of a Flux in which no job ever starts."""


@pytest.fixture
def full(tmp_path: Path) -> str:
    """The PATH with those commands."""
    (tmp_path / "bin").mkdir()
    for name, text in FULL.items():
        file = tmp_path / "bin" / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
    return f"{tmp_path}/bin:{os.environ['PATH']}"


def nothing_is_left(home: Path) -> None:
    """All jobs are cancelled, and the folder with keys is gone."""
    submitted, cancelled = (sorted((home / name).read_text().split()) for name in ("submitted", "cancelled"))
    assert submitted == cancelled and len(submitted) == 2
    assert not list(home.glob(".datacrumbs-*"))


def run(home: Path, code: str, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs Python as somebody with that home."""
    environment = {**os.environ, "HOME": str(home), **variables}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def summary(home: Path, scheduler: str, **variables: str) -> subprocess.CompletedProcess[str]:
    synthetic(home / "t.pfw.gz", 10)
    return run(home, MAIN, "summary", "--scheduler", scheduler, home / "t.pfw.gz", **variables)


def script(home: Path, kind: str) -> list[str]:
    """The lines of a job's batch script."""
    done = run(home, SCRIPT, kind)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()


def test_a_job_has_four_cores_and_one_worker_of_four_threads(tmp_path: Path) -> None:
    slurm, flux = script(tmp_path, "slurm"), script(tmp_path, "flux")
    assert {"#SBATCH --cpus-per-task=4", "#SBATCH --mem=8G", "#SBATCH -t 00:30:00"} <= set(slurm)
    assert {"# flux: --nslots=1", "# flux: --cores-per-slot=4", "# flux: --time-limit=30m"} <= set(flux)
    for worker in (slurm[-1], flux[-1]):
        assert worker.startswith(f"{sys.executable} -m distributed.cli.dask_worker tls://login1:4711 ")
        assert "--nthreads 4 --memory-limit 7.45GiB" in worker and "--nworkers" not in worker


def test_the_configuration_of_the_documentation_is_what_jobs_are(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "large-traces.md").read_text()
    (block,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    file = tmp_path / ".config" / "dask" / "jobqueue.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(block)
    slurm, flux = script(tmp_path, "slurm"), script(tmp_path, "flux")
    wanted = {"--cpus-per-task=16", "--mem=30G", "-t 01:00:00", "-p debug", "-A project1", "--exclusive"}
    assert {f"#SBATCH {option}" for option in wanted} <= set(slurm)
    wanted = {"--cores-per-slot=16", "--time-limit=1h", "--queue=pdebug", "--bank=project1", "--exclusive"}
    assert {f"# flux: {option}" for option in wanted} <= set(flux)
    assert "--nthreads 16 " in slurm[-1] and slurm[-1].endswith("--interface ib0")


@pytest.mark.parametrize(
    "scheduler",
    ["slurm", "slurm:", "slurm:x", "slurm:0", "slurm:-1", "slurm:1.5", "slurm:٣", "flux:5000", f"flux:{'9' * 5000}"],
)
def test_what_is_no_number_of_jobs_is_told_as_one(tmp_path: Path, scheduler: str) -> None:
    done = summary(tmp_path, scheduler)
    kind = scheduler.partition(":")[0]
    wanted = f"--scheduler '{scheduler}' is not a number of jobs; write {kind}:N for N of them, 1 to 1000: {kind}:4"
    assert done.returncode == 64 and wanted in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize(
    ("scheduler", "code", "says"),
    [
        ("slurm:2", 69, "no job could be submitted: sbatch: No such file or directory"),
        ("flux:2", 69, "no job could be submitted: flux batch: No such file or directory"),
    ],
)
def test_jobs_that_cannot_be_are_told_in_a_line(tmp_path: Path, scheduler: str, code: int, says: str) -> None:
    done = summary(tmp_path, scheduler, PATH="/nowhere")
    assert done.returncode == code and says in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not list(tmp_path.glob(".datacrumbs-*"))


@pytest.mark.parametrize(
    ("setting", "value", "code", "says"),
    [
        ("INTERFACE", "ib99", 78, "Dask cannot make a cluster of jobs: Cluster failed to start: 'ib99' is not a valid"),
        ("MEMORY", "lots", 78, "Dask cannot make a cluster of jobs: Could not interpret 'lots'"),
        ("SHARED_TEMP_DIRECTORY", "/nowhere", 73, "no folder for the keys of workers can be made"),
    ],
)
def test_settings_that_cannot_be_are_told_in_a_line(
    tmp_path: Path, setting: str, value: str, code: int, says: str
) -> None:
    done = summary(tmp_path, "slurm:2", **{f"DASK_JOBQUEUE__SLURM__{setting}": value})
    assert done.returncode == code and says in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_without_dask_jobqueue_the_way_to_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "dask_jobqueue.py").write_text("raise ImportError('none')")
    done = summary(tmp_path, "slurm:2", PYTHONPATH=str(tmp_path))
    assert done.returncode == 69 and "pip install 'datacrumbs[dask]'" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "says"), [("slurm", "no worker of 2 jobs has come within 1 s: 2 PENDING in debug (Priority); see squeue "),
                       ("flux", "no worker of 2 jobs has come within 1 s: 2 SCHED in pdebug; see flux jobs -A ")]
)  # fmt: skip
def test_jobs_that_do_not_start_in_time_are_told_and_cancelled(tmp_path: Path, full: str, kind: str, says: str) -> None:
    """With how many wait, where, why, and how to see them."""
    synthetic(tmp_path / "t.pfw.gz", 10)
    done = run(tmp_path, SOON, "summary", "--scheduler", f"{kind}:2", tmp_path, PATH=full)
    assert done.returncode == 75 and says in done.stderr and done.stderr.count("\n") == 1, done.stderr
    nothing_is_left(tmp_path)


def test_who_waits_for_jobs_sees_it_and_cancels_them_with_ctrl_c(tmp_path: Path, full: str) -> None:
    ours, theirs = pty.openpty()
    synthetic(tmp_path / "t.pfw.gz", 10)
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": full, "TERM": "xterm"}
    arguments = [sys.executable, "-c", MAIN, "summary", "--scheduler", "slurm:2", tmp_path / "t.pfw.gz"]
    with subprocess.Popen(arguments, stderr=theirs, env=environment) as process:
        os.close(theirs)
        seen = b""
        while b"waiting for the first of 2 jobs (squeue shows them)" not in seen:
            seen += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    os.close(ours)
    nothing_is_left(tmp_path)


def test_a_worker_that_is_gone_is_no_error_of_tls(tmp_path: Path) -> None:
    """Such an error would end other connections: see workerkeys.py."""
    done = run(tmp_path, GONE, tmp_path)
    assert done.stdout == "b'x' b''\n", done.stderr
