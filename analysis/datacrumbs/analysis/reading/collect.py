"""Puts the calls that many workers take together, in the order of the files.

While there is room they stay where native/parse.c put them until the end; what is beyond goes to the disk part by part,
and then so do the columns of all.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, NamedTuple

import numpy as np
from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.reading.columns import COLUMNS, ROW, Calls, Column, Rows, Worker, calls_of, merged, view
from datacrumbs.analysis.reading.machine import started_pool
from datacrumbs.analysis.reading.parser import Parser
from datacrumbs.analysis.reading.room import Room, Shelf

_AT_ONCE: Final = 1 << 17
"""Calls that are moved to the disk at once, at least."""


class _Segment(NamedTuple):
    """Calls of one stretch of a file, in its order: rows of the worker's parser, or of what it moved to the disk."""

    source: int
    offset: int
    worker: int
    number: int
    """Of the segments of this worker."""
    begin: int
    end: int
    moved: int
    """An index into what the worker moved to the disk; -1: it is in the parser."""


class _Keeper:
    """Keeps calls in its parser while there is room, then on the disk, and remembers which of them are from where."""

    def __init__(self, number: int, room: Room, shelves: Mapping[str, Shelf]) -> None:
        self.parser = Parser()
        self.segments: list[_Segment] = []
        self.moved: dict[str, list[Column]] = {name: [] for name in COLUMNS}
        self._number, self._begin = number, 0
        self._room, self._shelves = room, shelves

    def taken(self, source: int, offset: int) -> None:
        """Ends a part of it, if that is much."""
        if self.parser.size - self._begin >= _AT_ONCE:
            self.end_part(source, offset)

    def end_part(self, source: int, offset: int) -> None:
        """Calls since the last part's end are of this one."""
        with self.parser.held() as native:
            if native is None or native.calls.size == self._begin:
                return
            begin, end, moved = self._begin, int(native.calls.size), -1
            if self._room.take((end - begin) * ROW):
                self._begin = end
            else:
                moved = len(self.moved["ts"])
                for name, kind in COLUMNS.items():
                    column = view(getattr(native.calls, name), end, kind)[begin:]
                    self.moved[name].append(self._shelves[name].copy(column))
                native.calls.size, begin, end = begin, 0, end - begin
                if not native.calls.size:  # many files have many workers
                    lib.dc_calls_deinit(ffi.addressof(native, "calls"))
            self.segments.append(_Segment(source, offset, self._number, len(self.segments), begin, end, moved))

    def part(self, name: str, segment: _Segment) -> Column:
        """A column of a segment."""
        if segment.moved >= 0:
            return self.moved[name][segment.moved]
        calls = self.parser.native.calls
        return view(getattr(calls, name), calls.size, COLUMNS[name])[segment.begin : segment.end]

    def forget(self, name: str) -> None:
        """Frees a column."""
        self.moved[name].clear()
        lib.dc_column_free(ffi.cast("void **", ffi.addressof(self.parser.native.calls, name)))


@dataclass(slots=True)
class Collector:
    """A sink that puts together all that the workers took.

    Args:
        room: for all calls. What is beyond it goes to the disk as it is read, and then all of them.
    """

    room: Room
    _workers: list[_Keeper] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _shelves: dict[str, Shelf] = field(init=False)
    """One for each column, so that its space is free when it has been put together."""

    def __post_init__(self) -> None:
        self._shelves = {name: Shelf(self.room) for name in COLUMNS}

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self._workers:
            worker.parser.close()

    def worker(self) -> Worker:
        """One more worker."""
        with self._lock:
            self._workers.append(_Keeper(len(self._workers), self.room, self._shelves))
            return self._workers[-1]

    def finish(self, odd: Rows) -> Calls:
        """All calls: those that were taken, in the order of the files, and behind them the odd ones."""
        parsers = [worker.parser for worker in self._workers]
        words, maps = merged(parsers, odd)
        segments = sorted(segment for worker in self._workers for segment in worker.segments)
        total = sum(segment.end - segment.begin for segment in segments) + len(odd.ts)
        # What is in memory counts already: column by column it makes room for what is put together.
        kept = sum(segment.end - segment.begin for segment in segments if segment.moved < 0)
        on_disk = kept + len(odd.ts) < total or not self.room.take(len(odd.ts) * ROW)

        def join(name: str) -> Column:
            kind = np.dtype(COLUMNS[name])
            column = self.room.on_disk(total * kind.itemsize).view(kind) if on_disk else np.empty(total, kind)
            at = 0
            for segment in segments:
                part = self._workers[segment.worker].part(name, segment)
                room = column[at : at + len(part)]
                if name in maps:
                    # All numbers are in the map; "raise", the default, would take a copy to find that out.
                    np.take(maps[name][segment.worker], part, out=room, mode="clip")
                else:
                    room[:] = part
                at += len(part)
            column[at:] = odd.column(name, maps)
            del self._shelves[name]
            for worker in self._workers:  # else all columns would be there twice
                worker.forget(name)
            return column

        # Two at a time: most of it is the kernel's, which clears the memory.
        with started_pool(2, "datacrumbs-join") as pool:
            columns = dict(zip(COLUMNS, pool.map(join, COLUMNS), strict=True))
        if on_disk:
            self.room.give_back(kept * ROW)
        return calls_of(columns, words, self.room)
