"""How a runtime is known on its node: the lock on its run id, the ready file, and systemd's notifications."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from datacrumbs.core import locks
from datacrumbs.core.errors import BusyError, DataCrumbsError, OutputError
from datacrumbs.core.files import write_atomically
from datacrumbs.core.sdnotify import notify
from datacrumbs.core.text import printable


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
        descriptor = locks.acquire(path)
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


def failed(environment: Mapping[str, str], error: DataCrumbsError) -> None:
    """Leaves word of an error where whoever started us asked for it: DATACRUMBS_ERROR_FILE, as JSON.

    The node helper relays it to the job's owner, who does not see our stderr.
    """
    path = environment.get("DATACRUMBS_ERROR_FILE")
    if path:
        notify(f"STATUS={printable(error.message)}")
        with contextlib.suppress(OutputError):
            told = {"message": error.message, "hint": error.hint, "who": error.who}
            write_atomically(path, json.dumps(told).encode(), mode=0o600)


def _one_line(path: Path) -> str:
    return str(path).replace("\n", "?")
