"""Calls as columns: one row for each call, texts as numbers, and the tables that those numbers point into.

    ts, dur    begin in microseconds since 1970; duration in microseconds
    ns         exact duration in nanoseconds
    sub        nanoseconds of the begin beyond `ts`; NO_SUB where the trace does not say
    ret        what the call returned, or the bytes that it moved; NULL where there is none
    offset     where in the file; NULL
    count      bytes that were asked for, or the flags of an open; NULL
    function   a row of `functions`          thread   a row of `threads`
    file       a row of `files`; 0: none     key      a row of `keys`; 0: the thread did it itself

native/parse.c fills them from lines of the plain form; `Collector` puts the parts of many workers together in the order
of the files.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.parser import BETWEEN, DICTIONARIES, Parser
from numpy.typing import NDArray

NULL: Final = -(1 << 63)
"""A number that a call does not have."""
NO_SUB: Final = 0xFFFF
NO_ID: Final = -(1 << 31)
"""A process or thread id that a call does not have."""

Column = NDArray[Any]

_COLUMNS: Final = {
    "ts": np.int64, "dur": np.int64, "ns": np.int64, "ret": np.int64, "offset": np.int64, "count": np.int64,
    "function": np.uint32, "thread": np.uint32, "file": np.uint32, "key": np.uint32, "sub": np.uint16,
}  # fmt: skip


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

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def columns(self) -> dict[str, Column]:
        """The columns by name."""
        return {name: getattr(self, name) for name in _COLUMNS}


class _Segment(NamedTuple):
    source: int
    offset: int
    worker: int
    begin: int
    end: int


class _Keeper:
    """Keeps all calls in its parser, and remembers which of them are from where."""

    def __init__(self, number: int) -> None:
        self.parser = Parser()
        self.segments: list[_Segment] = []
        self._number, self._begin = number, 0

    def taken(self, source: int, offset: int) -> None:
        """Nothing to do."""

    def end_part(self, source: int, offset: int) -> None:
        """Calls since the last part's end are of this one."""
        begin, self._begin = self._begin, self.parser.size
        if self._begin > begin:
            self.segments.append(_Segment(source, offset, self._number, begin, self._begin))


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


@dataclass(slots=True)
class Collector:
    """A sink that puts together all that the workers took."""

    _workers: list[_Keeper] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self._workers:
            worker.parser.close()

    def worker(self) -> Worker:
        """One more worker."""
        with self._lock:
            self._workers.append(_Keeper(len(self._workers)))
            return self._workers[-1]

    def finish(self, odd: Rows) -> Calls:
        """All calls: those that were taken, in the order of the files, and behind them the odd ones."""
        parsers = [worker.parser for worker in self._workers]
        words, maps = _merged(parsers, odd)
        segments = sorted(segment for worker in self._workers for segment in worker.segments)
        total = sum(segment.end - segment.begin for segment in segments) + len(odd.ts)

        def join(name: str) -> Column:
            column = np.empty(total, _COLUMNS[name])
            at = 0
            views = [_view(getattr(parser.native.calls, name), parser.size, _COLUMNS[name]) for parser in parsers]
            for segment in segments:
                part = views[segment.worker][segment.begin : segment.end]
                room = column[at : at + len(part)]
                if name in maps:
                    # All numbers are in the map; "raise", the default, would take a copy to find that out.
                    np.take(maps[name][segment.worker], part, out=room, mode="clip")
                else:
                    room[:] = part
                at += len(part)
            column[at:] = odd.column(name, maps)
            for parser in parsers:  # else all columns would be in memory twice
                lib.dc_column_free(ffi.cast("void **", ffi.addressof(parser.native.calls, name)))
            return column

        # Two at a time: most of it is the kernel's, which clears the memory.
        with ThreadPoolExecutor(2, thread_name_prefix="datacrumbs-join") as pool:
            columns = dict(zip(_COLUMNS, pool.map(join, _COLUMNS), strict=True))
        return _calls(columns, words)


def _calls(columns: dict[str, Column], words: dict[str, tuple[str, ...]]) -> Calls:
    functions = tuple(map(function_of, words["function"]))
    threads = tuple(map(thread_of, words["thread"]))
    return Calls(**columns, functions=functions, threads=threads, files=words["file"], keys=words["key"])


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
        words, maps = _merged([], self)
        columns = {name: np.ascontiguousarray(self.column(name, maps), kind) for name, kind in _COLUMNS.items()}
        return words, _calls(columns, words)


def _merged(parsers: Sequence[Parser], odd: Rows) -> tuple[dict[str, tuple[str, ...]], dict[str, list[Column]]]:
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
