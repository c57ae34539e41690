"""How each file was read and written: in order, in strides or at random; in which sizes; and how often again.

A stream is what one thread did to one file. Where a call does not say where in the file it worked, as `read` does not,
its place follows from what the stream did since it opened the file or sought in it.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.reading.columns import Column, Function, chunks
from datacrumbs.analysis.reading.machine import processors, started_pool
from datacrumbs.analysis.reading.parser import no_memory
from datacrumbs.analysis.reading.trace import Traces

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


MOVES: Final = {"file": np.uint16, "thread": np.uint32, "kind": np.uint8, "ts": np.int64, "ret": np.int64,
                "offset": np.int64}  # fmt: skip
"""The columns of `Moves` as C has them."""


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

    def pieces() -> Iterator[Moves]:
        for some in chunks(len(calls)):
            kind, place, ret = kind_of[calls.function[some]], place_of[calls.file[some]], calls.ret[some]
            rows = np.flatnonzero((kind > 0) & (place >= 0) & (ret >= 0))
            columns = (place, calls.thread[some], kind, calls.ts[some], ret, calls.offset[some])
            yield Moves(*(column[rows] for column in columns))

    return of_moves(pieces, files)


def kinds(functions: Iterable[Function], categories: Iterable[str]) -> list[int]:
    """What the calls of each function do to a file; 0: nothing that matters here."""
    counted = frozenset(categories)
    return [_kind(one.name) if one.category in counted else 0 for one in functions]


def of_moves(pieces: Callable[[], Iterable[Moves]], files: Sequence[int]) -> dict[int, FilePattern]:
    """The patterns of some files that the calls on them show.

    Args:
        pieces: gives the calls, piece by piece in the order of the traces; it may be asked twice.
        files: what to call the files that `Moves.file` counts.

    Raises:
        BusyError: memory is short.
    """
    found = _find(pieces(), len(files))
    if found is None:  # a thread's calls are not in the order of their begins, which is rare
        whole = Moves(*(np.concatenate(columns) for columns in zip(*pieces(), strict=True)))
        order = np.lexsort((whole.ts, whole.file, whole.thread))
        found = _find([Moves(*(column[order] for column in whole))], len(files))
    return {file: one for file, one in zip(files, found or (), strict=True) if one.reads or one.writes}


def _find(pieces: Iterable[Moves], files: int) -> list[FilePattern] | None:
    """The pattern of each file; None where calls are in the wrong order."""
    shares = 1 << processors().bit_length() - 1
    patterns = [
        ffi.gc(lib.dc_patterns_create(files, share, shares), lib.dc_patterns_destroy) for share in range(shares)
    ]
    if ffi.NULL in patterns:
        raise no_memory()
    with started_pool(shares, "datacrumbs-shares") as pool:
        for moves in pieces:
            columns = {name: np.ascontiguousarray(column, MOVES[name]) for name, column in moves._asdict().items()}
            pointers = {name: ffi.from_buffer(f"{MOVES[name].__name__}_t *", columns[name]) for name in columns}
            native = ffi.new("struct dc_moves *", {"size": len(moves.file), **pointers})
            codes = set(pool.map(lib.dc_patterns_add, patterns, itertools.repeat(native)))
            if -errno.EILSEQ in codes:
                return None
            if codes != {0}:
                raise no_memory()
        if any(pool.map(lib.dc_patterns_finish, patterns)):
            raise no_memory()
    return [_pattern(patterns[number % shares].files[number]) for number in range(files)]


def _pattern(one: Any) -> FilePattern:
    return FilePattern(
        one.reads, one.writes, one.sequential, one.strided, one.random, one.common_size,
        one.common / max(1, one.reads + one.writes), one.small, one.placed, one.aligned, one.extent, one.again,
    )  # fmt: skip


def _kind(name: str) -> int:
    if name in layers.READS or name in layers.WRITES:
        return _READ if name in layers.READS else _WRITE
    return _SEEK if name in _SEEKS else _OPEN if name in _OPENS else 0
