"""Jobs of Slurm on real nodes, and what they leave: their traces, and nothing else.

slurm = Slurm(cluster)
job = slurm.submit("srun /shared/programs/calls …", "-N3", "--comment=…", user="alice")
assert job.wait().exit_code == 0
job.traces()                                # by node
slurm.nothing_is_left()
"""

from __future__ import annotations

import datetime
import itertools
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import leaks
from calls import below, by_thread, work
from nodes.cluster import Cluster
from nodes.node import Node
from tracing import events_of, read_lines

UID = {"alice": 5001, "bob": 5002}
SECONDS = 180.0
"""How long anything may take on a machine under load."""
_ENDED = {"COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "TIMEOUT", "OUT_OF_MEMORY"}
_NUMBERS = itertools.count()


def probes_of(user: str) -> str:
    """The user's signed probes file, with all I/O system calls."""
    return f"/shared/home/{user}/probes.json.gz"


def metadata(probe_file: str) -> str:
    """The comment that asks for a trace."""
    return json.dumps({"datacrumbs": {"enable": "yes", "probe_file": probe_file}}, separators=(",", ":"))


def wait_until(what: str, condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Waits until a condition holds.

    Raises:
        AssertionError: it does not in time; with `what`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for: {what}"
        time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class State:
    """What Slurm says of a job: its state, its exit code, and the signal that ended it."""

    name: str
    exit_code: int
    signal: int
    restarts: int
    eligible: str
    """When it may start, as Slurm writes times."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was submitted."""

    slurm: Slurm
    id: int
    user: str
    name: str

    def state(self) -> State:
        text = self.slurm.cluster.login.run("scontrol", "--oneliner", "show", "job", str(self.id)).stdout
        # Arrays that have not started share a record; the one with our id comes first.
        fields = dict(re.findall(r"(\w+)=(\S*)", text.splitlines()[0]))
        code, _, signal = fields["ExitCode"].partition(":")
        return State(
            fields["JobState"], int(code), int(signal), int(fields["Restarts"]), fields["EligibleTime"]
        )  # fmt: skip

    def wait(self) -> State:
        """Waits until it has ended on all nodes, its epilog included."""
        wait_until(f"the end of job {self.id}: {self.said()}", lambda: self.state().name in _ENDED)
        return self.state()

    def wait_running(self) -> None:
        wait_until(f"job {self.id} runs", lambda: self.state().name == "RUNNING")

    def hurry(self) -> None:
        """Slurm lets a job that was requeued wait for two minutes. That is too long here; but within the same second a
        node takes it for the attempt that was killed.
        """
        state = self.state()
        if state.name == "PENDING" and re.fullmatch(r"[\d:T-]+", state.eligible):
            wait = datetime.datetime.fromisoformat(state.eligible) - datetime.datetime.now()
            if wait.total_seconds() > 20:
                self.slurm.cluster.login.run("scontrol", "update", f"jobid={self.id}", "StartTime=now+5", check=False)

    def out(self) -> str:
        """What it printed."""
        return self._text("out")

    def said(self) -> str:
        """Its error output."""
        return self._text("err")

    def _text(self, kind: str) -> str:
        path = self.slurm.cluster.home(self.user) / f"{self.name}-{self.id}.{kind}"
        return path.read_text() if path.exists() else ""

    def traces(self) -> dict[str, Path]:
        """Its traces by node."""
        found = self.slurm.cluster.home(self.user).glob(f"datacrumbs/*/{self.id}-n*.pfw.gz")
        return {re.sub(r".*-(n\d+)(\.\d+)?\.pfw\.gz", r"\1", path.name): path for path in found}

    def notes(self) -> str:
        """What its owner was told beside where the traces would be."""
        found = sorted(self.slurm.cluster.home(self.user).glob(f"datacrumbs/*/{self.id}-n*.txt"))
        return "".join(path.read_text() for path in found)

    def unit(self, node: Node) -> str:
        """The state of its unit on a node."""
        return node.run("systemctl", "is-active", f"datacrumbs@{self.id}.service", check=False).stdout.strip()


class Slurm:
    """Submits jobs on a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def submit(self, script: str, *options: str, user: str = "alice", head: str = "") -> Job:
        """Submits a script that is put together of `head`, for lines with #SBATCH, and the commands."""
        name = f"job{next(_NUMBERS)}"
        path = self.cluster.home(user) / f"{name}.sh"
        path.write_text(f"#!/bin/bash\n{head}\n{script}\n")
        path.chmod(0o755)
        done = self.cluster.login.run(
            "sbatch", "--parsable", f"--output={name}-%j.out", f"--error={name}-%j.err", *options, path.name, user=user
        )
        return Job(self, int(done.stdout.split(";")[0]), user, name)

    def job(self, number: int, user: str, name: str = "none") -> Job:
        """A job that was not submitted here."""
        return Job(self, number, user, name)

    def nothing_is_left(self) -> None:
        """All nodes are idle, none was drained, and nothing of ours runs or lies about on any.

        Raises:
            AssertionError: something is left; all jobs must have ended.
            NodesError: the nodes do not get idle.
        """
        self.cluster.wait_idle()
        for node in self.cluster.nodes:
            wait_until(f"{node.name} has no unit: {self._units(node)}", lambda node=node: not self._units(node))
            run = node.run("ls", "/run/datacrumbs", check=False).stdout.split()
            left = [n for n in run if n.endswith((".starting", ".env", ".ready", ".why", ".error", ".seen", ".node"))]
            assert not left, f"{node.name}: {left}"
        assert not self.cluster.login.run("sinfo", "--noheader", "--list-reasons").stdout
        leaks.nothing_is_left()

    @staticmethod
    def _units(node: Node) -> str:
        return node.run("systemctl", "list-units", "--no-legend", "--all", "datacrumbs@*").stdout


def task(folder: str, program: str = "calls") -> str:
    """A shell command: says "task NODE FOLDER UNIT-STATE", and makes the known calls in a folder below /shared, whose
    name may hold variables of the task's environment.
    """
    return (
        # A component of a heterogeneous job is another job than the one that Slurm tells its tasks of.
        f"sh -c 'other=${{SLURM_JOB_ID_HET_GROUP_1:-$SLURM_JOB_ID}};"
        f" state=$(systemctl is-active datacrumbs@$SLURM_JOB_ID datacrumbs@$other | sort | head -n 1);"
        f" echo task $SLURMD_NODENAME {folder} $state;"
        f" exec /shared/programs/{program} direct /shared/{folder} >/dev/null'"
    )


def tasks(output: str) -> list[tuple[str, str]]:
    """(node, folder) of each task that said so, in any order; the unit was active when it began."""
    found = re.findall(r"^task (n\d+) (\S+) (\S*)$", output, re.MULTILINE)
    assert all(state == "active" for *_, state in found), output
    return [(node, folder) for node, folder, _ in found]


def check_exact(job: Job, folder: str, ran: list[tuple[str, str]]) -> None:
    """On each node of `ran`, and on no other, a trace has the calls of its tasks below `folder`, all of them and of
    nobody else; nothing was lost; it belongs to the job's owner; and the unit is gone.
    """
    traces = job.traces()
    assert traces.keys() == {node for node, _ in ran}, (traces, ran, job.said(), job.notes())
    for node, path in traces.items():
        lines = read_lines(path)
        found = by_thread(below(events_of(lines), f"/shared/{folder}")).values()
        expected = [work(f"/shared/{where}") for at, where in ran if at == node]
        assert sorted(found, key=str) == sorted(expected, key=str), f"job {job.id} on {node}"
        assert lines[-1]["args"]["lost"] == 0
        assert path.stat().st_uid == UID[job.user]
    assert {job.unit(node) for node in job.slurm.cluster.nodes} == {"inactive"}
