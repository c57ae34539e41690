"""Whatever goes wrong with the tracing, or with Slurm while a job is traced: the job has its own exit code, no node is
drained, no job is held, its user is told, and neither unit nor BPF program is left (the fixture `slurm` looks).
"""

from __future__ import annotations

import gzip

import pytest
from calls import below
from faults import drop_in, plugin_arguments, settings
from jobs import Job, Slurm, check_exact, metadata, probes_of, task, tasks, wait_until
from tracing import events_of, read_lines

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.ebpf,
    pytest.mark.timeout(900),
    pytest.mark.parametrize("site", ["spank"], indirect=True),
]

COMMENT = f"--comment={metadata(probes_of('alice'))}"
CODE = 7
"""What the jobs end with."""


def asking_for(probe_file: str) -> str:
    return f"--comment={metadata(probe_file)}"


def waiting(work: str, name: str = "go") -> str:
    """Commands that wait until a test has made a file in the work folder, and end with CODE."""
    return f"until [ -e /shared/{work}-signs/{name} ]; do sleep 0.1; done; exit {CODE}"


def go(slurm: Slurm, work: str, name: str = "go") -> None:
    (slurm.cluster.shared / f"{work}-signs" / name).touch()


def ends_untraced(job: Job, words: str) -> None:
    """The job ends as it would have, and its owner reads why there is no trace, twice."""
    state = job.wait()
    assert (state.exit_code, state.restarts) == (CODE, 0), (state, job.said())
    assert f"datacrumbs: job {job.id} is not traced" in job.said()
    assert words in job.said(), job.said()
    assert words in job.notes(), job.notes()
    assert not job.traces()


def traced_and_waiting(slurm: Slurm, work: str, *options: str) -> Job:
    """A job on n2 that has made the known calls and waits."""
    job = slurm.submit(f"{task(f'{work}/0')}; {waiting(work)}", "-N1", "-w", "n2", COMMENT, *options)
    wait_until(f"job {job.id} has worked: {job.said()}", lambda: "task" in job.out() and "n2" in job.traces())
    return job


def has_calls(job: Job, work: str) -> bool:
    events = below(events_of(read_lines(job.traces()["n2"])), f"/shared/{work}")
    return any(event["name"] == "rmdir" for event in events)


class TestProbesFile:
    """Probes files that cannot be used."""

    def test_missing(self, slurm: Slurm) -> None:
        job = slurm.submit(f"exit {CODE}", "-N1", asking_for("/shared/home/alice/none.json.gz"))
        ends_untraced(job, "/shared/home/alice/none.json.gz")

    def test_forged(self, slurm: Slurm) -> None:
        """Another user than it was signed for."""
        home = slurm.cluster.home("alice")
        head, body = gzip.decompress((home / "probes.json.gz").read_bytes()).split(b"\n", 1)
        forged = head + b"\n" + body.replace(b'"uid":5001', b'"uid":5002')
        (home / "forged.json.gz").write_bytes(gzip.compress(forged))
        job = slurm.submit(f"exit {CODE}", "-N1", asking_for("/shared/home/alice/forged.json.gz"))
        ends_untraced(job, "changed after it was signed")

    def test_unreadable_for_the_user(self, slurm: Slurm) -> None:
        """Root could read it, but it is looked at with the user's rights."""
        (slurm.cluster.home("bob") / "probes.json.gz").chmod(0o600)
        job = slurm.submit(f"exit {CODE}", "-N1", asking_for("/shared/home/bob/probes.json.gz"))
        ends_untraced(job, "Permission denied")

    def test_deleted_after_the_submission(self, slurm: Slurm) -> None:
        home = slurm.cluster.home("alice")
        (home / "soon.json.gz").write_bytes((home / "probes.json.gz").read_bytes())
        (home / "soon.json.gz").chmod(0o644)
        job = slurm.submit(f"exit {CODE}", "-N1", "--hold", asking_for("/shared/home/alice/soon.json.gz"))
        (home / "soon.json.gz").unlink()
        slurm.cluster.login.run("scontrol", "release", str(job.id))
        ends_untraced(job, "soon.json.gz")

    def test_signed_with_a_key_that_one_node_does_not_trust(self, slurm: Slurm, work: str) -> None:
        """That node has no trace, and says so; the others have theirs."""
        (key,) = (slurm.cluster.nodes[1].root / "etc" / "datacrumbs" / "keys.d").iterdir()
        text = key.read_bytes()
        key.unlink()
        try:
            job = slurm.submit(f"srun {task(f'{work}/$SLURM_PROCID')}; exit {CODE}", "-N3", COMMENT)
            assert job.wait().exit_code == CODE
        finally:
            key.write_bytes(text)
        assert job.traces().keys() == {"n1", "n3"}
        assert "is not traced" in job.said()
        assert "keys.d" in job.notes() or "trust" in job.notes(), job.notes()


