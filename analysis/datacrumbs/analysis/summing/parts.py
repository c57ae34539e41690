"""A part of the calls where it was read: its sums, and what is kept of every call for a second question.

A summary asks twice. The sums (partial.py) say which durations a median lies between and which files matter; then the
few calls that it is about are asked for, wherever they were read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.reading.columns import (
    Calls,
    Column,
    chunks,
    function_of,
    function_word,
    thread_of,
    thread_word,
    view,
)
from datacrumbs.analysis.reading.lifetimes import Births, Lives
from datacrumbs.analysis.reading.parser import Parser
from datacrumbs.analysis.reading.room import Room, Shelf
from datacrumbs.analysis.summing.partial import NOTHING, Partial, Reducer, sums_of
from datacrumbs.analysis.summing.patterns import MOVES, Moves

_KEPT: Final = {"function": np.uint32, "thread": np.uint32, "file": np.uint32, "ts": np.int64, "dur": np.int64,
                "ns": np.int64, "ret": np.int64, "offset": np.int64}  # fmt: skip
_NO_RET: Final = -4096
"""Below all that calls return as an error."""


_LEAST: Final = -(1 << 63)


@dataclass(frozen=True, slots=True)
class Piece:
    """Calls of one stretch of a file, in its order; each column in the narrowest form that holds it.

    Where they are unknown, `ret` is no more than `_NO_RET`, and `offset` below zero.
    """

    source: int
    offset: int
    number: int
    """Of the pieces with the same source and offset."""
    columns: Mapping[str, Column]
    base: int
    """What to add to `ts`."""

    def within(self, low: Column, high: Column) -> tuple[Column, Column]:
        """Functions and durations of calls that last from `low` up to below `high` nanoseconds, by function."""
        rows = np.empty(len(self.columns["ts"]), np.uint32)
        bounds = (ffi.from_buffer("int64_t[]", bound) for bound in (low, high))
        rows = rows[: lib.dc_kept_within(self._native(), *bounds, ffi.from_buffer("uint32_t[]", rows))]
        return self.columns["function"][rows].astype(np.uint32), self.columns["ns"][rows].astype(np.int64)

    def moves(self, kinds: Column, places: Column) -> Moves:
        """Calls that did something, by function, to files which have a place, and did not fail."""
        room = Moves(*(np.empty(len(self.columns["ts"]), kind) for kind in MOVES.values()))
        pointers = [
            ffi.from_buffer(f"{kind.__name__}_t[]", column) for kind, column in zip(MOVES.values(), room, strict=True)
        ]
        count = lib.dc_kept_moves(
            self._native(), ffi.from_buffer("uint8_t[]", kinds), ffi.from_buffer("int64_t[]", places),
            ffi.new("struct dc_moves_room *", pointers),
        )  # fmt: skip
        return Moves(*(column[:count].copy() for column in room))  # a slice would keep room for all calls

    def _native(self) -> Any:
        columns = {name: _native(column) for name, column in self.columns.items() if name != "dur"}
        return ffi.new("struct dc_kept *", {"size": len(self.columns["ts"]), "base": self.base, **columns})


@dataclass(frozen=True, slots=True)
class Part:
    """What one worker read."""

    partial: Partial
    pieces: Sequence[Piece]

    def without_sums(self) -> Part:
        """The same for one who has the sums and asks for single calls."""
        return Part(Partial(self.partial.words, NOTHING), self.pieces)

    def split(self, births: Births) -> Part:
        """The same with threads of their own for each life of a process id: such threads are added up again."""
        words = self.partial.words
        lives = Lives([thread_of(word) for word in words["thread"]], births)
        if not lives.several.any():
            return self
        pieces, again = [], []
        for piece in self.pieces:
            column = dict(piece.columns)
            rows = np.flatnonzero(lives.several[column["thread"]])
            if len(rows):
                thread, ts = column["thread"].astype(np.uint32), column["ts"][rows].astype(np.int64) + piece.base
                thread[rows] = lives.numbers(thread[rows], ts)
                column["thread"] = _narrow(thread)
                again.append({name: column[name][rows].astype(kind) for name, kind in _KEPT.items()} | {"ts": ts})
            pieces.append(replace(piece, columns=column))
        categories = [words["category"].index(function_of(word).category) for word in words["function"]]
        sums, anew = self.partial.sums, sums_of(again, categories, Room())
        tally = np.concatenate([sums.tally[~lives.several[sums.tally["thread"]]], anew.tally])
        lanes = *(lane for lane in sums.lanes if not lives.several[lane.thread]), *anew.lanes
        threads = tuple(map(thread_word, lives.threads))
        return Part(Partial({**words, "thread": threads}, replace(sums, tally=tally, lanes=lanes)), pieces)

    def within(self, wanted: Mapping[str, Sequence[tuple[int, int]]]) -> list[tuple[Column, Column]]:
        """Durations of calls between bounds.

        Args:
            wanted: for each function (as a word), bounds: from the first number up to below the second, nanoseconds.

        Returns:
            For each place in the lists of bounds: numbers of functions, and durations.
        """
        places = max((len(bounds) for bounds in wanted.values()), default=0)
        words = self.partial.words["function"]
        found = []
        for place in range(places):
            bounds = [wanted.get(word, ((0, 0),) * places)[place] for word in words]
            low, high = (np.array([pair[side] for pair in bounds] or [0], np.int64) for side in (0, 1))
            chosen = [piece.within(low, high) for piece in self.pieces]
            columns = zip(*chosen, strict=True) if chosen else ([np.empty(0, np.uint32)], [np.empty(0, np.int64)])
            found.append(tuple(np.concatenate(list(column)) for column in columns))
        return found  # type: ignore[return-value]

    def moves(self, files: Mapping[str, int], kinds: Mapping[str, int]) -> list[tuple[tuple[int, int, int], Moves]]:
        """Calls on some files, piece by piece, each with its place among all pieces.

        Args:
            files: the number of each file that is asked for, by its word.
            kinds: what functions do (patterns.kinds), by their words.
        """
        place_of = np.array([files.get(word, -1) for word in self.partial.words["file"]] or [-1], np.int64)
        kind_of = np.array([kinds.get(word, 0) for word in self.partial.words["function"]] or [0], np.uint8)
        return [((piece.source, piece.offset, piece.number), piece.moves(kind_of, place_of)) for piece in self.pieces]


class Adder:
    """Adds calls up as they come, and keeps of them what a second question may be about."""

    def __init__(self, shelf: Shelf) -> None:
        self._reducer, self._shelf = Reducer(shelf), shelf
        self._pieces: list[Piece] = []
        self._categories: dict[str, int] = {}
        self._category = np.empty(0, np.uint32)

    def add(self, parser: Parser, source: int, offset: int) -> None:
        """Adds up the calls that a parser took from a file's part, which begins at `offset`."""
        with parser.held() as native:
            if native is None or not native.calls.size:
                return
            if len(self._category) < native.functions.count:
                self._category = np.array([self._number(word) for word in parser.words("function")], np.uint32)
            calls = native.calls
            self._reducer.add(ffi.addressof(native, "calls"), self._category)
            columns = {name: view(getattr(calls, name), calls.size, kind) for name, kind in _KEPT.items()}
            self._pieces.append(piece(columns, source, offset, len(self._pieces), self._shelf))

    def _number(self, word: str) -> int:
        return self._categories.setdefault(function_of(word).category, len(self._categories))

    def part(self, parser: Parser) -> Part:
        """All of it, once: the sums here begin anew, so that they are not in memory twice."""
        words = {name: tuple(parser.words(name)) for name in ("function", "thread", "file")}
        sums, self._reducer = self._reducer.sums(), Reducer(self._shelf)
        return Part(Partial(words | {"category": tuple(self._categories)}, sums), self._pieces)


