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
)
from datacrumbs.analysis.reading.lifetimes import Births, Lives
from datacrumbs.analysis.reading.room import Room
from datacrumbs.analysis.summing.adding import Kept
from datacrumbs.analysis.summing.partial import NOTHING, Partial, Sums, sums_of
from datacrumbs.analysis.summing.patterns import MOVES, Moves

_KEPT: Final = {"function": np.uint32, "thread": np.uint32, "file": np.uint32, "ts": np.int64, "dur": np.int64,
                "ns": np.int64, "ret": np.int64, "offset": np.int64}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """Calls of one stretch of a file, in its order; each column in the narrowest form that holds it.

    What is unknown of `ret` and `offset` is below all that is known (native/kept.h).
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
        columns = {
            name: {"at": ffi.from_buffer(column), "width": column.itemsize, "is_signed": column.dtype.kind == "i"}
            for name, column in self.columns.items()
        }
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
                column["thread"] = thread
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


def read(words: Mapping[str, tuple[str, ...]], sums: Sums, found: Sequence[Kept]) -> Part:
    """What a worker read (adding.py)."""
    pieces = [Piece(one.source, one.offset, number, _columns(one), one.native.base) for number, one in enumerate(found)]
    return Part(Partial(words, sums), pieces)


def _columns(kept: Kept) -> dict[str, Column]:
    """Its columns, which lie one behind another, each from a multiple of eight bytes on."""
    columns, at = {}, 0
    for name in _KEPT:
        column = getattr(kept.native, name)
        kind = np.dtype(f"{'i' if column.is_signed else 'u'}{column.width}")
        columns[name] = np.frombuffer(kept.block, kind, kept.native.size, at)
        at += -(-columns[name].nbytes // 8) * 8
    return columns


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
