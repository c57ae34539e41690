"""The hooks for sites without SPANK end with 0 whatever happens, and evaluate nothing; tests/cluster runs them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HOOKS = ROOT / "build" / "meson" / "slurm"
JOB = {"SLURM_JOB_ID": "999999", "SLURM_JOB_UID": "0"}
ASK = '{"datacrumbs":{"enable":"yes","probe_file":"/x.json.gz"}}'


def call(hook: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a hook as slurmd does: no PATH, no HOME."""
    return subprocess.run([hook], env=environment, capture_output=True, text=True, timeout=110, cwd="/")


def fake(tmp_path: Path, hook: str, script: str) -> Path:
    """The hook of an installation whose datacrumbs_node is this script."""
    node = tmp_path / "datacrumbs_node"
    node.write_text(f"#!/bin/sh\n{script}\n")
    node.chmod(0o755)
    copy = tmp_path / hook
    text = (HOOKS / hook).read_text()
    assert "/bin/datacrumbs_node" in text
    import re

    copy.write_text(re.sub(r"\S+/bin/datacrumbs_node", str(node), text))
    copy.chmod(0o755)
    return copy


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
    hook = fake(tmp_path, "prolog", f'cat > {tmp_path}/got; echo "$@" > {tmp_path}/words; echo ready')
    done = call(hook, {**JOB, "SLURM_JOB_COMMENT": comment, "SLURM_JOB_END_TIME": "17"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "got").read_text() == comment
    assert (tmp_path / "words").read_text() == "start --job 999999 --user 0 --scheduler slurm --until 17\n"
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("script", ["exit 3", "kill -9 $$", "echo none: because", "exit 127"])
def test_a_helper_that_fails_drains_no_node(tmp_path: Path, script: str) -> None:
    """A prolog that ends with anything but 0 drains the node: the administrator reads of it in slurmd's log instead."""
    done = call(fake(tmp_path, "prolog", script), {**JOB, "SLURM_JOB_COMMENT": ASK})
    assert done.returncode == 0 and done.stderr.splitlines()[-1].startswith("datacrumbs: ")


def test_what_is_not_installed_drains_no_node(tmp_path: Path) -> None:
    hook = fake(tmp_path, "prolog", "")
    (tmp_path / "datacrumbs_node").unlink()
    done = call(hook, {**JOB, "SLURM_JOB_COMMENT": ASK})
    assert done.returncode == 0 and "datacrumbs: job 999999 is not traced" in done.stderr
