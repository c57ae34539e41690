"""systemd hears what a service says, at both forms of address, and nobody else is needed for it to work."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from datacrumbs.core.sdnotify import notify


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, abstract: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """sd_notify(3): one datagram, the states on lines of their own."""
    name = f"datacrumbs-test-{os.getpid()}"
    address = f"@{name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.bind(f"\0{name}" if abstract else address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify("READY=1", "STATUS=x")
        assert peer.recv(100) == b"READY=1\nSTATUS=x"


@pytest.mark.parametrize("address", ["", "relative", "/no/such/socket", "@nobody listens"])
def test_where_nobody_listens_nothing_happens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that works does not fail because nobody hears it."""
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")
