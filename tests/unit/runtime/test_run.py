"""Run ids, users, traces and the signs of presence."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from datacrumbs.core.errors import BusyError, UsageError
from datacrumbs.core.users import find_user, open_as
from datacrumbs.runtime import presence
from datacrumbs.runtime.run import choose_run_id, choose_user

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="not root: becoming another user needs it")


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        ("mine", {"SLURM_JOB_ID": "7"}, "mine"),
        (None, {"SLURM_JOB_ID": "7"}, "7"),
        (None, {"FLUX_JOB_ID": "f58aBc"}, "f58aBc"),
        (None, {"DATACRUMBS_RUN_ID": "a.b-c", "SLURM_JOB_ID": "7"}, "a.b-c"),
    ],
)
def test_the_run_id_is_the_argument_then_the_job(given: str | None, environment: dict[str, str], expected: str) -> None:
    """What the user typed comes first, then what the scheduler says."""
    assert choose_run_id(given, environment, 0.0) == expected


def test_without_any_the_run_id_is_the_time() -> None:
    """A run always has a name."""
    assert choose_run_id(None, {}, 1_800_000_000.0).startswith("2027")


@pytest.mark.parametrize("run_id", ["", "a/b", "../x", "a b", "x" * 129, "$(id)", "-x", ".x", "a\nb", "a\0b", "é"])
def test_what_is_no_run_id_is_refused(run_id: str) -> None:
    """A run id becomes a file name and a unit name: one harmless word."""
    with pytest.raises(UsageError):
        choose_run_id(run_id, {}, 0.0)


def test_the_user_is_the_one_who_called_sudo() -> None:
    """Root traces for somebody: the option, the unit's environment, who called sudo, else itself."""
    assert choose_user(None, {"SUDO_UID": "65534"}).uid == 65534
    assert choose_user("0", {"SUDO_UID": "65534"}).uid == 0
    assert choose_user(None, {"DATACRUMBS_USER": "nobody", "SUDO_UID": "0"}).name == "nobody"
    assert choose_user(None, {}).uid == os.getuid()
    with pytest.raises(UsageError):
        choose_user("no such user", {})


@ROOT_ONLY
def test_files_are_opened_with_the_users_rights(tmp_path: Path) -> None:
    """Root's own rights never open a file for a user: what the user may not read stays shut."""
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    nobody = find_user("nobody")
    with pytest.raises(OSError, match="Permission denied") as refused:
        open_as(nobody, lambda: os.open(secret, os.O_RDONLY))
    assert refused.value.filename == str(secret)
    tmp_path.chmod(0o777)
    for parent in list(tmp_path.parents)[:-1]:
        parent.chmod(parent.stat().st_mode | 0o011)
    made = open_as(nobody, lambda: os.open(tmp_path / "made", os.O_WRONLY | os.O_CREAT, 0o644))
    assert os.fstat(made).st_uid == nobody.uid
    assert not os.get_inheritable(made)
    os.close(made)


def test_one_runtime_for_a_run_id(tmp_path: Path) -> None:
    """A second runtime with the same run id is told so; when the first has gone, the id is free."""
    with presence.claimed(tmp_path / "run", "a"):
        with pytest.raises(BusyError), presence.claimed(tmp_path / "run", "a"):
            pass
        with presence.claimed(tmp_path / "run", "b"):
            pass
    with presence.claimed(tmp_path / "run", "a"):
        pass
    assert list((tmp_path / "run").iterdir()) == []


def test_the_ready_file_is_there_as_long_as_the_run(tmp_path: Path) -> None:
    """datacrumbs_wrap reads it as any user; no line of it can be forged by a path."""
    with presence.announced(tmp_path, "a", 7, Path("/t/evil\nuid=0")):
        path = tmp_path / "datacrumbs-a.ready"
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert path.read_text().splitlines() == [f"pid={os.getpid()}", "uid=7", "run_id=a", "trace=/t/evil?uid=0"]
    assert not path.exists()
