"""Sums over all calls, profiled ones included, by function, thread and file: what a summary is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis.reading import catalog, schema, tables
from datacrumbs.analysis.reading.catalog import ProcessKey
from datacrumbs.analysis.reading.columns import Column, Function, Thread
from datacrumbs.analysis.summing.groups import Groups
from datacrumbs.analysis.summing.partial import Sums

if TYPE_CHECKING:
    import duckdb

NO_THREAD: Final = 0xFFFFFFFF
"""The thread of profiled calls, of which the process alone is known."""
_COLUMNS: Final = ("function", "thread", "file", "calls", "errors", "longest", "first", "last", "time_high", "time_low",
                   "moved_high", "moved_low")  # fmt: skip
_MOVES: Final = (layers.READS, layers.WRITES, layers.COPIES)

_PROFILED: Final = """
    SELECT
        cat, name, process, host, pid, life, file, path, sum(calls)::BIGINT, sum(errors)::BIGINT, max(longest), min(ts),
        max(ts + dur), sum(ns)::HUGEINT, sum(moved)::HUGEINT
    FROM profiles
    GROUP BY ALL
"""


class Totals(NamedTuple):
    """Sums of calls; times are nanoseconds, sizes bytes."""

    calls: int
    errors: int
    time: int
    read: int
    written: int
    copied: int


@dataclass(frozen=True, slots=True)
class Tally:
    """The sums, and what the numbers in them stand for."""

    columns: Mapping[str, Column]
    """Those of partial.py, and `process`."""
    functions: tuple[Function, ...]
    """Those of calls, and behind them those that only profiles know."""
    process_of: Column
    """For each thread its process."""
    processes: Mapping[int, ProcessKey]
    paths: Mapping[int, str]
    """Of files; empty where the trace does not name it."""

    def of(self, categories: Collection[str]) -> Tally:
        """The calls of some categories alone."""
        chosen = self.by_function([function.category in categories for function in self.functions]) > 0
        if chosen.all():
            return self
        return replace(self, columns={name: column[chosen] for name, column in self.columns.items()})

    def by_function(self, values: Sequence[int]) -> Column:
        """For each row the value of its function."""
        return np.array(values, np.int64)[self.columns["function"]]

    def totals(self, groups: Groups) -> list[Totals]:
        """The sums of each group of rows."""
        columns = self.columns
        moved = []
        for names in _MOVES:
            counted = self.by_function([function.name in names for function in self.functions])
            moved.append(groups.wide_sums(columns["moved_high"] * counted, columns["moved_low"] * counted))
        time = groups.wide_sums(columns["time_high"], columns["time_low"])
        return list(map(Totals, groups.sums(columns["calls"]), groups.sums(columns["errors"]), time, *moved))

    def threads(self) -> Counter[int]:
        """How many threads of each process made calls."""
        thread = self.columns["thread"]
        return Counter(self.process_of[Groups(thread[thread != NO_THREAD]).numbers].tolist())


def make(
    database: duckdb.DuckDBPyConnection, counts: Mapping[int, int], sums: Sums, functions: Sequence[Function],
    threads: Sequence[Thread], files: Sequence[str],
) -> Tally:  # fmt: skip
    """Puts together what was traced and what was profiled.

    Args:
        database: with the tables `names` and `profiles`.
        counts: how many records there are of each kind.
        sums: of the calls that were traced.
        functions: what the numbers in them stand for, as in columns.Calls.
        threads: the same.
        files: the same.
    """
    hosts, texts = catalog.names(database, "HH"), catalog.names(database, "FH")
    process_of = np.array(tables.processes_of(threads), np.int64)
    traced = {name: sums.tally[name] for name in _COLUMNS}
    tally = Tally(
        traced | {"process": process_of[traced["thread"]]}, tuple(functions), process_of,
        {
            process: ProcessKey(hosts.get(thread.host, ""), thread.pid, thread.life)
            for process, thread in zip(process_of.tolist(), threads, strict=True)
        },
        {number: texts.get(word[1:], "") if word[:1] == "h" else word[1:] for number, word in enumerate(files)},
    )  # fmt: skip
    return _with_profiles(tally, database) if schema.KIND_PROFILE in counts else tally


def _with_profiles(tally: Tally, database: duckdb.DuckDBPyConnection) -> Tally:
    numbers = {function: number for number, function in enumerate(tally.functions)}
    processes, paths, rows = dict(tally.processes), dict(tally.paths), []
    for category, name, process, host, pid, life, file, path, *sums, time, moved in database.execute(
        _PROFILED
    ).fetchall():
        function = numbers.setdefault(Function(name, category), len(numbers))
        processes[process], paths[file] = ProcessKey(host, pid, life), path
        rows.append((function, NO_THREAD, file, *sums, *divmod(time, 1 << 32), *divmod(moved, 1 << 32), process))
    added = dict(zip((*_COLUMNS, "process"), np.array(rows, np.int64).T, strict=True))
    columns = {name: np.concatenate([column, added[name]]) for name, column in tally.columns.items()}
    return replace(tally, columns=columns, functions=tuple(numbers), processes=processes, paths=paths)
