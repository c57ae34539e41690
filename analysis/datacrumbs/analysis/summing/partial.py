"""Sums over a part of the calls, which add up to the sums of all: what a summary is made of.

native/reduce.c makes them; `merge` adds up those of several parts, in any order and in as many steps as one likes, and
always with the same result. So a trace need not fit into memory, and its parts may be on several machines
(cluster_sums.py).

    tally      function, thread, file: calls, errors, longest, first, last, time, moved
    slices     function, slice: calls that begin while ts >> shift == slice; at most 2048 from the first to the last, so
               they are shorter than 1/1024 of the time between these
    buckets    function, bucket: calls by the first bits of their durations
    lanes      thread, category: the time in which the thread was in calls of the category

Sums of nanoseconds and bytes are in two columns, of their upper and lower 32 bits, so that no trace makes them
run over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.reading.columns import Column
from datacrumbs.analysis.reading.parser import no_memory
from datacrumbs.analysis.reading.room import Room, Shelf
from datacrumbs.analysis.reading.spans import united
from datacrumbs.analysis.summing.reducer import Reducer, taken

_SUMS: Final = [("time_high", "<i8"), ("time_low", "<i8"), ("moved_high", "<i8"), ("moved_low", "<i8")]
_TALLY: Final = np.dtype([
    ("function", "<u4"), ("thread", "<u4"), ("file", "<u4"), ("zero", "<u4"), ("calls", "<i8"), ("errors", "<i8"),
    ("longest", "<i8"), ("first", "<i8"), ("last", "<i8"), *_SUMS,
])  # fmt: skip
_SLICES: Final = np.dtype(
    [("function", "<u8"), ("slice", "<i8"), ("calls", "<i8"), ("first", "<i8"), ("last", "<i8"), *_SUMS]
)
_BUCKETS: Final = np.dtype([("function", "<u8"), ("bucket", "<u8"), ("calls", "<i8")])


class Lane(NamedTuple):
    """When a thread was in calls of a category: spans in microseconds, which may overlap."""

    thread: int
    category: int
    begin: Column
    end: Column


@dataclass(frozen=True, slots=True)
class Sums:
    """All of it, with numbers in place of names."""

    tally: Any
    slices: Any
    shift: int
    buckets: Any
    lanes: tuple[Lane, ...]

    @property
    def events(self) -> int:
        """Calls."""
        return int(self.tally["calls"].sum())


@dataclass(frozen=True, slots=True)
class Partial:
    """Sums of a part, and what their numbers stand for: columns.py's words of functions, threads and files, and names
    of categories.
    """

    words: Mapping[str, tuple[str, ...]]
    sums: Sums


NOTHING: Final = Sums(np.empty(0, _TALLY), np.empty(0, _SLICES), 0, np.empty(0, _BUCKETS), ())
"""The sums of no calls."""


def sums_in(reducer: Reducer) -> Sums:
    """What was added up, which is taken out of the reducer: it is there once, and nobody asks the reducer again."""
    native = reducer.native
    lanes = (
        Lane(one.thread, one.category, np.frombuffer(one.begin, np.int64), np.frombuffer(one.end, np.int64))
        for one in reducer.times()
    )
    tally, slices = _rows(native.tallies, _TALLY), _rows(native.slices, _SLICES)
    return Sums(tally, slices, int(native.shift), _rows(native.buckets, _BUCKETS), tuple(lanes))


def sums_of(parts: Iterable[Mapping[str, Column]], categories: Sequence[int], room: Room) -> Sums:
    """The sums of calls that are in columns.

    Args:
        parts: the columns of calls (columns.py), some calls at a time.
        categories: a number for each function.
        room: for the spans of lanes.
    """
    kinds = {"ts": "int64_t *", "dur": "int64_t *", "ns": "int64_t *", "ret": "int64_t *", "function": "uint32_t *",
             "thread": "uint32_t *", "file": "uint32_t *"}  # fmt: skip
    reducer = Reducer(Shelf(room))
    for columns in parts:
        pointers = {name: ffi.from_buffer(kind, columns[name]) for name, kind in kinds.items()}
        calls = ffi.new("struct dc_calls *", {"size": len(columns["ts"]), **pointers})
        reducer.add(calls, categories)
    return sums_in(reducer)


def merge(partials: Sequence[Partial]) -> Partial:
    """The sums of all parts. Lanes stay those of the parts: their spans may overlap."""
    words: dict[str, tuple[str, ...]] = {}
    maps: list[dict[str, Column]] = [{} for _ in partials]
    for name in ("function", "thread", "file", "category"):
        known: dict[str, int] = {"": 0} if name == "file" else {}
        for partial, numbers in zip(partials, maps, strict=True):
            numbers[name] = translation(partial.words[name], known)
        words[name] = tuple(known)
    reducer = Reducer(Shelf(Room()))
    lanes: list[Lane] = []
    for partial, numbers in zip(partials, maps, strict=True):
        _join(reducer, partial.sums, numbers)
        for thread, category, *times in partial.sums.lanes:
            lanes.append(Lane(int(numbers["thread"][thread]), int(numbers["category"][category]), *times))
    return Partial(words, replace(sums_in(reducer), lanes=tuple(lanes)))


def _join(reducer: Reducer, sums: Sums, numbers: Mapping[str, Column]) -> None:
    tables = {"tallies": (sums.tally, "tally"), "slices": (sums.slices, "slice"), "buckets": (sums.buckets, "bucket")}
    rows = {name: ffi.from_buffer(f"struct dc_{kind}[]", table) for name, (table, kind) in tables.items()}
    counts = {f"{kind}_count": len(table) for table, kind in tables.values()}
    native = ffi.new("struct dc_sums *", {"shift": sums.shift, **rows, **counts})
    maps = (ffi.from_buffer("uint32_t[]", numbers[name]) for name in ("function", "thread", "file"))
    if lib.dc_reducer_join(reducer.native, native, *maps):
        raise no_memory()


def translation(words: Sequence[str], known: dict[str, int]) -> Column:
    """For each word its number among those that are known, to which new ones are added."""
    return np.fromiter((known.setdefault(word, len(known)) for word in words), np.uint32, len(words))


def with_few_lanes(partial: Partial, room: Room) -> Partial:
    """The same with one lane for each thread and category, which is less to send.

    Args:
        partial: sums of several parts.
        room: for the spans of lanes.
    """
    found: dict[tuple[int, int], list[tuple[Column, Column]]] = {}
    for lane in partial.sums.lanes:
        found.setdefault((lane.thread, lane.category), []).append((lane.begin, lane.end))
    lanes = (Lane(*key, *united(spans, room)) for key, spans in found.items())
    return replace(partial, sums=replace(partial.sums, lanes=tuple(lanes)))


def bounds(bucket: int) -> tuple[int, int]:
    """The durations of a bucket: from the first number up to below the second, nanoseconds (bucket_of in reduce.c)."""
    if bucket < 64:
        return bucket, bucket + 1
    power = (bucket >> 5) - 1
    return (32 + (bucket & 31)) << power, (33 + (bucket & 31)) << power


def _rows(table: Any, kind: Any) -> Any:
    if not table.count:
        return np.empty(0, kind)
    return np.frombuffer(taken(ffi.addressof(table, "rows"), table.count * kind.itemsize), kind)