def piece(columns: Mapping[str, Column], source: int, offset: int, number: int, shelf: Shelf) -> Piece:
    """Keeps a copy of columns that somebody else owns."""
    base = int(columns["ts"].min())
    floors = {"ret": _NO_RET, "offset": -1}
    kept = {
        name: _narrow(column, base if name == "ts" else 0, floors.get(name, _LEAST)) for name, column in columns.items()
    }
    return Piece(source, offset, number, shelf.keep(kept), base)


def _narrow(column: Column, base: int = 0, floor: int = _LEAST) -> Column:
    native, bounds = ffi.new("struct dc_column *", _native(column)), ffi.new("int64_t[2]")
    lib.dc_column_bounds(native, len(column), floor, bounds)
    low, high = bounds[0] - base, bounds[1] - base
    kinds = (np.uint8, np.uint16, np.uint32) if low >= 0 else (np.int8, np.int16, np.int32)
    fits = (kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    narrow: Column = np.empty(len(column), next(fits, np.int64))
    lib.dc_column_copy(native, len(column), floor, base, ffi.from_buffer(narrow), narrow.itemsize)
    return narrow


def _native(column: Column) -> dict[str, Any]:
    return {"at": ffi.from_buffer(column), "width": column.itemsize, "is_signed": column.dtype.kind == "i"}


def part_of(calls: Calls, partial: Partial, source: int = 0) -> Part:
    """Calls that are in memory as a part."""
    return Part(
        partial,
        [
            Piece(source, rows.start, 0, {name: calls.columns[name][rows] for name in _KEPT}, 0)
            for rows in chunks(len(calls))
        ],
    )


def words_of(calls: Calls) -> dict[str, tuple[str, ...]]:
    """What the numbers of calls stand for; threads stay numbers."""
    return {"function": tuple(map(function_word, calls.functions)), "file": calls.files}
