"""Every installed command greets, refuses nonsense in one line, and can be asked for help: the same way for all."""

from __future__ import annotations

import re
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
COMMANDS = [*SCRIPTS, "datacrumbs_wrap"]


def call(bin_dir: Path, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Runs an installed command from another directory, as a user would."""
    return subprocess.run(
        [bin_dir / words[0], *words[1:]], capture_output=True, text=True, timeout=60, cwd="/", **options
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_the_command_and_ends_with_an_example(bin_dir: Path, command: str) -> None:
    done = call(bin_dir, command, "--help")
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith(f"usage: {command}")
    example = done.stdout[done.stdout.index("\nexample:\n") :]
    assert f"  {command} " in example or f"  sudo {command}" in example


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_usage_is_one_line_and_code_64(bin_dir: Path, command: str) -> None:
    done = call(bin_dir, command, "--no-such-option")
    assert done.returncode == 64
    assert not done.stdout
    assert done.stderr.startswith(f"{command}: ")
    assert command == "datacrumbs_wrap" or done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", SCRIPTS)
def test_control_characters_are_made_visible(bin_dir: Path, command: str) -> None:
    """A hostile argument must not move the terminal's cursor, nor start a line of its own."""
    done = call(bin_dir, command, "--no-such\x1b[2J\noption")
    assert done.returncode == 64
    assert done.stderr.count("\n") == 1 and "\x1b" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_output_is_no_error(bin_dir: Path, command: str) -> None:
    """As in `datacrumbs_analyze --help | head -0`."""
    with subprocess.Popen(
        [bin_dir / command, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/"
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("milliseconds", range(1, 61))
def test_ctrl_c_at_any_moment_is_no_traceback(bin_dir: Path, milliseconds: int) -> None:
    """From when core/start.py has begun: before that, the interrupt is Python's own to answer."""
    with subprocess.Popen(
        [bin_dir / "datacrumbs_analyze", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/"
    ) as process:
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    ours = re.findall(r'site-packages/datacrumbs/(\S+)", line \d+, in (\S+)', errors)
    assert set(ours) <= {("core/start.py", "<module>")}, errors
    assert errors or said or process.returncode in (130, -signal.SIGINT)


def test_all_commands_begin_where_ctrl_c_is_answered() -> None:
    assert all(begin.startswith("datacrumbs.core.start:") for begin in SCRIPTS.values())
