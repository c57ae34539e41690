"""Calls as columns: one row for each call, texts as numbers, and the tables that those numbers point into.

    ts, dur    begin in microseconds since 1970; duration in microseconds
    ns         exact duration in nanoseconds
    sub        nanoseconds of the begin beyond `ts`; NO_SUB where the trace does not say
    ret        what the call returned, or the bytes that it moved; NULL where there is none
    offset     where in the file; NULL
    count      bytes that were asked for, or the flags of an open; NULL
    function   a row of `functions`          thread   a row of `threads`
    file       a row of `files`; 0: none     key      a row of `keys`; 0: the thread did it itself

native/parse.c fills them from lines of the plain form; collect.py puts the parts of many workers together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from datacrumbs.analysis._columns import ffi
from datacrumbs.analysis.reading.parser import BETWEEN, DICTIONARIES, Parser
from datacrumbs.analysis.reading.room import Room
from numpy.typing import NDArray

NULL: Final = -(1 << 63)
"""A number that a call does not have."""
NO_SUB: Final = 0xFFFF
NO_ID: Final = -(1 << 31)
"""A process or thread id that a call does not have."""

Column = NDArray[Any]

COLUMNS: Final = {
    "ts": np.int64, "dur": np.int64, "ns": np.int64, "ret": np.int64, "offset": np.int64, "count": np.int64,
    "function": np.uint32, "thread": np.uint32, "file": np.uint32, "key": np.uint32, "sub": np.uint16,
}  # fmt: skip
ROW: Final = sum(np.dtype(kind).itemsize for kind in COLUMNS.values())
"""Bytes of a call."""


class Function(NamedTuple):
    """What a call is a call of."""

    name: str
    category: str


class Thread(NamedTuple):
    """Who made a call. `host` is the hash of the host's name, or "#" and the number of the source."""

    host: str
    pid: int | None
    tid: int | None
    life: int = 0
    """How many processes with this pid had ended before (lifetimes.py)."""


@dataclass(frozen=True, slots=True)
class Calls:
    """All calls of some traces, in the order of their files."""

    ts: Column
    dur: Column
    ns: Column
    ret: Column
    offset: Column
    count: Column
    function: Column
    thread: Column
    file: Column
    key: Column
    sub: Column
    functions: tuple[Function, ...]
    threads: tuple[Thread, ...]
    files: tuple[str, ...]
    """"h" and a hash that `names` knows, or "p" and a path; the first is empty: no file."""
    keys: tuple[str, ...]
    """Why the kernel did something elsewhere, and for which thread: "request 701"."""
    room: Room
    """For more columns with a row for each call."""

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def columns(self) -> dict[str, Column]:
        """The columns by name."""
        return {name: getattr(self, name) for name in COLUMNS}


class Worker(Protocol):
    """One of the threads that read: owns a parser, and says what becomes of the calls that it took."""

    parser: Parser

    def taken(self, source: int, offset: int) -> None:
        """The parser took calls of a file's part that begins at `offset`; more of them may follow."""

    def end_part(self, source: int, offset: int) -> None:
        """The part has no more calls."""


class Sink(Protocol):
    """Where calls go; a context manager that frees what is left."""

    def worker(self) -> Worker:
        """One more worker."""


def calls_of(columns: dict[str, Column], words: dict[str, tuple[str, ...]], room: Room) -> Calls:
    """Calls from their columns, what the numbers in these stand for, and the room that they lie in."""
    functions = tuple(map(function_of, words["function"]))
    threads = tuple(map(thread_of, words["thread"]))
    return Calls(**columns, functions=functions, threads=threads, files=words["file"], keys=words["key"], room=room)


@dataclass(frozen=True, slots=True)
class Rows:
    """Calls that were not of the plain form, with their texts."""

    numbers: dict[str, Column]
    texts: dict[str, list[str]]

    @property
    def ts(self) -> Column:
        """Begins."""
        return self.numbers["ts"]

    def column(self, name: str, maps: dict[str, list[Column]]) -> Column:
        """A column; texts as numbers."""
        return maps[name][-1] if name in maps else self.numbers[name]

    def calls(self) -> tuple[dict[str, tuple[str, ...]], Calls]:
        """These calls alone, and the words of their dictionaries."""
        words, maps = merged([], self)
        columns = {name: np.ascontiguousarray(self.column(name, maps), kind) for name, kind in COLUMNS.items()}
        return words, calls_of(columns, words, Room())


def merged(parsers: Sequence[Parser], odd: Rows) -> tuple[dict[str, tuple[str, ...]], dict[str, list[Column]]]:
    """One dictionary from all, and for each column and parser (and the odd rows at last) what its numbers become."""
    words: dict[str, tuple[str, ...]] = {}
    maps: dict[str, list[Column]] = {}
    for name in DICTIONARIES:
        known: dict[str, int] = {"": 0} if name in ("file", "key") else {}
        lists = [parser.words(name) for parser in parsers]
        lists.append(odd.texts[name])
        maps[name] = [
            np.fromiter((known.setdefault(word, len(known)) for word in one), np.uint32, len(one)) for one in lists
        ]
        words[name] = tuple(known)
    return words, maps


def function_word(function: Function) -> str:
    """A function as the dictionary of all has it."""
    return function.name + BETWEEN + function.category


def thread_word(thread: Thread) -> str:
    """A thread as native/parse.c writes it into its dictionary; with its life, if that is not the first."""
    ids = np.array([NO_ID if number is None else number for number in thread[1:3]], np.int32)
    return ids.tobytes().decode("latin-1") + thread.host + (f"{BETWEEN}{thread.life}" if thread.life else "")


def function_of(word: str) -> Function:
    """The function behind a word of the dictionary."""
    return Function(*word.split(BETWEEN, 1))


def thread_of(word: str) -> Thread:
    """The thread behind a word of the dictionary."""
    pid, tid = np.frombuffer(word[:8].encode("latin-1"), np.int32).tolist()
    host, _, life = word[8:].partition(BETWEEN)
    return Thread(host, None if pid == NO_ID else pid, None if tid == NO_ID else tid, int(life or 0))


def view(pointer: Any, size: int, kind: Any) -> Column:
    """A C array as a column that does not own it."""
    return _view(pointer, size, kind)


def _view(pointer: Any, size: int, kind: Any) -> Column:
    if not size:
        return np.empty(0, kind)
    return np.frombuffer(ffi.buffer(pointer, size * np.dtype(kind).itemsize), kind)


def chunks(total: int, size: int = 1 << 20) -> Iterator[slice]:
    """Slices that cover `total` rows, for work that should not double the memory."""
    for begin in range(0, total, size):
        yield slice(begin, min(begin + size, total))


def concatenated(parts: Iterable[Column], kind: Any) -> Column:
    """Columns one behind another; of `kind` where there is none."""
    listed = list(parts)
    return np.concatenate(listed) if listed else np.empty(0, kind)
