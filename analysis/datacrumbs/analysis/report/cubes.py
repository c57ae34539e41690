"""What happened in each slice of time: five tables of sums that the browser adds up for any selection.

    cells      bin, proc, fn          calls, failed, time, got, put
    files      bin, file              the same
    latency    bin, fn, bucket        calls
    tree       bin, node              calls, own
    sizes      bin, written, size     calls      of calls that move bytes and that the totals count

Files and sizes are of the calls that the totals count. Files beyond the first have one row for each place that they lie
at. A size is a power of two, and besides, of the sizes that are met most, that very size. A call counts in the slice in
which it begins; its time is spread over all slices that it lies in. All have the same slices, as many as fit the
budgets: two neighbours become one until they do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from datacrumbs.analysis.reading.columns import Column, chunks
from datacrumbs.analysis.report.numbers import Numbers, Part, Profiled
from datacrumbs.analysis.report.packing import pack, pack_sorted
from datacrumbs.analysis.report.waits import Waits

FINEST: Final = 480
"""Slices at most: five pixels each on the widest screen."""
COARSEST: Final = 60
"""Slices that must remain; beyond that, processes, functions and files with little time are put together."""
FILES: Final = 150
"""Files that have slices of their own."""
BUCKETS_PER_OCTAVE: Final = 4
"""A duration's bucket: its limits are a factor of 2^(1/4) apart, so that a percentile is right within 9 %."""
_BUCKETS: Final = 256
COMMON: Final = 12
"""Sizes of reads and writes that are counted each for itself."""
_POWERS: Final = 64
_SAMPLE: Final = 1 << 20
"""Calls that are looked at to find the most common sizes."""
_SUMS: Final = ("calls", "failed", "time", "read", "written")
_AT_ONCE: Final = 1 << 21
"""Slices that long calls lie in, looked at together."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The slices: `bins` of them, each `width_us` microseconds long; in `busiest` the most calls begin."""

    bins: int
    width_us: int
    busiest: int


@dataclass(frozen=True, slots=True)
class Cubes:
    """The grid, and the tables in the form that the browser reads."""

    grid: Grid
    cells: dict[str, Any]
    files: dict[str, Any]
    latency: dict[str, Any]
    tree: dict[str, Any]
    sizes: dict[str, Any]


class _Cube:
    """Sums for each slice and each of `keys` keys; `columns` of them."""

    def __init__(self, bins: int, keys: int, columns: tuple[str, ...]) -> None:
        self.bins, self.keys = bins, keys
        self.sums = {name: np.zeros(bins * keys) for name in columns}

    def add(self, name: str, place: Column, amount: Column | None = None) -> None:
        """Adds amounts (default: one each) at places, which are `bin * keys + key`."""
        if len(place):
            self.sums[name] += np.bincount(place, weights=amount, minlength=self.bins * self.keys)

    def halve(self) -> None:
        """Puts two neighbouring slices together."""
        bins = (self.bins + 1) // 2
        for name, column in self.sums.items():
            padded = np.concatenate([column, np.zeros((2 * bins - self.bins) * self.keys)])
            self.sums[name] = padded.reshape(bins, 2, self.keys).sum(axis=1).ravel()
        self.bins = bins

    @property
    def used(self) -> Column:
        """The places that hold anything."""
        return np.flatnonzero(np.logical_or.reduce([column > 0 for column in self.sums.values()]))

    def packed(self, most: int, order: str) -> dict[str, Any]:
        """The table; beyond `most` rows those with the least of `order` are left out: each is a sliver."""
        used = self.used
        if len(used) > most:
            amounts = self.sums[order][used]
            used = np.sort(used[np.argpartition(amounts, len(used) - most)[len(used) - most :]])
        columns = {name: pack(np.floor(column[used])) for name, column in self.sums.items()}
        return {"rows": len(used), "key": pack_sorted(used)} | columns


