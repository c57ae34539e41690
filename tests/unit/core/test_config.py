"""The machine's configuration: works when missing, and tells each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from datacrumbs.core import config
from datacrumbs.core.config import Config
from datacrumbs.core.errors import ConfigError, NoInputError


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "datacrumbs.yaml"
    path.write_text(text)
    return config.load(path)


def test_a_file_names_only_what_differs(tmp_path: Path) -> None:
    settings = load(tmp_path, "ring_mib: 128\ntrace_dir: /scratch/{user}/{run_id}\n")
    assert settings.ring_mib == 128
    assert settings.run_dir == Config().run_dir
    where = settings.trace_directory(home="/home/a", user="a", date="2026-11-23", host="n1", run_id="r7")
    assert where == Path("/scratch/a/r7")


def test_the_default_trace_directory_is_in_the_home_of_the_user() -> None:
    where = Config().trace_directory(home="/home/a", user="a", date="2026-11-23", host="n1", run_id="r7")
    assert where == Path("/home/a/datacrumbs/2026-11-23")


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "{}") == Config()


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(NoInputError):
        config.load(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ring_mib: 48", ":1:11: 48 is not a power of two"),
        ("ring_mib: 8192", ":1:11: a whole number from 1 to 4096"),
        ("ring_mib: lots", ":1:11: a whole number"),
        ("ring_mib: true", ":1:11: a whole number"),
        ("ring_mib: 0x10", ":1:11: a whole number"),
        ("ring_mb: 64", ":1:1: unknown key 'ring_mb'"),
        ("run_dir: run", ":1:10: 'run' is not an absolute path"),
        ("keys_dir: /etc/../tmp", ":1:11: '/etc/../tmp' is not an absolute path"),
        ("trace_dir: traces", ":1:12: not an absolute path"),
        ("trace_dir: /t/{job}", ":1:12: unknown placeholder '{job}'"),
        ("trace_dir: '/t/{user.__class__}'", ":1:12: unknown placeholder"),
        ("trace_dir: '/t/{user!r}'", ":1:12: unknown placeholder"),
        ("trace_dir: '/t/{user'", ":1:12: not a pattern"),
        ("max_functions: 99999999", ":1:16: a whole number from 1 to"),
        ("- a", ":1:1: a mapping"),
    ],
)
def test_each_mistake_is_told_with_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert message in caught.value.message
    assert caught.value.exit_code == 78
