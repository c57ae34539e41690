"""A run sees its own user's tagged processes, and nothing of any other process, run or user."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from calls import below, by_thread, said, work
from datacrumbs.core.runid import fnv1a
from tracing import BIN, Run, Site

pytestmark = pytest.mark.ebpf

NOBODY = 65534


@contextlib.contextmanager
def looping(command: list[str | Path], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """A program that works on and on until the end of the context."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def wrapped(
    run_dir: Path, run_id: str, *command: str | Path, user: int | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {"DATACRUMBS_RUN_DIR": str(run_dir), "PATH": os.environ["PATH"]}
    return subprocess.run(
        [BIN / "datacrumbs_wrap", "--quiet", "--run-id", run_id, *command],
        env=environment, user=user, group=user, cwd="/", check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def processes(run: Run) -> set[int]:
    """All process ids in the trace but the runtime's own."""
    return {line["pid"] for line in run.lines()} - {run.process.pid}


@pytest.fixture
def nobodys(site: Site) -> Path:
    """A probes file of the user nobody's."""
    return site.sign_syscalls(uid=NOBODY)


def test_untagged_processes_are_not_seen(run: Run, calls: Path, folder: Path) -> None:
    """The same program, run by the same user at the same time, leaves nothing: no call, no name, no start, no end."""
    (folder / "other").mkdir()
    with looping([calls, "loop", folder / "other"]):
        done = run.command([calls, "fork", folder])

    assert run.stop() == 0
    assert processes(run) == {int(line.split()[0]) for line in done.stdout.splitlines()}


def test_two_runs_at_once(site: Site, probes: Path, calls: Path, folder: Path) -> None:
    """Each of two runtimes with processes of the same user sees those that chose its run id, and only those."""
    with site.run(probes, "one") as one, site.run(probes, "two") as two:
        with looping([BIN / "datacrumbs_wrap", "--run-id", "two", calls, "loop", folder / "0"]) as loop:
            first = one.command([calls, "direct", folder / "1"])
        second = two.command([calls, "direct", folder / "2"])
    assert by_thread(below(one.events(), folder)) == said(first.stdout)
    assert processes(one) == {int(first.stdout.split()[0])}
    assert processes(two) == {int(second.stdout.split()[0]), loop.pid}
    assert by_thread(below(two.events(), folder / "2")) == said(second.stdout)


def test_a_mark_for_any_run_joins_one_of_the_users(
    site: Site, probes: Path, nobodys: Path, calls: Path, folder: Path
) -> None:
    """A mark without a run id brings a process under the runs of its own user only."""
    with site.run(probes, "of-root") as roots, site.run(nobodys, "of-nobody", user="nobody") as nobody:
        environment = {"DATACRUMBS_RUN_DIR": str(site.run_dir), "PATH": os.environ["PATH"]}
        for user, where in ((0, "0"), (NOBODY, "1")):
            subprocess.run(
                [BIN / "datacrumbs_wrap", calls, "direct", folder / where],
                env=environment, user=user, group=user, cwd="/", check=True, stdout=subprocess.DEVNULL, timeout=60,
            )  # fmt: skip
    assert list(by_thread(below(roots.events(), folder)).values()) == [work(folder / "0")]
    assert list(by_thread(below(nobody.events(), folder)).values()) == [work(folder / "1")]


def test_another_users_process_cannot_join(run: Run, calls: Path, folder: Path) -> None:
    """A process of another user with the mark of a run of root's leaves nothing in its trace."""
    wrapped(run.run_dir, run.run_id, calls, "fork", folder, user=NOBODY)
    token = str(fnv1a(run.run_id.encode()))
    for name in ("data", "other", "deep"):
        assert not (folder / "0" / name).exists()
    subprocess.run(
        [calls, "threads", folder, token], user=NOBODY, group=NOBODY, cwd="/", check=True, capture_output=True
    )
    assert run.stop() == 0
    assert processes(run) == set()


def test_a_users_run(site: Site, nobodys: Path, calls: Path, folder: Path) -> None:
    """A run for a user sees that user's processes exactly, never root's, and its trace belongs to the user."""
    with site.run(nobodys, "user", user="nobody") as run:
        done = wrapped(site.run_dir, "user", calls, "fork", folder, user=NOBODY)
        wrapped(site.run_dir, "user", calls, "direct", folder / "0")
    assert by_thread(below(run.events(), folder)) == said(done.stdout)
    assert processes(run) == {int(line.split()[0]) for line in done.stdout.splitlines()}
    assert run.trace.stat().st_uid == NOBODY
    assert run.trace.stat().st_mode & 0o022 == 0


def test_setuid_program_is_not_seen_while_privileged(site: Site, nobodys: Path, calls: Path, folder: Path) -> None:
    """What a set-user-id program of root's does with root's rights is not the user's to see; what it does after it has
    given them up is.
    """
    privileged = site.folder / "setuid"
    privileged.write_bytes(calls.read_bytes())
    privileged.chmod(0o4755)
    with site.run(nobodys, "setuid", user="nobody") as run:
        done = wrapped(site.run_dir, "setuid", privileged, "setuid", folder, user=NOBODY)
    privileged.unlink()
    (pid,) = {int(line.split()[0]) for line in done.stdout.splitlines()}
    actual = by_thread(below(run.events(), folder))
    assert actual == {(pid, pid): work(folder / "1")}


def test_process_that_becomes_another_user_leaves_the_run(run: Run, calls: Path, folder: Path) -> None:
    """A process of root's that becomes another user is not root's run's to see from then on."""
    done = run.command([calls, "become", folder, str(NOBODY)])
    assert run.stop() == 0
    assert list(by_thread(below(run.events(), folder)).values()) == [work(folder / "0")]
    assert len(done.stdout.splitlines()) == 2


def test_run_of_another_users_probes_is_refused(site: Site, probes: Path) -> None:
    """Nobody can run what was signed for somebody else."""
    process = site.start(probes, "foreign", user="nobody")
    error = process.communicate(timeout=30)[1]
    assert process.returncode == 77
    assert "signed for tester (uid 0), not for uid 65534" in error
