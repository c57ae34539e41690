"""Asks opened traces for what the summary says beyond its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from datacrumbs.analysis import caused as elsewhere
from datacrumbs.analysis import findings, layers, patterns
from datacrumbs.analysis.columns import Column
from datacrumbs.analysis.findings import Finding
from datacrumbs.analysis.gather import Gathered
from datacrumbs.analysis.insight import Imbalance, Insight, Kinds, Overlap, Phase
from datacrumbs.analysis.summary import FunctionRow, Header, ProcessRow, Summary

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


def findings_of(traces: Gathered, summary: Summary) -> tuple[Finding, ...]:
    """What stands out in a summary, with the patterns of the files that took the most time."""
    rows = traces.database.execute(
        f"""
        SELECT file, any_value(path), sum(calls)::BIGINT FROM tally JOIN files ON files.id = file
        WHERE file <> 0 AND cat IN (SELECT unnest(?)) GROUP BY file ORDER BY sum(time) DESC LIMIT {_FILES}
        """,
        [list(summary.header.total_categories)],
    ).fetchall()
    before = [sum(calls for _, _, calls in rows[:number]) for number in range(len(rows))]
    chosen = [(file, path) for (file, path, _), sofar in zip(rows, before, strict=True) if sofar < _CALLS]
    files = [file for file, _ in chosen]
    moves = traces.moves(files, summary.header.total_categories)
    known = patterns.of_moves(lambda: moves, files)
    return tuple(findings.find(summary, {path: known[file] for file, path in chosen if file in known}))


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
    slices, numbers = (column[np.argsort(numbers, kind="stable")] for column in (slices, numbers))
    found: list[list[int]] = []
    until = -10
    for number, row in zip(numbers.tolist(), slices.tolist(), strict=True):
        values = dict(zip(slices.dtype.names, row, strict=True))
        if number > until + 2:
            found.append([values["first"], values["last"], 0, 0, 0, 0])
        until = max(until, number, values["last"] >> shift)
        phase = found[-1]
        phase[0], phase[1] = min(phase[0], values["first"]), max(phase[1], values["last"])
        phase[2] += values["calls"]
        phase[3] += (values["time_high"] << 32) + values["time_low"]
        moved = (values["moved_high"] << 32) + values["moved_low"]
        name = traces.functions[values["function"]].name
        phase[4] += moved if name in layers.READS else 0
        phase[5] += moved if name in layers.WRITES else 0
    return tuple(Phase(*phase) for phase in found)


def _overlap(traces: Gathered, busy: Busy) -> Overlap | None:
    region = both = 0
    regions = traces.busy(_REGIONS)
    if not regions:
        return None
    for process, spans in regions.items():
        region += int((spans[1] - spans[0]).sum())
        begin, end = busy.get(process, (np.empty(0, np.int64),) * 2)
        both += int((elsewhere.covered(*spans, end) - elsewhere.covered(*spans, begin)).sum())
    whole = sum(int((end - begin).sum()) for begin, end in busy.values())
    return Overlap(1000 * region, 1000 * whole, 1000 * both, both / whole if whole else 0.0)
