"""A part of the calls where it was read: its sums, and what is kept of every call for a second question.

A summary asks twice. The sums (partial.py) say which durations a median lies between and which files matter; then the
few calls that it is about are asked for, wherever they were read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
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
from datacrumbs.analysis.summing.pieces import KEPT, Moves, Piece, piece_of, piece_of_calls


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
                again.append({name: column[name][rows].astype(kind) for name, kind in KEPT.items()} | {"ts": ts})
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
        threads = np.arange(len(self.partial.words["thread"]), dtype=np.uint32)
        return [
            ((piece.source, piece.offset, piece.number), Moves(piece, kind_of, place_of, threads))
            for piece in self.pieces
        ]


def read(words: Mapping[str, tuple[str, ...]], sums: Sums, found: Sequence[Kept]) -> Part:
    """What a worker read (adding.py)."""
    return Part(Partial(words, sums), [piece_of(one, number) for number, one in enumerate(found)])


def part_of(calls: Calls, partial: Partial, source: int = 0) -> Part:
    """Calls that are in memory as a part."""
    return Part(partial, [piece_of_calls(calls, rows, source) for rows in chunks(len(calls))])


def words_of(calls: Calls) -> dict[str, tuple[str, ...]]:
    """What the numbers of calls stand for; threads stay numbers."""
    return {"function": tuple(map(function_word, calls.functions)), "file": calls.files}
