"""Asks opened traces for what the summary says beyond its tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from datacrumbs.analysis import caused as elsewhere
from datacrumbs.analysis import findings, layers, patterns
from datacrumbs.analysis.findings import Finding
from datacrumbs.analysis.insight import Imbalance, Insight, Kinds, Overlap, Phase
from datacrumbs.analysis.summary import FunctionRow, Header, ProcessRow, Summary
from datacrumbs.analysis.trace import Traces

_SLICES: Final = 200
_FILES: Final = 500
"""Files whose patterns are looked at, at most."""
_CALLS: Final = 2_000_000
"""Calls of such files, beyond which no further file is looked at: a summary is asked for often, and shall be fast."""
_DATA: Final = layers.READS | layers.WRITES | layers.COPIES
_REGIONS: Final = ("region", "compute", "COMPUTE")


def gain(traces: Traces, header: Header, functions: Sequence[FunctionRow], processes: Sequence[ProcessRow]) -> Insight:
    """All of it; `summarise` has made the tables `tally` and `busy`."""
    chosen = frozenset(header.total_categories)
    kinds = _kinds([row for row in functions if row.category in chosen])
    imbalance = _imbalance(processes)
    return Insight(kinds, imbalance, _phases(traces, header), _overlap(traces))


def findings_of(traces: Traces, summary: Summary) -> tuple[Finding, ...]:
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
    known = patterns.find(traces, [file for file, _ in chosen], summary.header.total_categories)
    return tuple(findings.find(summary, {path: known[file] for file, path in chosen if file in known}))


def _kinds(rows: Sequence[FunctionRow]) -> Kinds:
    data = sum(row.time_ns for row in rows if row.function in _DATA)
    sync = sum(row.time_ns for row in rows if row.function in layers.SYNCS)
    whole = sum(row.time_ns for row in rows)
    rest = whole - data - sync
    return Kinds(data, rest, sync, rest / whole if whole else 0.0)


def _imbalance(rows: Sequence[ProcessRow]) -> Imbalance | None:
    if not rows:
        return None
    top = max(rows, key=lambda row: row.busy_ns)
    mean = sum(row.busy_ns for row in rows) / len(rows)
    moved = [row.bytes_read + row.bytes_written for row in rows]
    bytes_ratio = max(moved) * len(rows) / sum(moved) if sum(moved) else 1.0
    ratio = top.busy_ns / mean if mean else 1.0
    return Imbalance(len(rows), round(mean), top.busy_ns, top.host, top.pid, ratio, bytes_ratio)


def _phases(traces: Traces, header: Header) -> tuple[Phase, ...]:
    """Slices in which a call begins or runs on, joined where they touch or leave one slice between them."""
    if not header.calls:
        return ()
    width = max(1, header.wall_ns // 1000 // _SLICES + 1)
    words = [", ".join(f"'{name}'" for name in sorted(names)) for names in (layers.READS, layers.WRITES)]
    rows = traces.database.execute(
        f"""
        SELECT
            (ts - $start) // $width AS slice, max((ts + dur - $start) // $width), count(*), sum(ns)::HUGEINT,
            min(ts), max(ts + dur),
            coalesce(sum(ret) FILTER (ret > 0 AND name IN ({words[0]})), 0)::HUGEINT,
            coalesce(sum(ret) FILTER (ret > 0 AND name IN ({words[1]})), 0)::HUGEINT
        FROM raw_calls JOIN functions ON functions.id = function
        WHERE cat IN (SELECT unnest($chosen))
        GROUP BY slice ORDER BY slice
        """,
        {"start": header.started_us, "width": width, "chosen": list(header.total_categories)},
    ).fetchall()
    found: list[list[int]] = []
    until = -10
    for first, last, *rest in rows:
        calls, time, begin, end, got, put = map(int, rest)
        if first > until + 2:
            found.append([begin, end, 0, 0, 0, 0])
        until = max(until, last)
        phase = found[-1]
        phase[1] = max(phase[1], end)
        for place, amount in enumerate((calls, time, got, put), 2):
            phase[place] += amount
    return tuple(Phase(*phase) for phase in found)


def _overlap(traces: Traces) -> Overlap | None:
    rows = traces.database.execute(
        """
        SELECT process, ts, ts + dur FROM raw_calls
        JOIN functions ON functions.id = function JOIN threads ON threads.id = thread
        WHERE cat IN (SELECT unnest(?)) AND dur > 0
        """,
        [list(_REGIONS)],
    ).fetchnumpy()
    process, begin, end = (np.asarray(column) for column in rows.values())
    if not len(process):
        return None
    io = traces.database.execute("SELECT process, begins, ends FROM busy").fetchnumpy()
    of_io, io_begin, io_end = (np.asarray(column) for column in io.values())
    region = both = 0
    for one in np.unique(process):
        spans = elsewhere.union(begin[process == one], end[process == one])
        region += int((spans[1] - spans[0]).sum())
        mine = of_io == one
        inside = elsewhere.covered(*spans, io_end[mine]) - elsewhere.covered(*spans, io_begin[mine])
        both += int(inside.sum())
    whole = int((io_end - io_begin).sum())
    return Overlap(1000 * region, 1000 * whole, 1000 * both, both / whole if whole else 0.0)
