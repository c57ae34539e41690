"""Signs of life on a terminal, and only there, and only where something takes long."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

CODE = """
import time
from datacrumbs.analysis import progress
progress.DELAY = {delay}
with progress.working("adding up"):
    time.sleep({seconds})
"""


def seen(delay: float, seconds: float) -> str:
    """What a terminal shows."""
    ours, theirs = pty.openpty()
    code = CODE.format(delay=delay, seconds=seconds)
    with subprocess.Popen([sys.executable, "-c", code], stderr=theirs, env=os.environ | {"TERM": "xterm"}) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # the other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def test_what_takes_long_is_named() -> None:
    assert "adding up" in seen(0.01, 3)


def test_what_is_done_at_once_shows_nothing() -> None:
    assert seen(60, 0) == ""


def test_a_pipe_gets_nothing() -> None:
    code = CODE.format(delay=0.01, seconds=1)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == done.stderr == b""
