"""A job on this node, and the files that are kept of it in the run directory.

ID.starting  while its trace begins and its tasks have to wait: made and locked by the hook that does not; `Job.begins`
ID.env       from start to stop: what the unit is started with; its presence is what hooks look at before they call us
ID.why       why there is no trace: one line, for the job's owner alone
ID.error     how the runtime failed, as the runtime tells it
ID.seen      when a process of the job was last seen here (its time of modification), for the reaper
ID.request   the metadata, while the start goes on beside the scheduler's own (Flux)
ID.ending    a hook has asked the runtime to end, so that it is no wonder if it is gone
ID.node      the lock of whoever starts or stops
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from datacrumbs.core.errors import DataCrumbsError, UsageError
from datacrumbs.core.files import read_regular, write_atomically
from datacrumbs.core.text import printable

SCHEDULERS: Final = ("slurm", "flux")
_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")
_MAX_STATE: Final = 64 << 10
_ESCAPED: Final = str.maketrans({c: f"\\{c}" for c in '\\"$`'})
_ENTRY: Final = re.compile(r'([A-Z_]+)="((?:[^"\\]|\\.)*)"')


def check_id(text: str) -> str:
    """A job's id, if it can name a unit and files.

    Raises:
        UsageError: it cannot.
    """
    if not _ID.match(text):
        raise UsageError(f"'{text}' is no job id", "use at most 100 letters, digits and _.-, beginning with a letter")
    return text


class Job(NamedTuple):
    """A job by its id, and where its files are."""

    id: str
    run_dir: Path

    @property
    def unit(self) -> str:
        """The unit that traces it."""
        return f"datacrumbs@{self.id}.service"

    def file(self, kind: str) -> Path:
        """One of its files; see the module."""
        return self.run_dir / f"{self.id}.{kind}"

    @property
    def ready(self) -> Path:
        """The runtime's ready file."""
        return self.run_dir / f"datacrumbs-{self.id}.ready"

    @property
    def begins(self) -> bool:
        """Whether its trace begins, as the hook says that starts it and does not wait.

        The hook locks the file and hands the descriptor on, so that the lock is gone with whoever was to have the trace
        ready, however that ended. The file is gone when that is over, or when the end of the job has taken it away.
        """
        return self.file("starting").exists()

    def runtime(self) -> int:
        """The process that traces it and is ready; 0 where there is none."""
        try:
            lines = read_regular(self.ready, _MAX_STATE, follow=False).decode(errors="replace").splitlines()
            pid = int(dict(line.split("=", 1) for line in lines)["pid"])
            os.kill(pid, 0)
        except (DataCrumbsError, ValueError, KeyError, OSError):
            return 0
        return pid

    def forget(self) -> None:
        """Removes what is kept of it."""
        for kind in ("why", "error", "seen", "request", "ending", "env"):
            self.file(kind).unlink(missing_ok=True)
        if not self.runtime():  # what a runtime leaves that was killed
            self.ready.unlink(missing_ok=True)
            self.ready.with_suffix(".lock").unlink(missing_ok=True)

    def error(self) -> str:
        """How its runtime failed, as one line; empty when it did not say."""
        try:
            told = json.loads(read_regular(self.file("error"), _MAX_STATE, follow=False))
            return printable("; ".join(part for part in (str(told["message"]), str(told["hint"])) if part))
        except (DataCrumbsError, ValueError, KeyError, TypeError):
            return ""

    def environment(self) -> dict[str, str]:
        """What its unit was started with; empty where there is no such file."""
        try:
            text = read_regular(self.file("env"), _MAX_STATE, follow=False).decode()
        except (DataCrumbsError, ValueError):
            return {}
        entries = (_ENTRY.fullmatch(line) for line in text.splitlines())
        return {entry[1]: re.sub(r"\\(.)", r"\1", entry[2]) for entry in entries if entry}


def environment_text(values: dict[str, str]) -> str:
    """An EnvironmentFile= of systemd (systemd.exec(5)) that holds exactly these values.

    Within double quotes a backslash takes the meaning from the four characters that have one; control characters are
    refused long before.
    """
    for value in values.values():
        assert value.isprintable() or not re.search(r"[\x00-\x1f\x7f]", value), "checked by whoever read it"
    return "".join(f'{name}="{value.translate(_ESCAPED)}"\n' for name, value in values.items())


def write_environment(job: Job, values: dict[str, str]) -> None:
    """Writes what the unit is started with; root's alone, in a folder that is root's.

    Raises:
        OutputError: the run directory cannot be written.
    """
    job.run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_atomically(job.file("env"), environment_text(values).encode(), mode=0o600)


def write_reason(job: Job, uid: int, reason: str) -> None:
    """Leaves the reason where the job's own tasks find it; suppresses what goes wrong, since it is told elsewhere."""
    path = job.file("why")
    with contextlib.suppress(DataCrumbsError, OSError):
        path.unlink(missing_ok=True)
        write_atomically(path, (reason + "\n").encode(), mode=0o400)
        os.chown(path, uid, -1, follow_symlinks=False)
