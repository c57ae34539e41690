"""Progress is shown on a terminal where something takes over a second, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tracegen import synthetic

CODE = """
import sys, time
from datacrumbs.analysis import progress
progress.DELAY = float(sys.argv[1])
with progress.steps("report", 2) as step:
    step("first")
    time.sleep(0.3)
    step("second")
    time.sleep(0.3)
"""


def on_terminal(delay: float) -> str:
    """What a terminal shows of two steps of 0.3 s each."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen([sys.executable, "-c", CODE, str(delay)], stderr=theirs, env=environment)
    os.close(theirs)
    text = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        text += part
    os.close(ours)
    assert process.wait() == 0
    return text.decode()


def test_steps_are_shown_once_it_takes_long() -> None:
    """Also where a step says nothing in the meantime."""
    text = on_terminal(0.05)
    assert "report: second" in text and "1/2" in text


def test_what_is_done_at_once_shows_nothing() -> None:
    assert on_terminal(1000) == ""


def test_nothing_is_shown_where_there_is_no_terminal(tmp_path: Path) -> None:
    synthetic(tmp_path / "t.pfw.gz", 1000)
    code = "from datacrumbs.analysis import progress; progress.DELAY = 0; from datacrumbs.analysis.command import main;"
    command = [sys.executable, "-c", code + "raise SystemExit(main())", "report", tmp_path / "t.pfw.gz", "-o", "r.html"]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == b""
