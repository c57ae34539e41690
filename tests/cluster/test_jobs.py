"""Every way to ask for a trace, with real jobs: one for each node and job, exact, with nothing of any other job in it.

Each task makes the known calls of tests/bpf/programs/calls.c in a folder of its own, and says whether the job's unit
was active before it made the first one. Each test runs on a site with the SPANK plugin and on one with the hooks.
"""

from __future__ import annotations

import re

import pytest
from calls import below, by_thread
from calls import work as calls_of
from faults import drop_in
from jobs import SECONDS, Slurm, check_exact, metadata, probes_of, task, tasks, wait_until
from tracing import events_of, read_lines

pytestmark = [pytest.mark.cluster, pytest.mark.ebpf, pytest.mark.timeout(900)]

COMMENT = f"--comment={metadata(probes_of('alice'))}"
OPTIONS = ("--datacrumbs-enable", f"--datacrumbs-probe-file={probes_of('alice')}")


def number_of(output: str) -> int:
    """The job's number in "job NUMBER"."""
    return int(re.findall(r"^job (\d+)$", output, re.MULTILINE)[0])


def run_interactively(slurm: Slurm, work: str, *ask: str) -> None:
    """`srun` alone, then `salloc` with an `srun` in it."""
    run = (["srun", "-N3", *ask, "sh", "-c", f"echo job $SLURM_JOB_ID; {task(f'{work}/$SLURM_PROCID')}"],)
    run += (["salloc", "--quiet", "-N3", *ask, "sh", "-c", 'echo job $SLURM_JOB_ID; exec srun sh -c "$TASK"'],)
    for number, command in enumerate(run):
        inner = {"TASK": task(f"{work}/$((SLURM_PROCID + 3))")}
        done = slurm.cluster.login.run(*command, user="alice", timeout=SECONDS, env=inner)
        job = slurm.job(number_of(done.stdout), "alice")
        job.wait()
        ran = tasks(done.stdout)
        assert sorted(folder for _, folder in ran) == [f"{work}/{3 * number + i}" for i in range(3)]
        check_exact(job, work, ran)


def test_sbatch_with_a_comment(slurm: Slurm, work: str) -> None:
    """The batch script itself, and two steps on three nodes, one of them of static programs."""
    steps = [task(f"{work}/15"), f"srun {task(f'{work}/$SLURM_PROCID')}"]
    steps += [f"srun {task(f'{work}/$((SLURM_PROCID + 3))', 'static')}"]
    job = slurm.submit("\n".join(steps), "-N3", "--ntasks-per-node=1", COMMENT)
    assert job.wait().exit_code == 0, job.said()
    ran = tasks(job.out())
    assert len(ran) == 7
    check_exact(job, work, ran)


def test_tasks_wait_for_a_trace_that_begins_slowly(slurm: Slurm, work: str) -> None:
    """The job runs while its trace begins on one node, and yet its script and all tasks find the unit active before
    their first instruction, on this node as on the others.
    """
    steps = [task(f"{work}/15"), f"srun {task(f'{work}/$SLURM_PROCID')}"]
    go = f"/shared/{work}-signs/go"
    slowly = f"[Service]\nExecStartPre=/bin/sh -c 'until [ -e {go} ]; do sleep 0.1; done'\n"
    with drop_in(slurm.cluster.nodes[0], slowly):
        job = slurm.submit("\n".join(steps), "-N3", "--ntasks-per-node=1", COMMENT)
        wait_until("the unit begins", lambda: job.unit(slurm.cluster.nodes[0]) == "activating")
        job.wait_running()
        assert "task" not in job.out()
        slurm.cluster.login.run("touch", go)
        assert job.wait().exit_code == 0, job.said()
    ran = tasks(job.out())
    assert len(ran) == 4
    check_exact(job, work, ran)


def test_lines_in_the_script(slurm: Slurm, work: str) -> None:
    """#SBATCH lines do as well as options on the command line; several tasks on a node share its trace."""
    head = f"#SBATCH --nodes=3\n#SBATCH --ntasks-per-node=2\n#SBATCH --comment='{metadata(probes_of('alice'))}'"
    job = slurm.submit(f"srun {task(f'{work}/$SLURM_PROCID')}", head=head)
    assert job.wait().exit_code == 0, job.said()
    ran = tasks(job.out())
    assert len(ran) == 6
    check_exact(job, work, ran)


def test_srun_and_salloc_with_a_comment(slurm: Slurm, work: str) -> None:
    run_interactively(slurm, work, COMMENT)


def test_job_array(slurm: Slurm, work: str) -> None:
    """Each element has a trace of its own, with its own calls only."""
    first = slurm.submit(f"echo job $SLURM_JOB_ID; {task(f'{work}/$SLURM_ARRAY_TASK_ID')}", "--array=0-3", COMMENT)
    elements = slurm.cluster.home("alice").glob
    wait_until("four elements", lambda: sum("task" in p.read_text() for p in elements(f"{first.name}-*.out")) == 4)
    folders = []
    for path in elements(f"{first.name}-*.out"):
        job = slurm.job(number_of(path.read_text()), "alice", first.name)
        assert job.wait().exit_code == 0, job.said()
        ran = tasks(path.read_text())
        check_exact(job, work, ran)
        folders += [folder for _, folder in ran]
    assert sorted(folders) == [f"{work}/{number}" for number in range(4)]


