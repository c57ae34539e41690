"""The journal gets one message with its fields, whatever is in them, and nobody waits for it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from datacrumbs.core import journal


def test_a_message_is_one_whatever_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "socket"
    monkeypatch.setattr(journal, "_SOCKET", str(path))
    assert not journal.send("x", "nobody listens")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        assert journal.send("x", "two\nlines\x1b", journal.ERROR, {"JOB_ID": "17\nPRIORITY=0"})
        lines = listener.recv(4096).decode().splitlines()
    assert lines == [
        "MESSAGE=two\\nlines\\x1b", "PRIORITY=3", "SYSLOG_IDENTIFIER=x", "JOB_ID=17\\nPRIORITY=0",
    ]  # fmt: skip


def test_a_services_stderr_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    try:
        assert not journal.is_ours(write)
        status = os.fstat(write)
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert journal.is_ours(write) and not journal.is_ours(99999)
    finally:
        os.close(read)
        os.close(write)
