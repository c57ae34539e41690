"""Which calls a question is about: of a function, a file, a process, a host, a part of the run."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from datacrumbs.analysis.reading.catalog import ProcessKey
from datacrumbs.analysis.reading.columns import Calls, Column, Thread
from datacrumbs.core.errors import NoInputError, UsageError

if TYPE_CHECKING:
    from datacrumbs.analysis.explaining.parted import Parted
    from datacrumbs.analysis.reading.trace import Reading

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


EVERYTHING: Final = Selection()


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
    time = part_of_run(found["time"], f"{option} time={found['time']}") if "time" in found else None
    return Selection(found.get("file", ""), found.get("process", ""), found.get("host", ""), time)


def part_of_run(text: str, option: str) -> tuple[float, float]:
    """Two times in seconds, such as `1.5:3`.

    Raises:
        UsageError: it is none; `option` is how it was written.
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?):(\d{1,9}(?:\.\d{1,9})?)", text, re.ASCII)
    begin, end = (float(match[1]), float(match[2])) if match else (1.0, 0.0)
    if begin >= end:
        raise UsageError(f"{option} is no part of the run", "give two times in seconds: 1.5:3")
    return begin, end


@dataclass(frozen=True, slots=True)
class Choice:
    """A selection in the words of columns.py, which mean the same wherever the calls are."""

    function: str
    """Empty: any."""
    file: str
    hashes: frozenset[str]
    """Of the files with a hash: those whose path matches `file`."""
    processes: frozenset[Thread] | None
    """Each as a thread without a tid; None: all."""
    time: tuple[float, float] | None
    """Microseconds since 1970."""

    def of(self, calls: Calls) -> Callable[[Column], Column]:
        """What says of rows of some calls which of them are chosen."""
        functions = np.array([not self.function or one.name == self.function for one in calls.functions] + [False])
        files = np.array([*self._files(calls.files), False])
        processes = self.processes or frozenset[Thread]()
        threads = np.array([*(one._replace(tid=None) in processes for one in calls.threads), False])

        def chosen(rows: Column) -> Column:
            found = functions[calls.function[rows]]
            if not self.function:  # what the kernel did elsewhere shows in the calls of those for whom it did it
                found &= calls.key[rows] == 0
            if self.file:
                found &= files[calls.file[rows]]
            if self.processes is not None:
                found &= threads[calls.thread[rows]]
            if self.time:
                begin = calls.ts[rows]
                found &= (begin >= self.time[0]) & (begin < self.time[1])
            return found

        return chosen

    def _files(self, words: Sequence[str]) -> Iterator[bool]:
        matches = Matcher(self.file)
        nameless = matches("")
        for word in words:
            yield word[1:] in self.hashes or nameless if word[:1] == "h" else matches(word[1:])


def resolve(traces: Parted, function: str, which: Selection) -> Choice:
    """What a selection means in some traces.

    Raises:
        NoInputError: they hold no calls, or none of the function.
    """
    if not traces.events:
        raise NoInputError("the trace holds no calls", "see what its summary says about it")
    names = sorted({one.name for one in traces.functions})
    if function and function not in names:
        near = difflib.get_close_matches(function, names, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "datacrumbs_analyze summary lists its functions"
        raise NoInputError(f"the trace holds no call of '{function}'", hint)
    hashes, processes, time = frozenset[str](), None, None
    if which.file:
        matches = Matcher(which.file)
        hashes = frozenset(key for key, path in traces.names("FH").items() if matches(path))
    if which.process or which.host:
        hosts = traces.names("HH")
        processes = frozenset(
            one
            for one in {thread._replace(tid=None) for thread in traces.threads}
            if is_process(traces, which, ProcessKey(hosts.get(one.host, ""), one.pid, one.life))
        )
    if which.time:
        time = (traces.first_us + which.time[0] * 1e6, traces.first_us + which.time[1] * 1e6)
    return Choice(function, which.file, hashes, processes, time)


def nothing_chosen(function: str) -> NoInputError:
    """What to raise where no call is left."""
    what = f"no call of '{function}'" if function else "no call"
    where = "of that file, process and node, or in that time"
    return NoInputError(f"{what} is {where}", "leave out some of the conditions")


class Matcher:
    """Tells whether a text holds another, or matches it where it is a pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._wild = any(sign in pattern for sign in "*?[")

    def __call__(self, text: str) -> bool:
        return fnmatch.fnmatchcase(text, self._pattern) if self._wild else self._pattern in text


def is_process(traces: Reading, which: Selection, process: ProcessKey) -> bool:
    """Whether a process is one of those that are asked for; a pid asks for all that had it."""
    if which.host and process.host != which.host:
        return False
    if not which.process or which.process.isdigit():
        return not which.process or str(process.pid) == which.process
    known = traces.catalog.processes.get(process)
    return known is not None and (which.process in known.name or which.process in known.command)
