"""The configurator's end of the conversation with the signer."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Final

from datacrumbs.configurator import protocol
from datacrumbs.core import jsontext
from datacrumbs.core.errors import BusyError, UnavailableError
from datacrumbs.core.probes import ProbeSet

TIMEOUT: Final = 60.0
"""Seconds for the whole conversation; the signer's own limit is shorter."""


def sign(probes: ProbeSet, path: Path) -> bytes:
    """Has a selection signed.

    Args:
        probes: the selection.
        path: the signer's socket.

    Returns:
        The bytes of the probes file.

    Raises:
        UnavailableError: no signer answers.
        RefusedError: the site's policy says no.
        DataError, NoInputError: the signer finds a file other than the selection says.
        BusyError: too many ask at once.
    """
    deadline = protocol.Deadline(TIMEOUT)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        try:
            peer.settimeout(deadline.left())
            peer.connect(str(path))
        except TimeoutError as error:
            raise BusyError(f"the signer at {path} does not answer in time", "try again") from error
        except OSError as error:
            raise UnavailableError(
                f"no signer answers at {path}: {error.strerror or error}",
                "start it: systemctl start datacrumbs_sign_probes.socket, or: sudo datacrumbs_sign_probes &",
            ) from error
        # A signer that has refused before it read all no longer listens: then the reply says why.
        with contextlib.suppress(UnavailableError):
            protocol.send(peer, jsontext.dump(probes.to_json()), deadline)
        reply = protocol.receive(peer, protocol.MAX_REPLY, deadline)
    if reply[:1] == protocol.SIGNED:
        return reply[1:]
    raise protocol.error_from_bytes(reply[1:])
