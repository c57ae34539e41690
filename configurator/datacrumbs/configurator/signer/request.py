"""One conversation with the signer: who asks, for what, and the reply. It runs in a process of its own."""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass
from types import FrameType
from typing import Final

from datacrumbs.configurator import protocol
from datacrumbs.configurator.signer import policy
from datacrumbs.configurator.signer.examine import Caller, examine_as
from datacrumbs.configurator.sources import kernel
from datacrumbs.core import envelope, jsontext
from datacrumbs.core.config import Config
from datacrumbs.core.errors import BusyError, DataCrumbsError, DataError, InternalError
from datacrumbs.core.keys import key_id, load_signing_key
from datacrumbs.core.probes import ProbeSet, Syscall
from datacrumbs.core.text import printable

MAX_VALUES: Final = 1_000_000
"""JSON values in a request; 32,768 functions with all their captures hold fewer."""
EXAMINATION: Final = 20.0
"""Seconds that looking at the files may take."""

_CREDENTIALS: Final = struct.Struct("=iII")
_SO_PEERGROUPS: Final = 59
"""include/uapi/asm-generic/socket.h; Linux 4.13, not in Python's socket module."""
_MOST_GROUPS: Final = 1024 // 4
"""Python's getsockopt returns at most 1,024 bytes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a conversation may last, in seconds."""

    request: float = 10.0
    """From its start to the last byte of the request."""
    reply: float = 10.0
    total: float = 45.0
    """All of it; then its process is ended."""


def credentials(peer: socket.socket) -> tuple[int, int, int]:
    """Process, user and group of whoever connected, from the kernel (SO_PEERCRED in unix(7))."""
    data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(data)
    return pid, uid, gid


def caller_of(peer: socket.socket) -> Caller:
    """Whoever connected, with the groups that they had then and the name that belongs to their uid."""
    _, uid, gid = credentials(peer)
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return Caller(uid, gid, _groups_of(peer, user, gid), user)


def _groups_of(peer: socket.socket, user: str, gid: int) -> frozenset[int]:
    try:
        data = peer.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MOST_GROUPS)
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
        return frozenset(os.getgrouplist(user, gid))  # more than fit: what the user database says
    return frozenset(struct.unpack(f"={len(data) // 4}I", data))


def converse(peer: socket.socket, config: Config, limits: Limits, turns: int) -> None:
    """Reads a request, answers it and logs one line.

    Args:
        peer: the connection.
        config: where policy and key are.
        limits: times.
        turns: descriptor of a file; whoever holds a lock on it may unpack a request, so that many large ones at once
            do not take memory at once.
    """
    signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, limits.total - limits.reply)
    caller = None
    try:
        caller = caller_of(peer)
        data = protocol.receive(peer, protocol.MAX_REQUEST, protocol.Deadline(limits.request))
        _wait_for_turn(turns)
        outcome, reply = _signed(data, caller, config)
    except DataCrumbsError as error:
        outcome, reply = f"refused: {error.message}", protocol.FAILED + protocol.error_to_bytes(error)
    except Exception as error:
        failure = InternalError(f"the signer failed: {type(error).__name__}: {error}", "tell an administrator")
        outcome, reply = f"failed: {failure.message}", protocol.FAILED + protocol.error_to_bytes(failure)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    log(f"{caller.user} (uid {caller.uid}): {outcome}" if caller else outcome)
    try:
        protocol.send(peer, reply, protocol.Deadline(limits.reply))
        peer.shutdown(socket.SHUT_WR)
        _drain(peer, limits.reply)
    except (DataCrumbsError, OSError):
        log("the reply could not be delivered")


def check_system_calls(probes: ProbeSet) -> None:
    """Refuses a selection whose system calls have other numbers than their names: the policy goes by names.

    Raises:
        DataError: naming the call.
        UnavailableError: the architecture is unknown.
    """
    calls = [probe.target for probe in probes.probes if isinstance(probe.target, Syscall)]
    table = kernel.table(probes.arch)
    for call in calls:
        if table.get(call.name) != call.number:
            raise DataError(
                f"system call {call.number} is not {call.name} on {probes.arch}",
                "install the same version of configurator and signer",
            )


def log(line: str) -> None:
    """One line to the journal, or to whatever stderr is."""
    print(printable(line), file=sys.stderr, flush=True)


def _signed(data: bytes, caller: Caller, config: Config) -> tuple[str, bytes]:
    """Decides about a request; returns the line for the log and the reply, or raises what the user is to know."""
    document = jsontext.parse(data, "the request", most_bytes=protocol.MAX_REQUEST, most_values=MAX_VALUES)
    probes = ProbeSet.from_json(document)
    rule = policy.load(config.policy).rule_for(caller.user, caller.groups | {caller.gid})
    rule.check(probes)
    check_system_calls(probes)
    examine_as(caller, probes, EXAMINATION)
    now = int(time.time())
    signed = envelope.Signed(caller.uid, caller.user[:256], now, now + rule.lifetime, os.uname().nodename[:256])
    key = load_signing_key(config.signing_key)
    sealed = envelope.seal(envelope.payload(signed, probes), key)
    size = f"{len(probes.probes)} functions of {len(probes.files)} files"
    return f"signed {size} with key {key_id(key.public_key())}, rule '{rule.name}'", protocol.SIGNED + sealed


def _wait_for_turn(turns: int) -> None:
    # Opened anew: a lock belongs to the open file, and all processes inherited the same one.
    fcntl.flock(os.open(f"/proc/self/fd/{turns}", os.O_RDONLY | os.O_CLOEXEC), fcntl.LOCK_EX)


def _drain(peer: socket.socket, seconds: float) -> None:
    """Reads what a refused client still sends: closing before that would reset the connection, and lose the reply."""
    deadline = time.monotonic() + min(seconds, 2.0)
    peer.settimeout(0.5)
    while time.monotonic() < deadline and peer.recv(1 << 16):
        pass


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise BusyError("the signer has too much to do", "try again later")
