"""The signer's front door: accepts connections and gives each a process of its own, bounded in number and time.

Processes rather than threads: a conversation that goes wrong, or a file that takes for ever, can be ended without a
trace, and changing the user id concerns one process only.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datacrumbs.configurator import protocol
from datacrumbs.configurator.signer.request import Limits, converse, credentials, log
from datacrumbs.core.config import Config
from datacrumbs.core.errors import BusyError, ConfigError, DataCrumbsError, OutputError
from datacrumbs.core.files import make_folder

MAX_CLIENTS: Final = 24
MAX_CLIENTS_OF_ONE_USER: Final = 8
"""A third: nobody can keep all others out."""
BACKLOG: Final = 128
_FIRST_DESCRIPTOR: Final = 3
"""SD_LISTEN_FDS_START in sd_listen_fds(3)."""
_STOPS: Final = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class _Conversation:
    uid: int
    end: float
    """When it has lasted too long, by time.monotonic()."""


@contextlib.contextmanager
def listen(path: Path) -> Iterator[socket.socket]:
    """The socket to accept from: systemd's where it passed one, else a new one at `path`, removed at the end.

    Raises:
        BusyError: another signer listens there.
        OutputError: the socket cannot be made.
    """
    passed = _passed()
    if passed:
        with passed:
            yield passed
        return
    with _made(path) as listener:
        inode = path.stat().st_ino
        try:
            yield listener
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == inode:
                    path.unlink()


def _passed() -> socket.socket | None:
    """The socket that systemd passed, as in sd_listen_fds(3)."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if os.environ.get("LISTEN_FDS") != "1":
        raise ConfigError("systemd passes not one socket", "restore the unit datacrumbs_sign_probes.socket")
    return socket.socket(fileno=_FIRST_DESCRIPTOR)


def _made(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        make_folder(path.parent, 0o755)
        _remove_stale(path)
        listener.bind(str(path))
        path.chmod(0o666)  # anybody may ask
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise OutputError(f"cannot listen at {path}: {error.strerror or error}", "give another --socket") from error
    except DataCrumbsError:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(17, "something else is there")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise BusyError(f"another signer listens at {path}", "stop it first, or give another --socket")
    path.unlink()


def serve(listener: socket.socket, config: Config, limits: Limits, ready: Callable[[], None] = lambda: None) -> None:
    """Serves until SIGTERM or SIGINT; conversations that have begun are finished.

    Args:
        listener: as `listen` yields it.
        config: where policy and key are.
        limits: of each conversation.
        ready: called once it would answer a client and heed a signal.
    """
    turns = os.memfd_create("datacrumbs-turns")
    listener.setblocking(False)
    with _signals() as wakeup, selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(wakeup, selectors.EVENT_READ)
        conversations: dict[int, _Conversation] = {}
        stopping = False
        ready()
        while not stopping or conversations:
            for key, _ in selector.select(timeout=1.0 if conversations else None):
                if key.fileobj is wakeup:
                    stopping |= any(number in _STOPS for number in wakeup.recv(4096))
                elif not stopping:
                    _accept(listener, conversations, config, limits, turns)
            _reap(conversations)
    os.close(turns)


def _accept(
    listener: socket.socket, conversations: dict[int, _Conversation], config: Config, limits: Limits, turns: int
) -> None:
    try:
        peer, _ = listener.accept()
    except OSError:
        return  # the client went away again, or descriptors ran out: the next round tries again
    with peer:
        _, uid, _ = credentials(peer)
        mine = Counter(conversation.uid for conversation in conversations.values())[uid]
        if len(conversations) >= MAX_CLIENTS or mine >= MAX_CLIENTS_OF_ONE_USER:
            _turn_away(peer, uid)
            return
        pid = os.fork()
        if pid == 0:
            _child(listener, peer, config, limits, turns)
        conversations[pid] = _Conversation(uid, time.monotonic() + limits.total + limits.reply)


def _child(listener: socket.socket, peer: socket.socket, config: Config, limits: Limits, turns: int) -> None:
    """The life of one conversation's process: it never returns."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in _STOPS:
            signal.signal(number, signal.SIG_IGN)  # it ends soon anyway, and its client waits for the reply
        listener.close()
        converse(peer, config, limits, turns)
    finally:
        os._exit(0)


def _turn_away(peer: socket.socket, uid: int) -> None:
    log(f"uid {uid}: turned away, too many requests at once")
    error = BusyError("the signer has too many requests at once", "try again in a moment")
    peer.setblocking(False)
    with contextlib.suppress(OSError):
        body = protocol.FAILED + protocol.error_to_bytes(error)
        peer.send(len(body).to_bytes(4, "big") + body)
        peer.shutdown(socket.SHUT_WR)


def _reap(conversations: dict[int, _Conversation]) -> None:
    now = time.monotonic()
    for pid, conversation in list(conversations.items()):
        if now > conversation.end:
            os.kill(pid, signal.SIGKILL)
            log(f"uid {conversation.uid}: ended, it took too long")
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            del conversations[pid]


@contextlib.contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket on which the numbers of arriving signals can be read; the old handlers come back at the end."""
    receiving, sending = socket.socketpair()
    with receiving, sending:
        receiving.setblocking(False)
        sending.setblocking(False)
        before = {number: signal.signal(number, lambda *_: None) for number in (*_STOPS, signal.SIGCHLD)}
        old = signal.set_wakeup_fd(sending.fileno(), warn_on_full_buffer=False)
        try:
            yield receiving
        finally:
            signal.set_wakeup_fd(old)
            for number, handler in before.items():
                signal.signal(number, handler)
