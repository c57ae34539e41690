"""Which calls a question is about: of a function, a file, a process, a host, a part of the run."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from datacrumbs.analysis.catalog import ProcessKey
from datacrumbs.analysis.columns import Column
from datacrumbs.analysis.trace import Traces
from datacrumbs.core.errors import NoInputError, UsageError

_PARTS: Final = ("process", "file", "host", "time")


@dataclass(frozen=True, slots=True)
class Selection:
    """What chosen calls have in common; what is empty says nothing."""

    file: str = ""
    """A text that their files' paths hold, or a pattern (with `*`) that they match."""
    process: str = ""
    """A pid, or a text that the process's name or command line holds."""
    host: str = ""
    """The node's name."""
    time: tuple[float, float] | None = None
    """They begin in this part of the run, in seconds since its first call."""

    @property
    def all(self) -> bool:
        """Nothing is asked."""
        return self == Selection()


def parse(texts: Sequence[str], option: str) -> Selection:
    """A selection as it is written on the command line: `process=7`, `file=*.h5`, `host=node1`, `time=1.5:3`.

    Raises:
        UsageError: a text is none of these, or says something twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in _PARTS or not value or name in found:
            raise UsageError(
                f"{option} {text!r} does not say which calls", "give process=PID, file=PATH, host=NAME or time=FROM:TO"
            )
        found[name] = value
    time = None
    if "time" in found:
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?):(\d{1,9}(?:\.\d{1,9})?)", found["time"], re.ASCII)
        time = (float(match[1]), float(match[2])) if match else (1.0, 0.0)
        if time[0] >= time[1]:
            raise UsageError(f"{option} time={found['time']} is no part of the run", "give two times in seconds: 1.5:3")
    return Selection(found.get("file", ""), found.get("process", ""), found.get("host", ""), time)


def chosen_calls(traces: Traces, function: str, which: Selection) -> Column:
    """A truth value for each call: whether it is of a function (empty: of any) and of a selection.

    Raises:
        NoInputError: there is no such call.
    """
    calls = traces.calls
    if not len(calls):
        raise NoInputError("the trace holds no calls", "see what its summary says about it")
    names = [one.name for one in calls.functions]
    wanted = np.array([not function or name == function for name in names] + [False])
    if not wanted.any():
        near = difflib.get_close_matches(function, names, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "datacrumbs_analyze summary lists its functions"
        raise NoInputError(f"the trace holds no call of '{function}'", hint)
    chosen = wanted[calls.function]
    if not function:  # what the kernel did elsewhere shows in the calls of those for whom it did it
        chosen &= calls.key == 0
    if which.file:
        chosen &= np.array([*map(Matcher(which.file), paths(traces)), False])[calls.file]
    if which.process or which.host:
        chosen &= _of_process(traces, which)[calls.thread]
    if which.time:
        first = first_moment(traces)
        chosen &= (calls.ts >= first + which.time[0] * 1e6) & (calls.ts < first + which.time[1] * 1e6)
    if not chosen.any():
        what = f"no call of '{function}'" if function else "no call"
        raise NoInputError(f"{what} is of that file and process, or in that time", "leave out some of the conditions")
    return chosen


def paths(traces: Traces) -> list[str]:
    """The path of each of `Calls.files`; empty where the trace does not name it."""
    return [path for (path,) in traces.database.execute("SELECT path FROM files ORDER BY id").fetchall()]


class Matcher:
    """Tells whether a text holds another, or matches it where it is a pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._wild = any(sign in pattern for sign in "*?[")

    def __call__(self, text: str) -> bool:
        return fnmatch.fnmatchcase(text, self._pattern) if self._wild else self._pattern in text


def is_process(traces: Traces, which: Selection, process: ProcessKey) -> bool:
    """Whether a process is one of those that are asked for; a pid asks for all that had it."""
    if which.host and process.host != which.host:
        return False
    if not which.process or which.process.isdigit():
        return not which.process or str(process.pid) == which.process
    known = traces.catalog.processes.get(process)
    return known is not None and (which.process in known.name or which.process in known.command)


def _of_process(traces: Traces, which: Selection) -> Column:
    rows = traces.database.execute("SELECT host, pid, life FROM threads ORDER BY id").fetchall()
    return np.array([*(is_process(traces, which, ProcessKey(*row)) for row in rows), False])


def first_moment(traces: Traces) -> int:
    """When the first call begins, or the first that was added up, in microseconds since 1970."""
    moments = [int(traces.calls.ts.min())] if len(traces.calls) else []
    added = traces.database.execute("SELECT min(ts) FROM profiles").fetchall()[0][0]
    return min([*moments, *([added] if added is not None else [])], default=0)