def test_heterogeneous_job(slurm: Slurm, work: str) -> None:
    """Each component is a job on nodes of its own, and traced there."""
    step = f"srun --het-group=0,1 {task(f'{work}/$SLURM_PROCID')}"
    first = slurm.submit(step, "-N1", COMMENT, ":", "-N2", COMMENT)
    second = slurm.job(first.id + 1, "alice")
    assert first.wait().exit_code == 0, first.said()
    second.wait()
    ran = tasks(first.out())
    assert len(ran) == 3
    assert not first.traces().keys() & second.traces().keys()
    assert first.traces().keys() | second.traces().keys() == {node for node, _ in ran}
    for job in (first, second):
        check_exact(job, work, [(node, folder) for node, folder in ran if node in job.traces()])


def test_requeued_job(slurm: Slurm, work: str) -> None:
    """The second attempt is traced as the first one was, in a trace of its own."""
    script = f"""{task(f"{work}/${{SLURM_RESTART_COUNT:-0}}")}
until [ -n "$SLURM_RESTART_COUNT" ]; do sleep 0.2; done"""
    job = slurm.submit(script, "-N1", "-w", "n2", "--requeue", "--open-mode=append", COMMENT)
    wait_until("the first attempt has worked", lambda: "task" in job.out() and len(job.traces()) == 1)
    slurm.cluster.login.run("scontrol", "requeue", str(job.id))
    wait_until("the second attempt runs", lambda: job.hurry() or job.state().restarts == 1)
    assert job.wait().name == "COMPLETED"
    assert tasks(job.out()) == [("n2", f"{work}/0"), ("n2", f"{work}/1")]
    first, second = sorted(slurm.cluster.home("alice").glob(f"datacrumbs/*/{job.id}-n2*.pfw.gz"))
    both = [by_thread(below(events_of(read_lines(path)), f"/shared/{work}")) for path in (first, second)]
    found = sorted(str(calls) for trace in both for calls in trace.values())
    assert found == sorted(str(calls_of(f"/shared/{work}/{number}")) for number in range(2))
    assert all(len(trace) == 1 for trace in both)


def test_two_users_on_one_node(slurm: Slurm, work: str) -> None:
    """Two jobs at once on one node: each trace has its own job's calls, and belongs to its owner."""
    jobs = {}
    for user in ("alice", "bob"):
        script = f"""touch /shared/{work}-signs/{user}
until [ -e /shared/{work}-signs/alice ] && [ -e /shared/{work}-signs/bob ]; do sleep 0.1; done
{task(f"{work}/{len(jobs)}")}"""
        comment = f"--comment={metadata(probes_of(user))}"
        jobs[user] = slurm.submit(script, "-N1", "-n1", "-w", "n3", comment, user=user)
    for number, job in enumerate(jobs.values()):
        assert job.wait().exit_code == 0, job.said()
        assert tasks(job.out()) == [("n3", f"{work}/{number}")]
        check_exact(job, work, [("n3", f"{work}/{number}")])


def test_untraced_job_is_left_alone(slurm: Slurm) -> None:
    """Other comments are nobody's business; nothing is printed, written, or put into the environment."""
    job = slurm.submit("env; srun env", "-N3", "--comment=weekly run, with data and crumbs")
    assert job.wait().exit_code == 0
    assert "SLURM_JOB_ID" in job.out()
    assert "DATACRUMBS" not in job.out()
    assert "LD_PRELOAD" not in job.out()
    assert job.said() == job.notes() == ""
    assert not job.traces()


@pytest.mark.parametrize("site", ["spank"], indirect=True)
class TestOptions:
    """The options of the SPANK plugin."""

    def test_sbatch(self, slurm: Slurm, work: str) -> None:
        job = slurm.submit(f"srun {task(f'{work}/$SLURM_PROCID')}", "-N3", *OPTIONS)
        assert job.wait().exit_code == 0, job.said()
        ran = tasks(job.out())
        assert len(ran) == 3
        check_exact(job, work, ran)

    def test_srun_and_salloc(self, slurm: Slurm, work: str) -> None:
        run_interactively(slurm, work, *OPTIONS)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--datacrumbs-enable",), "--datacrumbs-probe-file"),
            (("--datacrumbs-enable", "--datacrumbs-probe-file=probes.json.gz"), "absolute path"),
            (("--datacrumbs-enable", "--datacrumbs-probe-file=/none.json.gz"), "No such file"),
            (("--datacrumbs-enable", "--datacrumbs-probe-file=/etc/passwd"), "not a probes file"),
            (("--datacrumbs-probe-file=/etc/passwd",), "--datacrumbs-enable"),
        ],
    )
    def test_a_mistake_is_told_when_it_is_typed(self, slurm: Slurm, options: tuple[str, ...], words: str) -> None:
        """The submission stops, with a message that says what to write."""
        for command in (("sbatch", *options, "--wrap=true"), ("srun", *options, "true")):
            done = slurm.cluster.login.run(*command, user="alice", check=False, timeout=SECONDS)
            assert done.returncode != 0
            assert "datacrumbs: " in done.stderr
            assert words in done.stderr
