"""Summaries by workers that are Slurm's jobs, one on each of three nodes: what the documentation promises."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from jobs import SECONDS, Slurm, wait_until
from nodes.cluster import Cluster
from nodes.errors import NodesError
from tracegen import synthetic

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
TRACES = "/shared/traces"
EXCLUSIVE = 'jobqueue:\n  slurm:\n    job-extra-directives: ["--exclusive"]\n'
"""dask-jobqueue's configuration with which no two jobs share a node."""
SETTING = "DASK_JOBQUEUE__SLURM__"
"""The variable of one setting of it."""

HELD = {f"{SETTING}JOB_EXTRA_DIRECTIVES": "['--hold']"}
"""Jobs that Slurm does not start."""
WAITED = r"BusyError: no worker of 2 jobs has come within 2 s: 2 PENDING in main \(JobHeldUser\)"
TALK = """
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
if sys.argv[3:]:
    context.load_cert_chain(*sys.argv[3:])
with context.wrap_socket(socket.create_connection((sys.argv[1], int(sys.argv[2])))) as connection:
    print(len(connection.recv(1)))
"""
"""Takes the first byte that a scheduler says; arguments: address, port, and files with a certificate and its key."""


@pytest.fixture(scope="module")
def expected(cluster: Cluster) -> str:
    """The summary that a node makes without a cluster of traces of three nodes; alice's jobs are set up."""
    (cluster.shared / "traces").mkdir()
    for number, node in enumerate(cluster.nodes):
        synthetic(cluster.shared / "traces" / f"1-{node.name}.pfw.gz", 50_000, host=node.name, seed=number)
    settings = "/shared/home/alice/.config/dask"
    cluster.login.run("mkdir", "-p", settings, user="alice")
    cluster.login.run("tee", f"{settings}/jobqueue.yaml", input=EXCLUSIVE, user="alice")
    return cluster.login.run(analyze(cluster), "summary", "--json", TRACES, user="alice").stdout


@pytest.fixture
def slurm(cluster: Cluster) -> Iterator[Slurm]:
    """Slurm; when the test is over, no job is left, and nothing of it in alice's home."""
    yield Slurm(cluster)
    assert queue(cluster) == []
    cluster.wait_idle()
    assert not list(cluster.home("alice").glob(".datacrumbs-*"))


def python(cluster: Cluster) -> Path:
    """The Python that has DataCrumbs and Dask."""
    return cluster.checkout / ".venv" / "bin" / "python"


def analyze(cluster: Cluster) -> Path:
    """datacrumbs_analyze of the same environment."""
    return python(cluster).parent / "datacrumbs_analyze"


def queue(cluster: Cluster, states: str = "PENDING,RUNNING") -> list[str]:
    """The nodes of each of alice's jobs in such a state."""
    done = cluster.login.run("squeue", "--user=alice", "--noheader", f"--states={states}", "--format=[%N]")
    return done.stdout.split()


def ask(cluster: Cluster, scheduler: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The summary as alice asks for it on the login node."""
    command = (analyze(cluster), "summary", "--json", "--scheduler", scheduler, TRACES)
    return cluster.login.run(*command, user="alice", check=False, timeout=SECONDS, env=env)


def test_a_number_of_jobs_gives_the_result_of_one_machine(slurm: Slurm, expected: str) -> None:
    done = ask(slurm.cluster, "slurm:3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == expected and '"calls"' in expected


def test_the_cluster_of_the_documentation_gives_the_result_of_one_machine(slurm: Slurm, expected: str) -> None:
    """The block of Python in docs/large-traces.md as it stands there: workers on all nodes, and none after Enter."""
    (block,) = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs" / "large-traces.md").read_text(), re.MULTILINE | re.DOTALL
    )
    login = slurm.cluster.login
    with subprocess.Popen(
        login.command(python(slurm.cluster), "-c", block, user="alice"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as made:
        assert made.stdin and made.stdout
        address = made.stdout.readline().strip()
        workers = "import distributed, sys; client = distributed.Client(sys.argv[1]); client.wait_for_workers(3, 90); "
        workers += "print(*{worker['host'] for worker in client.scheduler_info()['workers'].values()})"
        hosts = login.run(python(slurm.cluster), "-c", workers, address, user="alice", timeout=SECONDS).stdout.split()
        assert sorted(hosts) == ["10.77.0.1", "10.77.0.2", "10.77.0.3"]
        assert sorted(queue(slurm.cluster, "RUNNING")) == ["[n1]", "[n2]", "[n3]"]
        done = ask(slurm.cluster, address)
        made.communicate("\n", timeout=SECONDS)
    assert (done.returncode, done.stderr, made.returncode) == (0, "", 0)
    assert done.stdout == expected


@contextmanager
def waiting(cluster: Cluster) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A summary whose two jobs wait; its process, and what number it has on the login node."""
    command = ("sh", "-c", f"echo $$; exec {analyze(cluster)} summary --scheduler slurm:2 {TRACES}")
    command = cluster.login.command(*command, user="alice", env=HELD)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        number = process.stdout.readline().strip()
        wait_until("both jobs wait", lambda: len(queue(cluster, "PENDING")) == 2)
        yield number, process


def interrupt(cluster: Cluster, number: str, process: subprocess.Popen[str]) -> None:
    """Ctrl-C: it ends, and says nothing."""
    cluster.login.run("kill", "-INT", number)
    _, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, errors) == (130, "")


