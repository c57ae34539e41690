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
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, NamedTuple

import numpy as np
from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.core.errors import BusyError
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
_DICTIONARIES: Final = {"function": "functions", "thread": "threads", "file": "files", "key": "keys"}


class Function(NamedTuple):
    """What a call is a call of."""

    name: str
    category: str


class Thread(NamedTuple):
    """Who made a call. `host` is the hash of the host's name, or "#" and the number of the source."""

    host: str
    pid: int | None
    tid: int | None


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


class Parser:
    """Takes lines apart, for one worker; a context manager."""

    def __init__(self) -> None:
        self.native = lib.dc_parser_create()
        if self.native == ffi.NULL:
            raise _no_memory()
        self._rest = _uncleared("char[]", 1)
        self._busy = threading.Lock()

    def __enter__(self) -> Parser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Frees everything, when its worker is done with the lines at hand: an interrupt leaves workers behind."""
        with self._busy:
            lib.dc_parser_destroy(self.native)
            self.native = ffi.NULL

    @property
    def size(self) -> int:
        """Calls so far."""
        with self._busy:
            return int(self.native.calls.size) if self.native else 0

    def take(self, lines: Any, source: int) -> bytes:
        """Takes the calls of the plain form among whole lines, and returns the other lines.

        Args:
            lines: a buffer of lines, each with its end.
            source: the number of the file that they come from.

        Raises:
            BusyError: memory is short.
        """
        with self._busy:
            return self._take(lines, source) if self.native else b""

    def _take(self, lines: Any, source: int) -> bytes:
        text = ffi.from_buffer(lines)
        if len(self._rest) < len(text):
            self._rest = _uncleared("char[]", len(text))
        left = lib.dc_parser_take(self.native, text, len(text), f"#{source}".encode(), self._rest)
        if left < 0:
            raise _no_memory()
        return bytes(ffi.buffer(self._rest, left))


_uncleared: Final = ffi.new_allocator(should_clear_after_alloc=False)


class _Segment(NamedTuple):
    source: int
    offset: int
    parser: int
    begin: int
    end: int


@dataclass(slots=True)
class Collector:
    """Puts together what the workers took; a context manager that frees what is left."""

    parsers: list[Parser] = field(default_factory=list)
    _segments: list[_Segment] = field(default_factory=list)

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for parser in self.parsers:
            parser.close()

    def worker(self) -> tuple[int, Parser]:
        """A parser for one more worker, and its number."""
        parser = Parser()
        self.parsers.append(parser)
        return self.parsers.index(parser), parser

    def segment(self, source: int, offset: int, parser: int, begin: int) -> None:
        """The rows of a parser from `begin` on are of the file `source` from `offset` on."""
        self._segments.append(_Segment(source, offset, parser, begin, self.parsers[parser].size))

    def finish(self, odd: Rows) -> Calls:
        """All calls: those that were taken, in the order of the files, and behind them the odd ones."""
        words, maps = _merged(self.parsers, odd)
        segments = sorted(segment for segment in self._segments if segment.end > segment.begin)
        total = sum(segment.end - segment.begin for segment in segments) + len(odd.ts)
        columns = {}
        for name, kind in _COLUMNS.items():
            column = np.empty(total, kind)
            at = 0
            views = [_view(getattr(parser.native.calls, name), parser.size, kind) for parser in self.parsers]
            for segment in segments:
                part = views[segment.parser][segment.begin : segment.end]
                room = column[at : at + len(part)]
                if name in maps:
                    np.take(maps[name][segment.parser], part, out=room)
                else:
                    room[:] = part
                at += len(part)
            column[at:] = odd.column(name, maps)
            columns[name] = column
            for parser in self.parsers:  # else all columns would be in memory twice
                lib.dc_column_free(ffi.cast("void **", ffi.addressof(parser.native.calls, name)))
        functions = tuple(Function(*word.split(_BETWEEN, 1)) for word in words["function"])
        threads = tuple(_thread(word) for word in words["thread"])
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


def _merged(parsers: Sequence[Parser], odd: Rows) -> tuple[dict[str, tuple[str, ...]], dict[str, list[Column]]]:
    """One dictionary from all, and for each column and parser (and the odd rows at last) what its numbers become."""
    words: dict[str, tuple[str, ...]] = {}
    maps: dict[str, list[Column]] = {}
    for name, member in _DICTIONARIES.items():
        known: dict[str, int] = {"": 0} if name in ("file", "key") else {}
        lists = [_words(getattr(parser.native, member)) for parser in parsers]
        if name == "function":
            lists = [[word.replace("\n", _BETWEEN, 1) for word in one] for one in lists]
        lists.append(odd.texts[name])
        maps[name] = [
            np.fromiter((known.setdefault(word, len(known)) for word in one), np.uint32, len(one)) for one in lists
        ]
        words[name] = tuple(known)
    return words, maps


def _words(dictionary: Any) -> list[str]:
    text = ffi.buffer(dictionary.bytes, dictionary.size)[:].decode("latin-1")
    ends = _view(dictionary.ends, dictionary.count, np.uint64).tolist()
    return [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


_BETWEEN: Final = "\ud800"
"""Between a function's name and its category: half a surrogate, which no text that was read can hold."""


def function_word(function: Function) -> str:
    """A function as the dictionary of all has it."""
    return function.name + _BETWEEN + function.category


def thread_word(thread: Thread) -> str:
    """A thread as native/parse.c writes it into its dictionary."""
    ids = np.array([NO_ID if number is None else number for number in thread[1:]], np.int32)
    return ids.tobytes().decode("latin-1") + thread.host


def _thread(word: str) -> Thread:
    pid, tid = np.frombuffer(word[:8].encode("latin-1"), np.int32).tolist()
    return Thread(word[8:], None if pid == NO_ID else pid, None if tid == NO_ID else tid)


def view(pointer: Any, size: int, kind: Any) -> Column:
    """A C array as a column that does not own it."""
    return _view(pointer, size, kind)


def _view(pointer: Any, size: int, kind: Any) -> Column:
    if not size:
        return np.empty(0, kind)
    return np.frombuffer(ffi.buffer(pointer, size * np.dtype(kind).itemsize), kind)


def _no_memory() -> BusyError:
    return BusyError("not enough memory for so many events", "give fewer traces at once")


def chunks(total: int, size: int = 1 << 20) -> Iterator[slice]:
    """Slices that cover `total` rows, for work that should not double the memory."""
    for begin in range(0, total, size):
        yield slice(begin, min(begin + size, total))


def concatenated(parts: Iterable[Column], kind: Any) -> Column:
    """Columns one behind another; of `kind` where there is none."""
    listed = list(parts)
    return np.concatenate(listed) if listed else np.empty(0, kind)
