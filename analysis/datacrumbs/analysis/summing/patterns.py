"""How each file was read and written: in order, in strides or at random; in which sizes; and how often again.

A stream is what one thread did to one file. Where a call does not say where in the file it worked, as `read` does not,
its place follows from what the stream did since it opened the file or sought in it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.reading.columns import Function, chunks
from datacrumbs.analysis.reading.machine import processors, started_pool
from datacrumbs.analysis.reading.parser import no_memory
from datacrumbs.analysis.reading.trace import Traces
from datacrumbs.analysis.summing.pieces import Moves, Piece, piece_of_calls

SMALL: Final = 4096
"""Bytes below which a call is small: less than a page."""
_READ, _WRITE, _SEEK, _OPEN = 1, 2, 3, 4
_SEEKS: Final = frozenset(["lseek", "lseek64", "llseek", "_llseek"])
_OPENS: Final = frozenset(["open", "open64", "openat", "openat2", "creat"])


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
    place_of = np.full(len(calls.files) + 1, -1, np.int64)
    place_of[files] = range(len(files))
    kind_of = np.array([*kinds(calls.functions, categories), 0], np.uint8)
    threads = np.arange(len(calls.threads), dtype=np.uint32)
    pieces = [Moves(piece_of_calls(calls, some), kind_of, place_of, threads) for some in chunks(len(calls))]
    return of_moves(pieces, files)


def kinds(functions: Iterable[Function], categories: Iterable[str]) -> list[int]:
    """What the calls of each function do to a file; 0: nothing that matters here."""
    counted = frozenset(categories)
    return [_kind(one.name) if one.category in counted else 0 for one in functions]


def of_moves(pieces: Sequence[Moves], files: Sequence[int]) -> dict[int, FilePattern]:
    """The patterns of some files that the calls on them show.

    Args:
        pieces: the calls, piece by piece in the order of the traces.
        files: what to call the files that `Moves.places` counts.

    Raises:
        BusyError: memory is short.
    """
    found = _find(pieces, len(files))
    if found is None:  # a thread's calls are not in the order of their begins, which is rare
        found = _find([_in_order(pieces, len(files))], len(files))
    return {file: one for file, one in zip(files, found or (), strict=True) if one.reads or one.writes}


def _find(pieces: Sequence[Moves], files: int) -> list[FilePattern] | None:
    """The pattern of each file; None where calls are in the wrong order."""
    shares = 1 << processors().bit_length() - 1
    made = (lib.dc_patterns_create(files, share, shares) for share in range(shares))
    patterns = [ffi.gc(one, lib.dc_patterns_destroy) for one in made]
    if ffi.NULL in patterns:
        raise no_memory()
    natives = [moves.native() for moves in pieces]

    def fill(patterns: Any) -> int:
        failures = filter(None, (lib.dc_patterns_add(patterns, native.moves) for native in natives))
        return int(next(failures, 0) or lib.dc_patterns_finish(patterns))

    with started_pool(shares, "datacrumbs-shares") as pool:
        codes = set(pool.map(fill, patterns))
    if -errno.EILSEQ in codes:
        return None
    if codes != {0}:
        raise no_memory()
    return [_pattern(patterns[number % shares].files[number]) for number in range(files)]


def _in_order(pieces: Iterable[Moves], files: int) -> Moves:
    """All calls that matter in one piece, in the order of their begins."""
    kept = [(moves, columns) for moves in pieces for columns in [moves.chosen().piece.columns]]
    columns = {
        "function": [moves.kinds[one["function"]] for moves, one in kept],
        "file": [moves.places[one["file"]] for moves, one in kept],
        "thread": [moves.threads[one["thread"]] for moves, one in kept],
        "ts": [moves.piece.base + one["ts"].astype(np.int64) for moves, one in kept],
        "ret": [one["ret"].astype(np.int64) for _, one in kept],
        "offset": [one["offset"].astype(np.int64) for _, one in kept],
    }
    whole = {name: np.concatenate(parts) for name, parts in columns.items()}
    piece = Piece(0, 0, 0, whole, 0).some(np.argsort(whole["ts"], kind="stable"))
    numbers = np.arange(1 + max(_OPEN, files, int(whole["thread"].max())))
    return Moves(piece, numbers.astype(np.uint8), numbers, numbers.astype(np.uint32))


def _pattern(one: Any) -> FilePattern:
    return FilePattern(
        one.reads, one.writes, one.sequential, one.strided, one.random, one.common_size,
        one.common / max(1, one.reads + one.writes), one.small, one.placed, one.aligned, one.extent, one.again,
    )  # fmt: skip


def _kind(name: str) -> int:
    if name in layers.READS or name in layers.WRITES:
        return _READ if name in layers.READS else _WRITE
    return _SEEK if name in _SEEKS else _OPEN if name in _OPENS else 0