def slice_up(numbers: Numbers, budget: int, counted: list[int], place_of: Sequence[int | None]) -> Cubes:
    """Makes the tables.

    Args:
        numbers: all calls in numbers.
        budget: rows that each table may have; they take about 14, 14 and 4 bytes each.
        counted: the functions that the totals count.
        place_of: for each file that has a number, where it lies: a number from 0.
    """
    codes = numbers.codes
    width = max(1, -(-(codes.span_us + 1) // FINEST))
    bins = -(-(codes.span_us + 1) // width)
    functions, processes, nodes = (max(1, len(c)) for c in (codes.functions, codes.processes, codes.tree_parent))
    file_rows = FILES + max((place + 1 for place in place_of if place is not None), default=0)
    cells, files = _Cube(bins, processes * functions, _SUMS), _Cube(bins, file_rows, _SUMS)
    latency, tree = _Cube(bins, functions * _BUCKETS, ("calls",)), _Cube(bins, nodes, ("calls", "own"))
    is_counted = np.zeros(functions, bool)
    is_counted[counted] = True
    common = _common_sizes(numbers, is_counted)
    sizes = _Cube(bins, 2 * (_POWERS + len(common)), ("calls",))
    row_of = _rows_of_files(place_of)
    for part in numbers.everything():
        first = np.minimum(part.began // width, bins - 1)
        file_row = np.where(is_counted[part.fn], row_of[part.file], -1)
        _add_begins(part, first, functions, file_row, cells, files, tree)
        for bin_, rows, share in spread(part, first, width, bins):
            with_file = file_row[rows] >= 0
            time = np.floor(part.ns[rows] * share)
            cells.add("time", (bin_ * processes + part.proc[rows]) * functions + part.fn[rows], time)
            files.add("time", (bin_ * file_rows + file_row[rows])[with_file], time[with_file])
            tree.add("own", bin_ * nodes + part.node[rows], np.floor(part.own[rows] * share))
        if isinstance(part, Profiled):
            rows, power, number = part.spread
            bucket = BUCKETS_PER_OCTAVE * power + BUCKETS_PER_OCTAVE // 2
            latency.add("calls", (first[rows] * functions + part.fn[rows]) * _BUCKETS + bucket, number)
        else:
            bucket = np.floor(BUCKETS_PER_OCTAVE * np.log2(np.maximum(part.ns, 1))).astype(np.int64)
            latency.add("calls", (first * functions + part.fn) * _BUCKETS + bucket)
            _add_sizes(part, first, is_counted, common, sizes)
    if numbers.waits:
        _add_waits(numbers, numbers.waits, width, tree)
    by_bin = cells.sums["calls"].reshape(bins, -1).sum(axis=1)
    busiest = int(np.argmax(by_bin)) * width + width // 2
    cubes = (cells, files, latency, tree)
    while cells.bins > COARSEST and max(len(cube.used) for cube in cubes) > budget:
        width *= 2
        for cube in (*cubes, sizes):
            cube.halve()
    most = 2 * budget
    return Cubes(
        Grid(cells.bins, width, busiest), cells.packed(most, "time"),
        files.packed(most, "time") | {"files": FILES, "rows_of_a_slice": file_rows},
        latency.packed(most, "calls") | {"per_octave": BUCKETS_PER_OCTAVE},
        tree.packed(most, "own") | {"nodes": nodes},
        sizes.packed(most, "calls") | {"powers": _POWERS, "common": common.tolist()},
    )  # fmt: skip


def _add_begins(
    part: Part | Profiled, first: Column, functions: int, file_row: Column, cells: _Cube, files: _Cube, tree: _Cube
) -> None:
    """What counts where a call begins: all but its time."""
    of_cell = (first * (cells.keys // functions) + part.proc) * functions + part.fn
    of_file = first * files.keys + file_row
    calls = part.calls if isinstance(part, Profiled) else np.ones(len(first))
    tree.add("calls", first * tree.keys + part.node, calls)
    with_file = file_row >= 0
    for name, amount in (("calls", calls), ("failed", part.failed), ("read", part.got), ("written", part.put)):
        some = np.flatnonzero(amount)
        cells.add(name, of_cell[some], amount[some])
        some = some[with_file[some]]
        files.add(name, of_file[some], amount[some])


def spread(part: Part | Profiled, first: Column, width: int, bins: int) -> Iterator[tuple[Column, Any, Column]]:
    """The slices that calls lie in: each with the rows of the calls, and the share of their time in it."""
    last = np.minimum((part.began + part.dur) // width, bins - 1)
    long = np.flatnonzero(last > first)
    share = np.ones(len(first))
    share[long] = ((first[long] + 1) * width - part.began[long]) / part.dur[long]
    yield first, slice(None), share
    slices = (last - first)[long]
    ends = np.cumsum(slices)
    begin = 0
    while begin < len(long):
        end = max(begin + 1, int(np.searchsorted(ends, ends[begin] - slices[begin] + _AT_ONCE, side="right")))
        rows = np.repeat(long[begin:end], slices[begin:end])
        inside = np.arange(len(rows)) - np.repeat(ends[begin:end] - slices[begin:end] - ends[begin] + slices[begin],
                                                  slices[begin:end])  # fmt: skip
        bin_ = first[rows] + 1 + inside
        low = bin_ * width
        yield bin_, rows, (np.minimum(part.began[rows] + part.dur[rows], low + width) - low) / part.dur[rows]
        begin = end


def _add_waits(numbers: Numbers, waits: Waits, width: int, tree: _Cube) -> None:
    """Time in which calls waited for what the kernel did elsewhere, spread over the slices that the calls lie in."""
    for some in chunks(len(waits.rows)):
        part, node, ns = numbers.some(waits.rows[some]), waits.node[some], waits.ns[some]
        first = np.minimum(part.began // width, tree.bins - 1)
        for bin_, rows, share in spread(part, first, width, tree.bins):
            tree.add("own", bin_ * tree.keys + node[rows], np.floor(ns[rows] * share))


def _rows_of_files(place_of: Sequence[int | None]) -> Column:
    """For each file's number, and that of all others, its row of a slice; -1: none."""
    rows = [file if file < FILES else -1 if place is None else FILES + place for file, place in enumerate(place_of)]
    return np.array([*rows, -1], np.int64)


def _common_sizes(numbers: Numbers, is_counted: Column) -> Column:
    """The sizes that most reads and writes moved, as far as a sample tells, in rising order."""
    total = len(numbers.calls)
    rows = np.arange(total)
    if total > _SAMPLE:
        rows = np.sort(np.random.default_rng(0).choice(total, _SAMPLE, replace=False))
    part = numbers.some(rows)
    moved = (part.got + part.put)[is_counted[part.fn]]
    sizes, calls = np.unique(moved[moved > 0], return_counts=True)
    return np.sort(sizes[np.argsort(-calls, kind="stable")[:COMMON]])


def _add_sizes(part: Part, first: Column, is_counted: Column, common: Column, sizes: _Cube) -> None:
    """Bytes of the calls that the totals count: by powers of two, and of the most common sizes each for itself."""
    moved = part.got + part.put
    some = np.flatnonzero((moved > 0) & is_counted[part.fn])
    row = first[some] * sizes.keys + np.where(part.put[some] > 0, sizes.keys // 2, 0)
    sizes.add("calls", row + np.floor(np.log2(moved[some])).astype(np.int64))
    place = np.searchsorted(common, moved[some])
    known = np.flatnonzero(common[np.minimum(place, len(common) - 1)] == moved[some]) if len(common) else place[:0]
    sizes.add("calls", row[known] + _POWERS + place[known])
