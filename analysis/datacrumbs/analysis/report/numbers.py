"""Every call in small numbers, a part of them at a time: what the tables of the report are added up from.

A call's numbers are looked up when they are asked for, so that ten million calls take no more memory than they have
already. What a profile added up comes last, as rows that stand for many calls each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from datacrumbs.analysis.explaining import addedup
from datacrumbs.analysis.explaining.nest import Nest
from datacrumbs.analysis.reading.columns import NULL, Calls, Column, chunks
from datacrumbs.analysis.reading.trace import Traces
from datacrumbs.analysis.report import codes, paths
from datacrumbs.analysis.report.codes import MOST_FUNCTIONS, Codes
from datacrumbs.analysis.report.waits import Waits, move

_PART: Final = 1 << 19
"""Calls in a part."""

_PROFILES: Final = """
    SELECT
        f.fn::BIGINT AS fn, f.moves::BIGINT AS moves, p.rank::BIGINT AS proc, file::BIGINT AS file, ts, dur, ns,
        calls::BIGINT AS calls, errors::BIGINT AS errors, moved::BIGINT AS moved
    FROM profiles
    JOIN report_functions f ON f.cat = profiles.cat AND f.name = profiles.name
    JOIN report_processes p ON p.process = profiles.process
    ORDER BY profiles.rowid
"""


class Part:
    """Some calls. `began` is microseconds since the report begins, `own` the nanoseconds that no call inside it
    accounts for, `node` its place in the tree of paths (paths.py), `got` and `put` bytes read and written.
    """

    def __init__(self, numbers: Numbers, rows: slice | Column) -> None:
        self._numbers, self._rows = numbers, rows
        calls = numbers.calls
        self.began = calls.ts[rows] - numbers.codes.start_us
        self.dur, self.ns = calls.dur[rows], calls.ns[rows]
        self.ret = np.where(calls.ret[rows] == NULL, 0, calls.ret[rows])
        self.failed = (self.ret >= -4095) & (self.ret <= -1)
        self.node, self.own = numbers.node[rows], numbers.own[rows]

    @cached_property
    def fn(self) -> Column:
        return np.asarray(self._numbers.codes.fn_of[self._numbers.calls.function[self._rows]])

    @cached_property
    def lane(self) -> Column:
        return np.asarray(self._numbers.codes.lane_of[self._numbers.calls.thread[self._rows]])

    @cached_property
    def proc(self) -> Column:
        return np.asarray(self._numbers.codes.proc_of[self._numbers.calls.thread[self._rows]])

    @cached_property
    def file(self) -> Column:
        return np.asarray(self._numbers.codes.code_of[self._numbers.calls.file[self._rows]])

    @cached_property
    def got(self) -> Column:
        return self._moved(codes.READS)

    @cached_property
    def put(self) -> Column:
        return self._moved(codes.WRITES)

    def _moved(self, way: int) -> Column:
        moves = self._numbers.codes.moves_of[self._numbers.calls.function[self._rows]] == way
        return np.where(moves & (self.ret > 0), self.ret, 0)


@dataclass(frozen=True, slots=True)
class Profiled:
    """Rows of a profile, each of which stands for `calls` calls, `failed` of which failed. `spread` has their
    durations: columns of row, power of two of nanoseconds, and calls.
    """

    began: Column
    dur: Column
    ns: Column
    own: Column
    node: Column
    fn: Column
    proc: Column
    file: Column
    calls: Column
    failed: Column
    got: Column
    put: Column
    spread: tuple[Column, Column, Column]


@dataclass(frozen=True, slots=True)
class Numbers:
    """All calls, and the numbers that they have."""

    codes: Codes
    calls: Calls
    node: Column
    own: Column
    profiled: Profiled | None
    waits: Waits | None

    def parts(self) -> Iterator[Part]:
        """The calls that the trace has one by one."""
        for rows in chunks(len(self.calls), _PART):
            yield Part(self, rows)

    def everything(self) -> Iterator[Part | Profiled]:
        """Those, and what was added up."""
        if self.profiled:
            yield self.profiled
        yield from self.parts()

    def some(self, rows: Column) -> Part:
        """Those of some rows."""
        return Part(self, rows)


def numbered(traces: Traces, nested: Nest) -> Numbers:
    """Numbers everything, from the table `tally` and from which call is inside which."""
    tree, node, own = paths.find(traces, nested)
    tree, waits = move(traces, nested, tree, node, own)
    made = codes.number(traces, tree)
    profiled = _profiled(traces, made)
    if profiled is None:
        return Numbers(made, traces.calls, node, own, None, waits)
    # What was added up lies in nothing: each function gets a place of its own at the top of the tree.
    used = np.unique(profiled.fn).tolist()
    first = len(made.tree_parent)
    place_of = np.zeros(MOST_FUNCTIONS + 1, np.int64)
    place_of[used] = range(first, first + len(used))
    made = replace(made, tree_parent=made.tree_parent + (-1,) * len(used), tree_fn=made.tree_fn + tuple(used))
    return Numbers(made, traces.calls, node, own, replace(profiled, node=place_of[profiled.fn]), waits)


def _profiled(traces: Traces, made: Codes) -> Profiled | None:
    table = {name: np.asarray(column) for name, column in traces.database.execute(_PROFILES).fetchnumpy().items()}
    if not len(table["ts"]):
        return None
    moved = np.maximum(table["moved"], 0)
    rows, powers, numbers = [], [], []
    spreads = traces.database.execute("SELECT spread FROM profiles ORDER BY rowid").fetchall()
    for row, (text,) in enumerate(spreads):
        for power, number in addedup.powers(text):
            rows.append(row)
            powers.append(power)
            numbers.append(number)
    return Profiled(
        began=table["ts"] - made.start_us, dur=table["dur"], ns=table["ns"], own=table["ns"],
        node=np.zeros(len(moved), np.int64), fn=np.minimum(table["fn"], MOST_FUNCTIONS), proc=table["proc"],
        file=made.code_of[table["file"]], calls=table["calls"], failed=table["errors"],
        got=np.where(table["moves"] == codes.READS, moved, 0), put=np.where(table["moves"] == codes.WRITES, moved, 0),
        spread=(np.array(rows, np.int64), np.array(powers, np.int64), np.array(numbers, np.int64)),
    )  # fmt: skip
