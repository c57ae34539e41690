"""How a runtime is known on its node: the lock on its run id, the ready file, and systemd's notifications."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from datacrumbs.core.errors import BusyError, OutputError
from datacrumbs.core.files import write_atomically
from datacrumbs.core.sdnotify import notify


@contextlib.contextmanager
def claimed(run_dir: Path, run_id: str) -> Iterator[None]:
    """Holds the run id on this node for the length of the context.

    Raises:
        BusyError: another runtime has it.
        OutputError: the run directory cannot be written.
    """
    path = run_dir / f"datacrumbs-{run_id}.lock"
    try:
        run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = _lock(path)
    except BlockingIOError as error:
        raise BusyError(
            f"a runtime with run id '{run_id}' is active already", "choose another run id, or stop that one"
        ) from error
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}", "correct run_dir", who="administrator") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _lock(path: Path) -> int:
    """Locks the file that has this name; whoever held it before may have removed the one that we opened."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


@contextlib.contextmanager
def announced(run_dir: Path, run_id: str, uid: int, trace: Path) -> Iterator[None]:
    """Shows the ready file, and tells systemd, for the length of the context.

    Anybody may read the file: lines of `key=value` with pid, uid, run_id and trace. `datacrumbs_wrap` looks for it.
    """
    path = run_dir / f"datacrumbs-{run_id}.ready"
    text = f"pid={os.getpid()}\nuid={uid}\nrun_id={run_id}\ntrace={_one_line(trace)}\n"
    write_atomically(path, text.encode(errors="surrogateescape"))
    notify("READY=1", f"STATUS=tracing run {run_id}")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        notify("STOPPING=1")


def _one_line(path: Path) -> str:
    return str(path).replace("\n", "?")