@pytest.mark.parametrize(
    "comment",
    [
        '{"datacrumbs":',
        "{datacrumbs:{enable:yes,probe_file:/shared/home/alice/probes.json.gz}}",
        '{"datacrumbs":{"enable":"yes","probe_file":"$(touch /shared/hit)"}}',
        '{"datacrumbs":{"enable":"yes","probe_file":"/x\\";touch /shared/hit;\\""}}',
        '{"datacrumbs":{"enable":"yes","probe_file":"/x\'; touch /shared/hit #"}}',
        '{"datacrumbs":{"enable":"yes",\n"probe_file":"/x\\nDATACRUMBS_USER=0"}}',
        '{"datacrumbs":' + '{"a":' * 160 + "1" + "}" * 161,
        '{"datacrumbs":{"enable":"yes","probe_file":"/' + "x" * 960 + '"}}',
        '{"datacrumbs":{"enable":"yes","composite":"/x"}}',
    ],
    ids=["no-json", "lost-quotes", "command", "quotes", "apostrophes", "newlines", "deep", "long", "legacy"],
)
def test_hostile_comments(slurm: Slurm, comment: str) -> None:
    """Nothing in a comment is ever run, and each is answered with a reason."""
    job = slurm.submit(f"exit {CODE}", "-N1", f"--comment={comment}")
    ends_untraced(job, "is not traced on this node: ")
    assert not (slurm.cluster.shared / "hit").exists()


class TestUnit:
    """Units and runtimes that fail."""

    def test_fails_to_start(self, slurm: Slurm) -> None:
        with drop_in(slurm.cluster.nodes[1], "[Service]\nExecStart=\nExecStart=/bin/false\n"):
            job = slurm.submit(f"exit {CODE}", "-N1", "-w", "n2", COMMENT)
            ends_untraced(job, "the runtime")

    def test_is_never_ready(self, slurm: Slurm) -> None:
        """The job waits for no longer than the site allows."""
        node = slurm.cluster.nodes[1]
        with settings(node, "start_seconds: 2\n"), drop_in(node, "[Service]\nExecStart=\nExecStart=/bin/sleep 1000\n"):
            job = slurm.submit(f"exit {CODE}", "-N1", "-w", "n2", COMMENT)
            ends_untraced(job, "the runtime")

    def test_ignores_the_signal_to_end(self, slurm: Slurm, work: str) -> None:
        """It is killed when the site's patience ends, and the user is told that the trace may be cut off."""
        node = slurm.cluster.nodes[1]
        with settings(node, "stop_seconds: 2\n"), drop_in(node, "[Service]\nKillSignal=SIGWINCH\n"):
            job = traced_and_waiting(slurm, work)
            wait_until("the calls are written", lambda: has_calls(job, work))
            go(slurm, work)
            assert job.wait().exit_code == CODE
        assert "killed" in job.notes()

    def test_runtime_is_killed_in_mid_job(self, slurm: Slurm, work: str) -> None:
        """The trace reads to its last second, and the user is told that it ends early."""
        job = traced_and_waiting(slurm, work)
        wait_until("the calls are written", lambda: has_calls(job, work))
        slurm.cluster.nodes[1].run("systemctl", "kill", "--signal=KILL", f"datacrumbs@{job.id}.service")
        go(slurm, work)
        assert job.wait().exit_code == CODE
        assert "ended before the job" in job.notes()
        assert has_calls(job, work)

    def test_disk_is_full(self, slurm: Slurm, work: str) -> None:
        """The job does not notice, and the user is told."""
        node = slurm.cluster.nodes[1]
        node.run("mkdir", "-p", "/small")
        node.run("mount", "-t", "tmpfs", "-o", "size=64k,mode=1777", "small", "/small")
        node.run("sh", "-c", "head -c 64k /dev/zero > /small/all; truncate -s 61440 /small/all")
        with settings(node, "trace_dir: /small/{user}\n"):
            script = f"for i in $(seq 400); do {task(f'{work}/0')}; done; exit {CODE}"
            job = slurm.submit(script, "-N1", "-w", "n2", COMMENT)
            assert job.wait().exit_code == CODE, job.said()
            # There is no room for a note either: the journal has it.
            said = node.run("journalctl", f"JOB_ID={job.id}").stdout
        node.run("umount", "/small")
        assert "No space left on device" in said, said


