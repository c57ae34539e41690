"""Asks opened traces for what the summary says beyond its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final

import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis.reading.columns import Column
from datacrumbs.analysis.reading.spans import covered
from datacrumbs.analysis.summing import patterns
from datacrumbs.analysis.summing.gather import Gathered
from datacrumbs.analysis.summing.groups import Groups, joined
from datacrumbs.analysis.summing.insight import Imbalance, Insight, Kinds, Overlap, Phase
from datacrumbs.analysis.summing.patterns import FilePattern
from datacrumbs.analysis.summing.summary import FunctionRow, Header, ProcessRow

Spans = tuple[Column, Column]
"""Begins and ends in microseconds since 1970, sorted; they do not overlap."""
Busy = Mapping[int, Spans]
"""By process, a number in the table `threads`."""

_SLICES: Final = 200
_FILES: Final = 500
"""Files whose patterns are looked at, at most."""
_CALLS: Final = 2_000_000
"""Calls of such files, beyond which no further file is looked at: a summary is asked for often, and shall be fast."""
_DATA: Final = layers.READS | layers.WRITES | layers.COPIES
_REGIONS: Final = ("region", "compute", "COMPUTE")


def gain(
    traces: Gathered, header: Header, functions: Sequence[FunctionRow], processes: Sequence[ProcessRow], busy: Busy
) -> Insight:
    """All of it. `busy` has for each process when it was in calls of the totals."""
    chosen = frozenset(header.total_categories)
    kinds = _kinds([row for row in functions if row.category in chosen])
    imbalance = _imbalance(processes)
    return Insight(kinds, imbalance, _phases(traces, header), _overlap(traces, busy))


def patterns_of(traces: Gathered) -> dict[str, FilePattern]:
    """The patterns of the files that took the most time, by path.

    What a summary makes is not needed, so that both can be made at once.
    """
    present = (function.category for function in traces.tally.functions)
    categories = layers.totals(present, from_kernel=bool(traces.catalog.runs))
    counted = traces.tally.of(categories)
    by_file = Groups(counted.columns["file"])
    times = by_file.wide_sums(counted.columns["time_high"], counted.columns["time_low"])
    calls = dict(zip(by_file.numbers, by_file.sums(counted.columns["calls"]), strict=True))
    ranked = sorted(zip(times, by_file.numbers, strict=True), key=lambda pair: -pair[0])
    files = [file for _, file in ranked if file][:_FILES]
    before = accumulate((calls[file] for file in files), initial=0)
    files = [file for file, sofar in zip(files, before, strict=False) if sofar < _CALLS]
    known = patterns.of_moves(traces.moves(files, sorted(categories)), files)
    return {counted.paths[file]: known[file] for file in files if file in known}


def _kinds(rows: Sequence[FunctionRow]) -> Kinds:
    data = sum(row.time_ns for row in rows if row.function in _DATA)
    metadata = sum(row.time_ns for row in rows if row.function in layers.METADATA)
    sync = sum(row.time_ns for row in rows if row.function in layers.SYNCS)
    whole = sum(row.time_ns for row in rows)
    return Kinds(data, metadata, sync, whole - data - metadata - sync, metadata / whole if whole else 0.0)


def _imbalance(rows: Sequence[ProcessRow]) -> Imbalance | None:
    if not rows:
        return None
    top = max(rows, key=lambda row: row.busy_ns)
    mean = sum(row.busy_ns for row in rows) / len(rows)
    moved = [row.bytes_read + row.bytes_written for row in rows]
    bytes_ratio = max(moved) * len(rows) / sum(moved) if sum(moved) else 1.0
    ratio = top.busy_ns / mean if mean else 1.0
    return Imbalance(len(rows), round(mean), top.busy_ns, *top.key, ratio, bytes_ratio)


def _phases(traces: Gathered, header: Header) -> tuple[Phase, ...]:
    """Slices in which a call begins or runs on, joined where they touch or leave one slice between them."""
    counted = frozenset(header.total_categories)
    functions = [function if function.category in counted else None for function in traces.functions]
    slices = traces.sums.slices
    slices = slices[np.array([*(one is not None for one in functions), False])[slices["function"]]]
    if not header.calls or not len(slices):
        return ()
    # A power of two, so that the slices of any part of the trace fit into those of the whole (partial.py).
    shift = max(traces.sums.shift, (header.wall_ns // 1000 // _SLICES).bit_length() - 1)
    numbers = slices["slice"] >> (shift - traces.sums.shift)
    order = np.argsort(numbers, kind="stable")
    slices, numbers = slices[order], numbers[order]
    until = np.maximum.accumulate(np.maximum(numbers, slices["last"] >> shift))
    starts = np.flatnonzero(np.append(True, numbers[1:] > until[:-1] + 2))

    def summed(high: Column, low: Column) -> list[int]:
        return joined(*(np.add.reduceat(column, starts).tolist() for column in (high, low)))

    def moved(names: frozenset[str]) -> list[int]:
        counts = np.array([function.name in names for function in traces.functions])[slices["function"]]
        return summed(slices["moved_high"] * counts, slices["moved_low"] * counts)

    return tuple(
        map(
            Phase,
            np.minimum.reduceat(slices["first"], starts).tolist(),
            np.maximum.reduceat(slices["last"], starts).tolist(),
            np.add.reduceat(slices["calls"], starts).tolist(),
            summed(slices["time_high"], slices["time_low"]),
            moved(layers.READS),
            moved(layers.WRITES),
        )
    )


def _overlap(traces: Gathered, busy: Busy) -> Overlap | None:
    region = both = 0
    regions = traces.busy(_REGIONS)
    if not regions:
        return None
    for process, spans in regions.items():
        region += int((spans[1] - spans[0]).sum())
        begin, end = busy.get(process, (np.empty(0, np.int64),) * 2)
        both += int((covered(*spans, end) - covered(*spans, begin)).sum())
    whole = sum(int((end - begin).sum()) for begin, end in busy.values())
    return Overlap(1000 * region, 1000 * whole, 1000 * both, both / whole if whole else 0.0)
