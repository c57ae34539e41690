"""What the configurator and the signer say to each other over the socket.

Each side sends one frame: four bytes of length, most significant first, then that many bytes. The request is a
ProbeSet as JSON. The reply begins with a byte: `+` and the probes file follow, or `-` and an error as JSON.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Any, Final

from datacrumbs.core import errors, jsontext
from datacrumbs.core.envelope import MAX_PACKED
from datacrumbs.core.errors import BusyError, DataCrumbsError, DataError, UnavailableError

MAX_REQUEST: Final = 8 << 20
"""Bytes of a request; 32,768 functions with usual names take about 7 MB."""
MAX_REPLY: Final = MAX_PACKED + 1
SIGNED: Final = b"+"
FAILED: Final = b"-"

_LENGTH: Final = struct.Struct(">I")
_CHUNK: Final = 1 << 16
_ERRORS: Final = {
    kind.__name__: kind
    for kind in (
        errors.DataError,
        errors.NoInputError,
        errors.RefusedError,
        errors.BusyError,
        errors.ConfigError,
        errors.UnavailableError,
    )
}
"""The errors that cross the socket; any other arrives as UnavailableError."""


class Deadline:
    """A moment by which a conversation must be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            BusyError: none are.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise BusyError("the other side is too slow", "try again")
        return left


def send(peer: socket.socket, message: bytes, deadline: Deadline) -> None:
    """Sends one frame.

    Raises:
        BusyError: the deadline passed.
        UnavailableError: the other side went away.
    """
    try:
        peer.settimeout(deadline.left())
        peer.sendall(_LENGTH.pack(len(message)) + message)
    except TimeoutError as error:
        raise BusyError("the other side is too slow", "try again") from error
    except OSError as error:
        raise UnavailableError(f"the other side went away: {error.strerror}", "try again") from error


def receive(peer: socket.socket, most: int, deadline: Deadline) -> bytes:
    """Receives one frame.

    Args:
        peer: the connected socket.
        most: the largest frame to accept, in bytes; memory is taken only for what has arrived.
        deadline: for the whole frame.

    Raises:
        BusyError: the deadline passed.
        DataError: the frame is empty or too large.
        UnavailableError: the other side went away before its end.
    """
    (length,) = _LENGTH.unpack(_exactly(peer, _LENGTH.size, deadline))
    if not 1 <= length <= most:
        raise DataError(f"a message of {length} bytes, {most} are allowed", "select fewer functions")
    return _exactly(peer, length, deadline)


def _exactly(peer: socket.socket, count: int, deadline: Deadline) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        try:
            peer.settimeout(deadline.left())
            part = peer.recv(min(_CHUNK, count - len(parts)))
        except TimeoutError as error:
            raise BusyError("the other side is too slow", "try again") from error
        except OSError as error:
            raise UnavailableError(f"the other side went away: {error.strerror}", "try again") from error
        if not part:
            raise UnavailableError("the other side went away in mid-message", "try again")
        parts += part
    return bytes(parts)


def error_to_bytes(error: DataCrumbsError) -> bytes:
    """An error as the body of a reply, or of a report from one process to another."""
    return jsontext.dump(
        {
            "error": type(error).__name__,
            "message": _wellformed(error.message),
            "hint": _wellformed(error.hint),
            "who": error.who,
        }
    )


def error_from_bytes(body: bytes) -> DataCrumbsError:
    """The error that such a body stands for."""
    try:
        value: Any = jsontext.parse(body, "the signer's reply", most_bytes=1 << 16)
        kind = _ERRORS.get(value["error"], UnavailableError)
        who = value["who"] if value["who"] in ("user", "administrator", "developer") else None
        return kind(str(value["message"]), str(value["hint"]), who=who)
    except (DataError, KeyError, TypeError):
        return UnavailableError("the signer answers in a form that is not known", "install the same version of both")


def _wellformed(text: str) -> str:
    return text[:4096].encode("utf-8", "backslashreplace").decode("utf-8")
