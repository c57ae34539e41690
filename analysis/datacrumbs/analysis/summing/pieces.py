"""Calls of one stretch of a file as they are kept (native/kept.h), for questions that are asked when all is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.reading.columns import Calls, Column
from datacrumbs.analysis.summing.adding import Kept

KEPT: Final = {"function": np.uint32, "thread": np.uint32, "file": np.uint32, "ts": np.int64, "dur": np.int64,
               "ns": np.int64, "ret": np.int64, "offset": np.int64}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """Calls of one stretch of a file, in its order; each column in the narrowest form that holds it.

    What is unknown of `ret` and `offset` is below all that is known.
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
        rows = rows[: lib.dc_kept_within(self.native(), *bounds, ffi.from_buffer("uint32_t[]", rows))]
        return self.columns["function"][rows].astype(np.uint32), self.columns["ns"][rows].astype(np.int64)

    def some(self, rows: Column) -> Piece:
        """Some of the calls."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Piece(self.source, self.offset, self.number, columns, self.base)

    def native(self) -> Any:
        """A struct dc_kept, which is good as long as somebody has the piece."""
        columns = {
            name: {"at": ffi.from_buffer(column), "width": column.itemsize, "is_signed": column.dtype.kind == "i"}
            for name, column in self.columns.items()
        }
        return ffi.new("struct dc_kept *", {"size": len(self.columns["ts"]), "base": self.base, **columns})


class NativeMoves(NamedTuple):
    """A struct dc_moves, and the struct dc_kept that it points to."""

    moves: Any
    kept: Any


@dataclass(frozen=True, slots=True)
class Moves:
    """Calls, and which of them matter: those that read, wrote, sought or opened some files and did not fail."""

    piece: Piece
    kinds: Column
    """For each function what patterns.kinds says; uint8."""
    places: Column
    """For each file its number among those that are asked for, or -1; int64."""
    threads: Column
    """For each thread its number among those of all traces; uint32."""

    def native(self) -> NativeMoves:
        """The same for C, which is good as long as somebody has it and the moves."""
        kept = self.piece.native()
        maps = (("kinds", "uint8_t[]"), ("places", "int64_t[]"), ("threads", "uint32_t[]"))
        pointers = {name: ffi.from_buffer(kind, getattr(self, name)) for name, kind in maps}
        return NativeMoves(ffi.new("struct dc_moves *", {"kept": kept, **pointers}), kept)

    def chosen(self) -> Moves:
        """Those that matter alone."""
        columns = self.piece.columns
        matter = (self.kinds[columns["function"]] > 0) & (self.places[columns["file"]] >= 0) & (columns["ret"] >= 0)
        return replace(self, piece=self.piece.some(np.flatnonzero(matter)))

    def __reduce__(self) -> tuple[Any, ...]:
        """What goes to another machine is the calls that matter."""
        return Moves, (self.chosen().piece, self.kinds, self.places, self.threads)


def piece_of(kept: Kept, number: int) -> Piece:
    """A piece of what a worker kept, which is not copied: columns lie one behind another, each at a multiple of 8."""
    columns, at = {}, 0
    for name in KEPT:
        column = getattr(kept.native, name)
        kind = np.dtype(f"{'i' if column.is_signed else 'u'}{column.width}")
        columns[name] = np.frombuffer(kept.block, kind, kept.native.size, at)
        at += -(-columns[name].nbytes // 8) * 8
    return Piece(kept.source, kept.offset, number, columns, kept.native.base)


def piece_of_calls(calls: Calls, rows: slice, source: int = 0) -> Piece:
    """A piece of calls that are in memory."""
    return Piece(source, rows.start, 0, {name: calls.columns[name][rows] for name in KEPT}, 0)
