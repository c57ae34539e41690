"""The hooks for sites without SPANK end with 0 whatever happens, and evaluate nothing; tests/cluster runs them."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HOOKS = ROOT / "build" / "meson" / "slurm"
JOB = {"SLURM_JOB_ID": "999999", "SLURM_JOB_UID": "0"}
ASK = '{"datacrumbs":{"enable":"yes","probe_file":"/x.json.gz"}}'


def call(hook: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a hook as slurmd does: no PATH, no HOME."""
    return subprocess.run([hook], env=environment, capture_output=True, text=True, timeout=110, cwd="/")


def fake(tmp_path: Path, hook: str, script: str = "", limit: int = 60) -> Path:
    """The hook of an installation whose datacrumbs_node is this script, and gets this many seconds at most."""
    if script:
        node = tmp_path / "datacrumbs_node"
        node.write_text(f"#!/bin/sh\n{script}\n")
        node.chmod(0o755)
    copy = tmp_path / hook
    text = (HOOKS / hook).read_text()
    assert "/run/datacrumbs" in text and "45" in text
    text = re.sub(r"\S+/bin/datacrumbs_node", str(tmp_path / "datacrumbs_node"), text).replace(" 45 ", f" {limit} ")
    copy.write_text(text.replace("/run/datacrumbs", str(tmp_path / "run")))
    copy.chmod(0o755)
    return copy


def wait_for(path: Path) -> str:
    """The text of a file that a helper writes, which no hook waits for."""
    deadline = time.monotonic() + 60
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)
    return path.read_text()


@pytest.mark.parametrize("hook", ["prolog", "task_prolog", "epilog"])
@pytest.mark.parametrize(
    "environment", [{}, JOB, {**JOB, "SLURM_JOB_COMMENT": "my own words"}, {"SLURM_JOB_ID": "$(id)"}]
)
def test_an_untraced_job_passes_in_silence(hook: str, environment: dict[str, str]) -> None:
    done = call(HOOKS / hook, environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_untraced_job_starts_no_process() -> None:
    """Not even one: the shell looks at the comment itself."""
    done = subprocess.run(
        ["strace", "-f", "-e", "trace=execve,fork,vfork,clone,clone3", HOOKS / "prolog"],
        env={**JOB, "SLURM_JOB_COMMENT": "words"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    calls = [line for line in done.stderr.splitlines() if "(" in line and not line.startswith(("---", "+++"))]
    assert len(calls) == 1 and "execve" in calls[0], done.stderr


@pytest.mark.parametrize(
    "comment",
    [
        ASK,
        "datacrumbs $(touch {0}) `touch {0}` '; touch {0}; \" \n touch {0} \\",
        "-n datacrumbs %s %n \\x41",
        "datacrumbs" * 100,
    ],
)
def test_the_comment_arrives_verbatim_and_nothing_in_it_runs(tmp_path: Path, comment: str) -> None:
    comment = comment.replace("{0}", str(tmp_path / "trap"))
    hook = fake(tmp_path, "prolog", f'cat > {tmp_path}/got; echo "$@" > {tmp_path}/words')
    done = call(hook, {**JOB, "SLURM_JOB_COMMENT": comment, "SLURM_JOB_END_TIME": "17"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert wait_for(tmp_path / "words") == "start --detached --job 999999 --user 0 --scheduler slurm --until 17\n"
    assert (tmp_path / "got").read_text() == comment
    assert not (tmp_path / "trap").exists()


root = pytest.mark.skipif(os.geteuid() != 0, reason="a prolog runs as root")


@root
def test_tasks_wait_and_the_prolog_does_not(tmp_path: Path) -> None:
    """The prolog is over although the helper has hardly begun; a task goes on when it is done, and knows its trace."""
    hold, run = tmp_path / "hold", tmp_path / "run"
    script = f"while [ -e {hold} ]; do sleep 0.05; done; touch {run}/datacrumbs-999999.ready; rm {run}/999999.starting"
    hold.touch()
    assert call(fake(tmp_path, "prolog", script), {**JOB, "SLURM_JOB_COMMENT": ASK}).returncode == 0
    assert (run / "999999.starting").exists()
    with subprocess.Popen([fake(tmp_path, "task_prolog")], env=JOB, stdout=subprocess.PIPE, text=True) as task:
        with pytest.raises(subprocess.TimeoutExpired):
            task.wait(0.5)
        hold.unlink()
        assert "export DATACRUMBS_RUN_ID=999999\n" in task.communicate(timeout=60)[0]


@root
@pytest.mark.parametrize("script", ["exit 3", "kill -9 $$", "exit 127", "sleep 100"])
def test_a_helper_that_fails_or_hangs_drains_no_node(tmp_path: Path, script: str) -> None:
    """A prolog that ends with anything but 0 drains the node: the job's first task tells its owner, at the latest
    when the time is over; and the epilog leaves nothing.
    """
    limit = 2 if "sleep" in script else 60
    done = call(fake(tmp_path, "prolog", script, limit), {**JOB, "SLURM_JOB_COMMENT": ASK})
    assert (done.returncode, done.stderr) == (0, "")
    task = fake(tmp_path, "task_prolog", limit=limit)
    told = call(task, {**JOB, "SLURM_LOCALID": "0"})
    assert told.returncode == 0 and told.stdout.startswith("print datacrumbs: job 999999 is not traced on this node: ")
    assert call(task, {**JOB, "SLURM_LOCALID": "1"}).stdout == ""
    assert call(fake(tmp_path, "epilog", limit=limit), JOB).returncode == 0
    assert not (tmp_path / "run" / "999999.starting").exists()


def test_what_is_not_installed_drains_no_node(tmp_path: Path) -> None:
    done = call(fake(tmp_path, "prolog"), {**JOB, "SLURM_JOB_COMMENT": ASK})
    assert done.returncode == 0 and "datacrumbs: job 999999 is not traced" in done.stderr
