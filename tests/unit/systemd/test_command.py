"""The node helper's answers: one line each and exit code 0, whatever it is given. The cluster tests see it at work."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from datacrumbs.core.errors import UsageError
from datacrumbs.systemd import arguments

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts and stops traces")
without_systemd = pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="systemd runs here")
ASK = '{"datacrumbs":{"enable":"yes","probe_file":"%s"}}'


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "datacrumbs.yaml"
    path.write_text(f"run_dir: {tmp_path}/run\ntrace_dir: {tmp_path}/traces\n")
    return path


def node(bin_dir: Path, *words: object, text: str | bytes = b"") -> str:
    """Runs the helper as a hook does: no PATH, no HOME; returns its line."""
    done = subprocess.run(
        [bin_dir / "datacrumbs_node", *map(str, words)],
        input=text.encode() if isinstance(text, str) else text,
        capture_output=True,
        timeout=60,
        env={},
        cwd="/",
    )
    assert done.returncode == 0, done
    assert done.stdout.count(b"\n") == 1 and done.stdout.endswith(b"\n")
    return done.stdout.decode().rstrip("\n")


@root
@pytest.mark.parametrize("text", [b"", b"a comment", b'{"other":1}', ASK.replace("yes", "no") % "/x"])
def test_a_job_that_asks_for_nothing_is_off(bin_dir: Path, settings: Path, text: bytes) -> None:
    assert node(bin_dir, "start", "--job", 17, "--user", 0, "--config", settings, text=text) == "off"
    assert not (settings.parent / "run").exists()


@root
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ASK % "relative", "write the whole path"),
        (b"\xff\xfe datacrumbs probe_file {", ""),
        (b'{"datacrumbs":' + b"[" * 9000, "nested"),
        (b'{"datacrumbs":"' + b"x" * 100_000, "larger than"),
        ("{datacrumbs:{enable:yes,probe_file:$(touch /tmp/x)}}", "quotes were lost"),
    ],
)
def test_hostile_metadata_ends_in_a_reason(bin_dir: Path, settings: Path, text: str | bytes, says: str) -> None:
    answer = node(bin_dir, "start", "--job", 17, "--user", 0, "--config", settings, text=text)
    assert answer.startswith("none: ") and says in answer if says else answer == "off"


@root
@without_systemd
def test_the_owner_is_told_in_files_of_their_own(bin_dir: Path, settings: Path, tmp_path: Path) -> None:
    """Beside where the trace would be, in the job's error output, and for the job's tasks."""
    tmp_path.chmod(0o777)
    output = tmp_path / "job.err"
    output.write_text("of the job\n")
    os.chown(output, 65534, 65534)
    words = ("start", "--job", 17, "--user", 65534, "--error-output", output, "--config", settings)
    for _ in range(2):
        answer = node(bin_dir, *words, text=ASK % "/x")
        assert answer.startswith("none: job 17 is not traced on this node: systemd does not run on this node")
    reason = answer.removeprefix("none: ")
    run = tmp_path / "run"
    assert (run / "17.why").read_text() == f"{reason}\n"
    assert (run / "17.why").stat().st_uid == 65534
    notes = list((tmp_path / "traces").glob("17-*.txt"))
    parents_open = all(p.stat().st_mode & 0o001 for p in tmp_path.parents)
    if parents_open:  # pytest's own folders are root's alone
        assert notes[0].read_text() == f"datacrumbs: {reason}\n" * 2
        assert notes[0].stat().st_uid == 65534
        assert output.read_text() == f"of the job\n{f'datacrumbs: {reason}' + chr(10)}" + f"datacrumbs: {reason}\n"


@root
@without_systemd
def test_tasks_that_wait_go_on_when_the_reason_is_there(bin_dir: Path, settings: Path, tmp_path: Path) -> None:
    """The file for which they wait is gone after a start of a detached job, whatever came of it."""
    run = tmp_path / "run"
    run.mkdir()
    for text, said in ((ASK % "/x", "none: job 17 is not traced"), (ASK % "x", "none: job 17"), ("words", "off")):
        (run / "17.starting").touch()
        words = ("start", "--detached", "--job", 17, "--user", 0, "--config", settings)
        assert node(bin_dir, *words, text=text).startswith(said)
        assert not (run / "17.starting").exists()
        assert (run / "17.why").exists() == (said != "off")
        (run / "17.why").unlink(missing_ok=True)


@root
def test_a_job_that_is_over_gets_no_trace_any_more(bin_dir: Path, settings: Path, tmp_path: Path) -> None:
    """Its epilog took the file away before the helper came so far: nothing is started, written, or told."""
    answer = node(bin_dir, "start", "--detached", "--job", 17, "--user", 0, "--config", settings, text=ASK % "/x")
    assert answer == "none: the job ended before its trace began"
    assert not list((tmp_path / "run").iterdir()) and not (tmp_path / "traces").exists()


def test_hooks_words_mean_the_same_without_argparse() -> None:
    """What the short way takes apart, argparse takes for the same; anything else is left to argparse."""
    hooks = ["start", "--detached", "--job", "17", "--user", "0", "--scheduler", "slurm", "--until", "18"]
    hooks += ["--error-output", "/x", "--config", "/y"]
    short = arguments.read(hooks)
    assert short == arguments.read([*hooks[:-2], "--config=/y"])
    assert (short.job, short.until, short.detached, short.config) == ("17", 18, True, Path("/y"))
    assert arguments.read(["reap", "--grace", "0"]).grace == 0
    for wrong in (["start", "--job", "1"], ["stop", "--job"], ["stop", "--until", "1"], ["start", "--job", "1", "--x"]):
        with pytest.raises(UsageError):
            arguments.read(wrong)
    for wrong in ("--until=x", "--scheduler=pbs"):
        with pytest.raises(UsageError):
            arguments.read([*hooks, wrong])


@root
@without_systemd
def test_an_error_output_that_is_a_link_is_left_alone(bin_dir: Path, settings: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("")
    link.symlink_to(target)
    node(bin_dir, "start", "--job", 1, "--user", 0, "--error-output", link, "--config", settings, text=ASK % "/x")
    assert target.read_text() == ""


@root
@pytest.mark.parametrize(
    "words", [("start", "--job", "../x", "--user", "0"), ("start", "--job", "1"), ("start", "--x")]
)
def test_a_hook_that_is_wrong_drains_no_node(bin_dir: Path, settings: Path, words: tuple[str, ...]) -> None:
    assert node(bin_dir, *words, text=ASK % "/x").startswith("none: ")


@root
def test_no_such_user_is_a_reason(bin_dir: Path, settings: Path) -> None:
    answer = node(bin_dir, "start", "--job", 1, "--user", 4_000_000_000, "--config", settings, text=ASK % "/x")
    assert "there is no user '4000000000' on this machine" in answer


@root
@without_systemd
def test_stop_and_reap_end_well_too(bin_dir: Path, settings: Path) -> None:
    for words in (("stop", "--job", "17"), ("stop", "--job", "$(id)"), ("reap",)):
        assert node(bin_dir, *words, "--config", settings).startswith("failed: ")


def test_a_broken_configuration_is_a_reason(bin_dir: Path, settings: Path) -> None:
    settings.write_text("nonsense: 1\n")
    answer = node(bin_dir, "start", "--job", 1, "--user", 0, "--config", settings, text=ASK % "/x")
    assert answer.startswith("none: ")


def test_the_runtime_says_why_it_failed_where_it_is_asked_to(bin_dir: Path, tmp_path: Path) -> None:
    """The helper relays it: the job's owner does not see the unit's stderr."""
    error = tmp_path / "17.error"
    environment = {**os.environ, "DATACRUMBS_ERROR_FILE": str(error)}
    done = subprocess.run(
        [bin_dir / "datacrumbs", "/no/such/file", "17"], env=environment, capture_output=True, text=True, timeout=60
    )
    told = json.loads(error.read_text())
    assert done.returncode in (66, 77) and told["message"] in done.stderr and told["hint"] in done.stderr
    assert error.stat().st_mode & 0o777 == 0o600
