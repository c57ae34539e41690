"""Messages with fields in systemd's journal (systemd.journal-fields(7)): `journalctl JOB_ID=4711` finds them.

LogExtraFields= of a unit would do it without us, but systemd 252 leaves a file in /run/systemd/units for each instance.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Final

from datacrumbs.core.text import printable

ERROR: Final = 3
NOTICE: Final = 5
INFO: Final = 6
"""Priorities of syslog(3)."""
_SOCKET: Final = "/run/systemd/journal/socket"


def send(identifier: str, message: str, priority: int = INFO, fields: Mapping[str, str] | None = None) -> bool:
    """Sends one message in the journal's own protocol; never waits, and never fails.

    Args:
        identifier: the program's name.
        message: any text; control characters are made visible.
        priority: of syslog(3).
        fields: more of them, by names in capital letters.

    Returns:
        Whether the journal took it.
    """
    values = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": identifier, **(fields or {})}
    import socket  # here: it takes 2 ms to import, and most who import this have nothing to say yet

    data = "".join(f"{name}={printable(value)}\n" for name, value in values.items()).encode(errors="replace")
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
        to.setblocking(False)
        to.sendto(data, _SOCKET)
        return True
    return False


def is_ours(descriptor: int) -> bool:
    """Whether a descriptor leads to the journal already, as a service's stderr does: systemd.exec(5)."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
