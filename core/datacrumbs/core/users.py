"""Doing one thing with another user's rights: root opens nothing of a user's with its own."""

from __future__ import annotations

import os
import pwd
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from datacrumbs.core.errors import UsageError

if TYPE_CHECKING:
    import socket


class User(NamedTuple):
    """An account of this machine."""

    name: str
    uid: int
    gid: int
    home: str


def find_user(name: str) -> User:
    """The account with a name or a number.

    Raises:
        UsageError: there is none.
    """
    try:
        entry = pwd.getpwuid(int(name)) if name.isascii() and name.isdigit() else pwd.getpwnam(name)
    except (KeyError, ValueError, OverflowError) as error:
        raise UsageError(f"there is no user '{name}' on this machine", "give a user name or number") from error
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def open_as(user: User, action: Callable[[], int]) -> int:
    """Runs `action` in a child process that has become `user`, and takes over the descriptor that it returns.

    A child, because the file system's rights are then wholly the user's: groups, capabilities and, on a network file
    system, what its server makes of the user (credentials(7)).

    Args:
        user: whose rights to use.
        action: opens something and returns the descriptor; it may raise OSError.

    Returns:
        The descriptor, closed on exec.

    Raises:
        OSError: what `action` raised, with its errno and file name.
    """
    if user.uid == os.geteuid():
        return action()
    import socket  # here: it takes 2 ms to import, and jobs wait for programs that never come here

    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            child = os.fork()
            if child == 0:
                _become_and_send(user, action, theirs)
        try:
            answer, descriptors, _, _ = socket.recv_fds(ours, 4096, 1)
        finally:
            os.waitpid(child, 0)
    if descriptors:
        os.set_inheritable(descriptors[0], False)
        return descriptors[0]
    number, _, name = answer.decode(errors="replace").partition(" ")
    code = int(number or 0)
    raise OSError(code, os.strerror(code) if code else "the child process failed", name or None)


def run_as(user: User, action: Callable[[], object], seconds: float) -> bool:
    """Runs `action` in a child process that has become `user`, for at most `seconds`: a file system may hang.

    Returns:
        Whether it ended in time and raised nothing.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            if user.uid != os.geteuid():
                become(user)
            action()
            code = 0
        finally:
            os._exit(code)
    deadline = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        if time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)  # one that hangs in the kernel goes when it can; nobody waits for it
            return False
        time.sleep(0.005)


def become(user: User) -> None:
    """Gives up the process's rights for the user's, for good.

    Raises:
        OSError: they cannot be changed.
    """
    os.setgroups(os.getgrouplist(user.name, user.gid))
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)


def _become_and_send(user: User, action: Callable[[], int], peer: socket.socket) -> None:
    import socket

    try:
        become(user)
        socket.send_fds(peer, [b"0"], [action()])
    except OSError as error:
        peer.send(f"{error.errno or 0} {error.filename or ''}".encode(errors="replace")[:4096])
    finally:
        os._exit(0)
