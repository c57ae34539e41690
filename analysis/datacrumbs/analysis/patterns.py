"""How each file was read and written: in order, in strides or at random; in which sizes; and how often again.

A stream is what one thread did to one file. Where a call does not say where in the file it worked, as `read` does not,
its place follows from what the stream did since it opened the file or sought in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis.columns import NULL, Column, Function
from datacrumbs.analysis.trace import Traces

SMALL: Final = 4096
"""Bytes below which a call is small: less than a page."""
_READ, _WRITE, _SEEK, _OPEN = 1, 2, 3, 4
_SEEKS: Final = frozenset(["lseek", "lseek64", "llseek", "_llseek"])
_OPENS: Final = frozenset(["open", "open64", "openat", "openat2", "creat"])
_FARTHEST: Final = 1 << 44
"""Offsets are taken as at most this, 16 TiB, so that those of many files fit into one column."""


@dataclass(frozen=True, slots=True)
class FilePattern:
    """All calls that read from a file or wrote to it. Sizes and offsets are bytes."""

    reads: int
    writes: int
    sequential: int
    """Calls that began where the one before in the stream ended."""
    strided: int
    """Calls that were as far from the one before as that was from the one before it."""
    random: int
    """All other calls but the first of each stream."""
    common_size: int
    """The size that most calls moved."""
    common_share: float
    """Of the calls, 0 to 1."""
    small: int
    """Calls that moved less than `SMALL`."""
    placed: int
    """Calls of which it is known where in the file they worked."""
    aligned: int
    """Those of them that began at a multiple of `SMALL`."""
    extent: int
    """Where the farthest call ended."""
    again_bytes: int
    """Bytes that were read more than once, each time but the first."""

    @property
    def word(self) -> str:
        """What most calls are: "sequential", "strided", "random", else "mixed"; "single" if no stream has two calls."""
        steps = self.sequential + self.strided + self.random
        if not steps:
            return "single"
        for word, number in (("sequential", self.sequential), ("strided", self.strided), ("random", self.random)):
            if number >= 0.8 * steps:
                return word
        return "mixed"


class Moves(NamedTuple):
    """Calls that read, wrote, sought or opened some files and did not fail, in the order of the traces."""

    file: Column
    """An index into the list of files that are asked about."""
    thread: Column
    kind: Column
    """What `kinds` says of the function."""
    ts: Column
    ret: Column
    offset: Column
    """Below zero: the call does not say."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """Calls that moved bytes, by stream and in the order of their begins."""

    file: Column
    stream: Column
    kind: Column
    begin: Column
    size: Column
    placed: Column


def find(traces: Traces, files: Sequence[int], categories: Iterable[str]) -> dict[int, FilePattern]:
    """The patterns of some files.

    Args:
        traces: opened traces.
        files: rows of the table `files`.
        categories: those whose calls count, so that each byte counts once.
    """
    calls = traces.calls
    # Files that only profiles know have no calls of their own.
    files = [file for file in files if file < len(calls.files)]
    place_of = np.full(len(calls.files), -1, np.int64)
    place_of[files] = range(len(files))
    kind_of = np.array([*kinds(calls.functions, categories), 0], np.uint8)
    rows = np.flatnonzero((kind_of[calls.function] > 0) & (place_of[calls.file] >= 0) & (calls.ret >= 0))
    return of_moves(
        Moves(
            place_of[calls.file[rows]], calls.thread[rows], kind_of[calls.function[rows]], calls.ts[rows],
            calls.ret[rows], calls.offset[rows],
        ),
        files,
    )  # fmt: skip


def kinds(functions: Iterable[Function], categories: Iterable[str]) -> list[int]:
    """What the calls of each function do to a file; 0: nothing that matters here."""
    counted = frozenset(categories)
    return [_kind(one.name) if one.category in counted else 0 for one in functions]


def of_moves(moves: Moves, files: Sequence[int]) -> dict[int, FilePattern]:
    """The patterns of some files that the calls on them show."""
    if not len(moves.file):
        return {}
    rows = _rows(moves, len(files))
    if not len(rows.file):
        return {}
    number = len(files)
    of_kind = [np.bincount(rows.file[rows.kind == kind], minlength=number) for kind in (_READ, _WRITE)]
    steps = [np.bincount(rows.file[1:][mask], minlength=number) for mask in _steps(rows)]
    sizes, shares = _common(rows, number)
    extent = np.zeros(number, np.int64)
    np.maximum.at(extent, rows.file, rows.begin + rows.size)
    again = _again(rows, number)
    columns = [
        *of_kind, *steps, sizes, shares, np.bincount(rows.file[rows.size < SMALL], minlength=number),
        np.bincount(rows.file[rows.placed], minlength=number),
        np.bincount(rows.file[rows.placed & (rows.begin % SMALL == 0)], minlength=number), extent, again,
    ]  # fmt: skip
    values = zip(*(column.tolist() for column in columns), strict=True)
    found = {file: FilePattern(*row) for file, row in zip(files, values, strict=True)}
    return {file: pattern for file, pattern in found.items() if pattern.reads or pattern.writes}


def _rows(moves: Moves, files: int) -> _Rows:
    stream = moves.thread.astype(np.int64) * files + moves.file
    order = by_groups(stream)
    if np.any((stream[order][1:] == stream[order][:-1]) & (moves.ts[order][1:] < moves.ts[order][:-1])):
        order = np.lexsort((moves.ts, stream))
    file, stream, kind = moves.file[order], stream[order], moves.kind[order]
    size, offset = moves.ret[order].astype(np.int64), moves.offset[order].astype(np.int64)
    begin, placed = _places(stream, kind, size, offset)
    moved = (kind <= _WRITE) & (size > 0)
    return _Rows(file[moved], stream[moved], kind[moved], begin[moved], size[moved], placed[moved])


def by_groups(numbers: Column) -> Column:
    """An order that brings equal whole numbers together, those of one group in the order in which they are.

    16 bits at a time, since numpy sorts those in linear time.
    """
    low = numbers - numbers.min() if len(numbers) else numbers
    order = np.argsort((low & 0xFFFF).astype(np.uint16), kind="stable")
    most = int(low.max()) if len(low) else 0
    for shift in range(16, most.bit_length(), 16):
        order = order[np.argsort(((low >> shift) & 0xFFFF).astype(np.uint16)[order], kind="stable")]
    return order


def _kind(name: str) -> int:
    if name in layers.READS or name in layers.WRITES:
        return _READ if name in layers.READS else _WRITE
    return _SEEK if name in _SEEKS else _OPEN if name in _OPENS else 0


def _places(stream: Column, kind: Column, size: Column, offset: Column) -> tuple[Column, Column]:
    """Where each call began in its file, and whether that is known for sure."""
    said = (offset != NULL) & (offset >= 0) & (kind <= _WRITE)
    moves = np.where((kind <= _WRITE) & ~said, size, 0)
    starts = np.ones(len(stream), bool)
    starts[1:] = stream[1:] != stream[:-1]
    starts |= kind >= _SEEK
    at_start = np.maximum.accumulate(np.where(starts, np.arange(len(stream)), 0)) if len(stream) else starts
    before = np.cumsum(moves) - moves
    base = np.where(kind == _SEEK, size, 0)
    begin = np.where(said, offset, base[at_start] + before - before[at_start])
    return np.clip(begin, 0, _FARTHEST), said | (kind[at_start] >= _SEEK)


def _steps(rows: _Rows) -> tuple[Column, Column, Column]:
    """Of each call but the first: whether it followed the one before, kept its stride, or did neither."""
    same = rows.stream[1:] == rows.stream[:-1]
    step = rows.begin[1:] - rows.begin[:-1]
    sequential = same & (step == rows.size[:-1])
    strided = np.zeros(len(same), bool)
    strided[1:] = same[1:] & same[:-1] & (step[1:] == step[:-1])
    strided &= ~sequential
    return sequential, strided, same & ~sequential & ~strided


def _common(rows: _Rows, number: int) -> tuple[Column, Column]:
    """The most common size of each file's calls, and its share."""
    order = by_groups(rows.size)
    order = order[by_groups(rows.file[order])]
    file, size = rows.file[order], rows.size[order]
    first = np.ones(len(file), bool)
    first[1:] = (file[1:] != file[:-1]) | (size[1:] != size[:-1])
    begin = np.flatnonzero(first)
    length = np.diff(np.append(begin, len(file)))
    best = np.lexsort((-length, file[begin]))
    of_best = file[begin][best]
    top = best[np.flatnonzero(np.append(True, of_best[1:] != of_best[:-1]))]
    sizes, shares = np.zeros(number, np.int64), np.zeros(number)
    sizes[file[begin[top]]] = size[begin[top]]
    shares[file[begin[top]]] = length[top] / np.bincount(file, minlength=number)[file[begin[top]]]
    return sizes, shares


def _again(rows: _Rows, number: int) -> Column:
    """Bytes of each file that were read again: what was read, less what was read at least once."""
    reads = (rows.kind == _READ) & rows.placed
    file, size = rows.file[reads], rows.size[reads]
    begin = rows.begin[reads] + file.astype(np.int64) * (2 * _FARTHEST)
    order = np.argsort(begin, kind="stable")
    begin, end, file, size = begin[order], begin[order] + size[order], file[order], size[order]
    covered = np.maximum.accumulate(end)[:-1] if len(end) else end
    fresh = end.copy() - begin
    fresh[1:] = np.clip(end[1:] - np.maximum(begin[1:], covered), 0, None)
    sums = [np.bincount(file, weights=amount, minlength=number) for amount in (size, fresh)]
    again: Column = np.rint(sums[0] - sums[1]).astype(np.int64)
    return again
