"""Telling systemd how a service is: sd_notify(3), for services of `Type=notify`."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(*states: str) -> None:
    """Sends states such as `READY=1` or `STATUS=…` to systemd; does nothing where systemd did not start us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    # A service that works should not fail because nobody hears that it does.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
        to.sendto("\n".join(states).encode(), "\0" + address[1:] if address[0] == "@" else address)
