"""Sums over a part of the calls, which add up to the sums of all: what a summary is made of.

native/reduce.c makes them; `merge` adds up those of several parts, in any order and in as many steps as one likes, and
always with the same result. So a trace need not fit into memory, and its parts may be on several machines
(cluster_sums.py).

    tally      function, thread, file: calls, errors, longest, first, last, time, moved
    slices     function, slice: calls that begin while ts >> shift == slice
    buckets    function, bucket: calls by the first bits of their durations
    lanes      thread, category: the time in which the thread was in calls of the category

Sums of nanoseconds and bytes are in two columns, of their upper and lower 32 bits, so that no trace makes them
run over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.reading.columns import Column, view
from datacrumbs.analysis.reading.parser import no_memory
from datacrumbs.analysis.reading.room import Room, Shelf
from datacrumbs.analysis.reading.spans import united

_SUMS: Final = [("time_high", "<i8"), ("time_low", "<i8"), ("moved_high", "<i8"), ("moved_low", "<i8")]
_TALLY: Final = np.dtype([
    ("function", "<u4"), ("thread", "<u4"), ("file", "<u4"), ("zero", "<u4"), ("calls", "<i8"), ("errors", "<i8"),
    ("longest", "<i8"), ("first", "<i8"), ("last", "<i8"), *_SUMS,
])  # fmt: skip
_SLICES: Final = np.dtype(
    [("function", "<u8"), ("slice", "<i8"), ("calls", "<i8"), ("first", "<i8"), ("last", "<i8"), *_SUMS]
)
_BUCKETS: Final = np.dtype([("function", "<u8"), ("bucket", "<u8"), ("calls", "<i8")])
_ADDED: Final = ("calls", "errors", "time_high", "time_low", "moved_high", "moved_low")
SLICES: Final = 2048
"""Slices are at most so many, so they are shorter than 1/1024 of the time from the first to the last of them."""
_SPANS: Final = 1 << 22
"""Calls after which the spans of lanes are put on the shelf: each has one at most."""


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


class Reducer:
    """Adds up calls; frees what it holds when nobody has it any more.

    Args:
        shelf: where the spans of lanes are kept, which may be as many as calls.
    """

    def __init__(self, shelf: Shelf) -> None:
        made = lib.dc_reducer_create()
        if made == ffi.NULL:
            raise no_memory()
        self._native = ffi.gc(made, lib.dc_reducer_destroy)
        self._shelf = shelf
        self._lanes: list[Lane] = []
        self._calls = 0

    def add(self, calls: Any, categories: Column) -> None:
        """Adds calls in the form of C.

        Args:
            calls: a struct dc_calls.
            categories: a number for each function.

        Raises:
            BusyError: memory is short.
        """
        if lib.dc_reducer_add(self._native, calls, ffi.from_buffer("uint32_t *", categories)):
            raise no_memory()
        self._calls += calls.size
        if self._calls >= _SPANS:
            self._calls = 0
            self._lanes += [lane for lane in map(self._cut, self._each_lane()) if len(lane.begin)]

    def _each_lane(self) -> list[Any]:
        lanes = ffi.cast("struct dc_lane *", self._native.lanes.rows)
        return [lanes[number] for number in range(self._native.lanes.count)]

    def _cut(self, lane: Any) -> Lane:
        """What a lane has so far; it begins anew. Spans on both sides of the cut may overlap."""
        times = {name: view(getattr(lane, name), lane.count, np.int64).copy() for name in ("begin", "end")}
        lane.count = 0
        return Lane(int(lane.thread), int(lane.category), **self._shelf.keep(times))

    def sums(self) -> Sums:
        """What was added up, once: the spans of lanes are handed over."""
        return Sums(
            _rows(self._native.tallies, _TALLY), _rows(self._native.slices, _SLICES), int(self._native.shift),
            _rows(self._native.buckets, _BUCKETS),
            (*self._lanes, *(
                Lane(int(one.thread), int(one.category), _times(one, "begin"), _times(one, "end"))
                for one in self._each_lane()
            )),
        )  # fmt: skip


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
        reducer.add(calls, np.array([*categories, 0], np.uint32))
    return reducer.sums()


def merge(partials: Sequence[Partial], room: Room) -> Partial:
    """The sums of all parts.

    Args:
        partials: the parts.
        room: for the spans of lanes.
    """
    words: dict[str, tuple[str, ...]] = {}
    maps: list[dict[str, Column]] = [{} for _ in partials]
    for name in ("function", "thread", "file", "category"):
        known: dict[str, int] = {"": 0} if name == "file" else {}
        for partial, numbers in zip(partials, maps, strict=True):
            numbers[name] = translation(partial.words[name], known)
        words[name] = tuple(known)
    shift = max((partial.sums.shift for partial in partials), default=0)
    slices = _joined([_widened(partial.sums, shift) for partial in partials], maps, _SLICES)
    shift, slices = _fewer(shift, slices)
    tally = _joined([partial.sums.tally for partial in partials], maps, _TALLY)
    buckets = _joined([partial.sums.buckets for partial in partials], maps, _BUCKETS)
    sums = Sums(
        _added_up(tally, "function", "thread", "file"), slices, shift, _added_up(buckets, "function", "bucket"),
        tuple(_lanes(partials, maps, room)),
    )  # fmt: skip
    return Partial(words, sums)


def translation(words: Sequence[str], known: dict[str, int]) -> Column:
    """For each word its number among those that are known, to which new ones are added."""
    return np.fromiter((known.setdefault(word, len(known)) for word in words), np.uint32, len(words))


def _lanes(partials: Sequence[Partial], maps: Sequence[Mapping[str, Column]], room: Room) -> Iterable[Lane]:
    found: dict[tuple[int, int], list[Lane]] = {}
    for partial, numbers in zip(partials, maps, strict=True):
        for lane in partial.sums.lanes:
            key = int(numbers["thread"][lane.thread]), int(numbers["category"][lane.category])
            found.setdefault(key, []).append(lane)
    for (thread, category), lanes in found.items():
        several = len(lanes) > 1
        yield Lane(thread, category, *(united([lane[2:] for lane in lanes], room) if several else lanes[0][2:]))


def _joined(parts: Sequence[Any], maps: Sequence[Mapping[str, Column]], kind: Any) -> Any:
    """Rows of several parts with the numbers of all."""
    joined = np.concatenate([np.empty(0, kind), *parts])
    at = 0
    for part, numbers in zip(parts, maps, strict=True):
        rows = joined[at : at + len(part)]
        for name in set(kind.names) & numbers.keys():
            rows[name] = numbers[name][part[name]]
        at += len(part)
    return joined


def _widened(sums: Sums, shift: int) -> Any:
    slices = sums.slices.copy()
    slices["slice"] >>= shift - sums.shift
    return slices


def _fewer(shift: int, slices: Any) -> tuple[int, Any]:
    """Makes slices so long that they are few again."""
    if len(slices):
        first, last = int(slices["slice"].min()), int(slices["slice"].max())
        while last - first >= SLICES:
            first, last, shift = first >> 1, last >> 1, shift + 1
            slices["slice"] >>= 1
    return shift, _added_up(slices, "function", "slice")


def _added_up(rows: Any, *keys: str) -> Any:
    """One row for each combination of keys."""
    if not len(rows):
        return rows
    order, new = _grouped([rows[key] for key in keys])
    if new.all():
        return rows
    starts = np.flatnonzero(new)
    # Rows are taken as words: numpy copies structures field by field.
    words = rows.view(np.int64).reshape(len(rows), -1).take(order, axis=0)
    rows, sums = words.view(rows.dtype)[:, 0], words[starts].view(rows.dtype)[:, 0]
    for name in set(rows.dtype.names) - set(keys):
        how = np.add if name in _ADDED else np.minimum if name == "first" else np.maximum
        sums[name] = how.reduceat(rows[name], starts)
    return sums


def _grouped(keys: Sequence[Column]) -> tuple[Column, Column]:
    """An order that brings equal combinations of keys together, and where in it a combination is a new one."""
    ranges = [int(key.max()) + 1 for key in keys]
    if min(int(key.min()) for key in keys) < 0 or math.prod(ranges) >= 1 << 63:
        order = np.lexsort(keys)
        return order, np.append(True, np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0))
    one = keys[0].astype(np.int64)  # one number is sorted much faster than several
    for key, size in zip(keys[1:], ranges[1:], strict=True):
        one = one * size + key.astype(np.int64)
    order = np.argsort(one)
    return order, np.append(True, one[order][1:] != one[order][:-1])


def bounds(bucket: int) -> tuple[int, int]:
    """The durations of a bucket: from the first number up to below the second, nanoseconds (bucket_of in reduce.c)."""
    if bucket < 64:
        return bucket, bucket + 1
    power = (bucket >> 5) - 1
    return (32 + (bucket & 31)) << power, (33 + (bucket & 31)) << power


def _rows(table: Any, kind: Any) -> Any:
    if not table.count:
        return np.empty(0, kind)
    return np.frombuffer(ffi.buffer(table.rows, table.count * kind.itemsize), kind).copy()


def _times(lane: Any, name: str) -> Column:
    """A column of a lane, which is the caller's from now on: there are many, and a copy would be in memory twice."""
    pointer = ffi.gc(getattr(lane, name), lib.dc_times_free)
    setattr(lane, name, ffi.NULL)
    return np.frombuffer(ffi.buffer(pointer, 8 * lane.count), np.int64)
