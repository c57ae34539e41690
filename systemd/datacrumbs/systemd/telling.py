"""Telling people: the administrator in the journal, the job's owner in files of their own."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from datacrumbs.core.config import Config
from datacrumbs.core.journal import ERROR, INFO, NOTICE, send
from datacrumbs.core.text import printable
from datacrumbs.core.users import User, run_as

__all__ = ["ERROR", "INFO", "NOTICE", "PROG", "journal", "note_path", "tell_owner"]

PROG: Final = "datacrumbs_node"
_NOTE_SECONDS: Final = 3.0


def journal(message: str, priority: int = INFO, fields: Mapping[str, str] | None = None) -> None:
    """One message with fields in the journal, and on stderr for the scheduler's own log.

    Nothing that goes wrong here is worth a job's time.
    """
    send(PROG, message, priority, fields)
    if priority <= NOTICE:
        with contextlib.suppress(OSError, ValueError):
            print(f"{PROG}: {printable(message)}", file=sys.stderr, flush=True)


def note_path(config: Config, user: User, run_id: str) -> Path:
    """Where the owner looks for the trace: the same name, but .txt."""
    host = os.uname().nodename
    date = time.strftime("%Y-%m-%d")
    folder = config.trace_directory(home=user.home, user=user.name, date=date, host=host, run_id=run_id)
    return folder / f"{run_id}-{host}.txt"


def tell_owner(config: Config, user: User, run_id: str, text: str, error_output: Path | None = None) -> None:
    """Leaves a line for the owner beside where the trace would be, and at the end of the job's own error output.

    It is written with the owner's rights in a process of its own, so that neither a link that they lay nor a file
    system that hangs is ours to suffer from.
    """
    line = f"datacrumbs: {printable(text)}\n".encode()
    note = note_path(config, user, run_id)

    def write() -> None:
        with contextlib.suppress(OSError):
            note.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            _append(note, line, os.O_CREAT)
        if error_output is not None:
            _append(error_output, line, 0)

    run_as(user, write, _NOTE_SECONDS)


def _append(path: Path, line: bytes, more: int) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(path, flags | more, 0o644)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