def test_after_ctrl_c_no_job_is_left(slurm: Slurm, expected: str) -> None:
    with waiting(slurm.cluster) as (number, process):
        interrupt(slurm.cluster, number, process)


def test_nobody_else_reaches_its_scheduler(slurm: Slurm, expected: str) -> None:
    """Whoever did could run code as the user: it talks to who has the key that its workers read, and bob cannot."""
    login = slurm.cluster.login
    with waiting(slurm.cluster) as (number, process):
        job = login.run("squeue", "--user=alice", "--noheader", "--format=%A").stdout.split()[0]
        script = login.run("scontrol", "write", "batch_script", job, "-").stdout
        address = re.findall(r"tls://([\d.]+):(\d+)", script)[0]
        files = re.findall(r"--tls-(?:cert|key) (\S+)", script)
        assert len(files) == 2
        talk = (python(slurm.cluster), "-c", TALK, *address)
        assert login.run(*talk, *files, user="alice").stdout == "1\n"
        refused = login.run(*talk, user="bob", check=False)
        assert refused.returncode and "certificate required" in refused.stderr, refused
        assert "PermissionError" in login.run(*talk, *files, user="bob", check=False).stderr
        interrupt(slurm.cluster, number, process)


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        (
            "QUEUE",
            "nowhere",
            "no job could be submitted: sbatch: error: Batch job submission failed: Invalid partition",
        ),
        ("PYTHON", "/none/python", "all jobs ended before a worker came: /var/spool/slurmd/"),
    ],
)
def test_jobs_that_cannot_be_are_told_in_a_line(
    slurm: Slurm, expected: str, setting: str, value: str, says: str
) -> None:
    done = ask(slurm.cluster, "slurm:2", {SETTING + setting: value})
    assert done.returncode == 69 and says in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_jobs_that_do_not_start_in_time_are_ended(slurm: Slurm, expected: str) -> None:
    """With where they wait, and Slurm's own reason."""
    code = "from datacrumbs.analysis.clusters import workerjobs\nworkerjobs.START_SECONDS = 2\n"
    code += "with workerjobs.started('slurm:2'): pass"
    with pytest.raises(NodesError, match=WAITED):
        slurm.cluster.login.run(python(slurm.cluster), "-c", code, user="alice", env=HELD)


def test_jobs_of_a_command_that_was_killed_end_by_themselves(slurm: Slurm, expected: str) -> None:
    """A worker that has lost its scheduler ends its job; the folder with keys, of use to nobody, is left."""
    code = "import os\nfrom datacrumbs.analysis.clusters import workerjobs\n"
    code += "with workerjobs.started('slurm:1'): print('runs', flush=True); os.kill(os.getpid(), 9)"
    cluster = slurm.cluster
    done = cluster.login.run(python(cluster), "-c", code, user="alice", check=False)
    assert (done.returncode, done.stdout) == (-9, "runs\n")
    wait_until("no job is left", lambda: not queue(cluster), 60)
    (left,) = cluster.home("alice").glob(".datacrumbs-*")
    shutil.rmtree(left)


def test_jobs_that_end_too_early_are_told(slurm: Slurm, expected: str) -> None:
    """An answer is not waited for when no worker is left to make it."""
    code = """
import subprocess, distributed
from datacrumbs.analysis.clusters import workerjobs
workerjobs.LOST_SECONDS = 2
with workerjobs.started("slurm:1") as jobs, distributed.Client(jobs) as client:
    subprocess.run(["scancel", "--user=alice"], check=True)
    while jobs.scheduler.workers:
        pass
    client.submit(len, "").result()
"""
    with pytest.raises(NodesError, match="UnavailableError: all jobs with workers ended before the answer was there"):
        slurm.cluster.login.run(python(slurm.cluster), "-c", code, user="alice")