class TestHelper:
    """Node helpers that fail: only the job's tasks have waited for them."""

    @pytest.mark.parametrize("start", ["sleep 1000", "kill -KILL $$", ""], ids=["hangs", "is-killed", "is-missing"])
    def test_does_not_answer(self, slurm: Slurm, work: str, start: str) -> None:
        """The job waits for no longer than the site allows, and its owner reads that there is no trace, and who knows
        more. The end of the job takes away what the start has left.
        """
        helper = slurm.cluster.shared / f"{work}-signs" / "helper"
        if start:
            helper.write_text(
                f"#!/bin/sh\n[ $1 = stop ] || {{ {start}; exit 1; }}\nexec /usr/local/bin/datacrumbs_node $*\n"
            )
            helper.chmod(0o755)
        with plugin_arguments(slurm.cluster, f"helper=/shared/{work}-signs/helper timeout=3"):
            job = slurm.submit(f"srun true; exit {CODE}", "-N1", COMMENT)
            state = job.wait()
        assert (state.exit_code, state.restarts) == (CODE, 0), (state, job.said())
        assert f"datacrumbs: job {job.id} is not traced on this node: the node helper" in job.said()
        assert not job.traces()


class TestSlurm:
    """What happens to Slurm while a job is traced."""

    def test_slurmd_is_restarted(self, slurm: Slurm, work: str) -> None:
        """The trace goes on, and ends with the job."""
        job = traced_and_waiting(slurm, work)
        slurm.cluster.nodes[1].run("systemctl", "restart", "slurmd")
        go(slurm, work)
        assert job.wait().exit_code == CODE
        check_exact(job, work, tasks(job.out()))

    def test_slurmctld_is_down_at_the_end(self, slurm: Slurm, work: str) -> None:
        """The node closes the trace without it."""
        job = traced_and_waiting(slurm, work)
        slurm.cluster.login.run("systemctl", "stop", "slurmctld", timeout=120)
        go(slurm, work)
        wait_until("the controller is back", lambda: self._back(slurm))
        assert job.wait().exit_code == CODE
        check_exact(job, work, tasks(job.out()))

    @staticmethod
    def _back(slurm: Slurm) -> bool:
        slurm.cluster.login.run("systemctl", "start", "slurmctld", timeout=120)
        return slurm.cluster.login.run("scontrol", "ping", check=False).returncode == 0

    def test_cancelled_in_mid_run(self, slurm: Slurm, work: str) -> None:
        """The trace is closed, and has all that was done."""
        job = traced_and_waiting(slurm, work)
        slurm.cluster.login.run("scancel", str(job.id), user="alice")
        assert job.wait().name == "CANCELLED"
        check_exact(job, work, tasks(job.out()))

    def test_cancelled_while_the_trace_begins(self, slurm: Slurm) -> None:
        """The end of the job ends the start, whose own time is not over for long; there is nothing to tell."""
        node = slurm.cluster.nodes[1]
        never = "[Service]\nExecStart=\nExecStart=/bin/sleep 1000\nTimeoutStartSec=infinity\n"
        patience = plugin_arguments(slurm.cluster, "timeout=600")
        with settings(node, "start_seconds: 600\n"), drop_in(node, never), patience:
            job = slurm.submit(f"exit {CODE}", "-N1", "-w", "n2", COMMENT)
            wait_until("the unit begins", lambda: job.unit(node) == "activating")
            slurm.cluster.login.run("scancel", str(job.id), user="alice")
            assert job.wait().name == "CANCELLED"
            wait_until("the unit is gone", lambda: job.unit(node) == "inactive")
            said = node.run("journalctl", "--output=cat", f"JOB_ID={job.id}").stdout
        assert "ended before its trace began" in said
        assert job.notes() == ""

    def test_comment_is_changed_in_mid_job(self, slurm: Slurm, work: str) -> None:
        """What counts at the end is what was begun."""
        job = traced_and_waiting(slurm, work)
        slurm.cluster.login.run("scontrol", "update", f"jobid={job.id}", "comment=nothing", user="alice")
        go(slurm, work)
        assert job.wait().exit_code == CODE
        check_exact(job, work, tasks(job.out()))

    def test_node_loses_its_power(self, slurm: Slurm, work: str) -> None:
        """The trace reads to its last second; after the boot nothing of the job is left, and the next one is traced."""
        node = slurm.cluster.nodes[1]
        job = traced_and_waiting(slurm, work, "--no-requeue")
        wait_until("the calls are written", lambda: has_calls(job, work))
        node.power_off()
        # Slurm would notice in its own time; an administrator is quicker.
        slurm.cluster.login.run("scontrol", "update", "nodename=n2", "state=down", "reason=power")
        assert job.wait().name == "NODE_FAIL"
        node.boot()
        slurm.cluster.login.run("scontrol", "update", "nodename=n2", "state=resume", check=False)
        slurm.cluster.wait_idle()
        assert has_calls(job, work)
        again = slurm.submit(f"{task(f'{work}/1')}; exit {CODE}", "-N1", "-w", "n2", COMMENT)
        assert again.wait().exit_code == CODE
        check_exact(again, f"{work}/1", tasks(again.out()))
