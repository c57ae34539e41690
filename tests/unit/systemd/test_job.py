"""What is kept of a job on its node."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from datacrumbs.core.errors import UsageError
from datacrumbs.systemd.job import Job, check_id, environment_text, write_environment, write_reason
from hypothesis import given
from hypothesis import strategies as st

printables = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60)


@given(st.dictionaries(st.sampled_from(["DATACRUMBS_PROBE_FILE", "DATACRUMBS_USER"]), printables))
def test_an_environment_file_is_read_as_it_was_written(tmp_path_factory: object, values: dict[str, str]) -> None:
    folder = Path("/run") if os.access("/run", os.W_OK) else Path("/tmp")
    job = Job("unit-test", folder / f"datacrumbs-test-{os.getpid()}")
    try:
        write_environment(job, values)
        assert job.environment() == values
        assert job.file("env").stat().st_mode & 0o777 == 0o600
    finally:
        job.forget()
        job.run_dir.rmdir()


def test_nothing_in_a_value_ends_it() -> None:
    """systemd.exec(5), EnvironmentFile=: within double quotes a backslash takes the meaning from four characters."""
    text = environment_text({"DATACRUMBS_PROBE_FILE": "/a\"; X=1 $(id) `id` \\ ' #"})
    assert text == 'DATACRUMBS_PROBE_FILE="/a\\"; X=1 \\$(id) \\`id\\` \\\\ \' #"\n'
    assert text.count("\n") == 1


@pytest.mark.parametrize("name", ["17", "17_3", "f2oLkTLb", "run-1.a"])
def test_ids_that_name_a_unit(name: str) -> None:
    assert check_id(name) == name


@pytest.mark.parametrize("name", ["", "-x", "../x", "a/b", "a b", "a@b", "a\n", "$(id)", "x" * 101, "ƒabc"])
def test_ids_that_do_not(name: str) -> None:
    with pytest.raises(UsageError):
        check_id(name)


def test_the_runtimes_error_is_one_line(tmp_path: Path) -> None:
    job = Job("1", tmp_path)
    assert job.error() == ""
    job.file("error").write_text(json.dumps({"message": "no\nkey", "hint": "ask", "who": "user"}))
    assert job.error() == "no\\nkey; ask"
    job.file("error").write_text("[")
    assert job.error() == ""


def test_the_reason_is_the_owners_alone(tmp_path: Path) -> None:
    job = Job("1", tmp_path)
    write_reason(job, os.geteuid(), "because")
    write_reason(job, os.geteuid(), "because of this")
    assert job.file("why").read_text() == "because of this\n"
    assert job.file("why").stat().st_mode & 0o777 == 0o400
    job.forget()
    assert not list(tmp_path.iterdir())
