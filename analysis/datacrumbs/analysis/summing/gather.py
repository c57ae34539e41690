"""What a summary is made of, gathered from parts: of a machine's own workers, or of a cluster's (cluster_sums.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from datacrumbs.analysis import layers, progress
from datacrumbs.analysis.reading import catalog, lifetimes, load, profiles, records, schema, tables
from datacrumbs.analysis.reading.catalog import Catalog
from datacrumbs.analysis.reading.columns import Column, Function, Thread, chunks, function_of, function_word, thread_of
from datacrumbs.analysis.reading.machine import started_pool, told_when_short
from datacrumbs.analysis.reading.read import Note
from datacrumbs.analysis.reading.room import Room
from datacrumbs.analysis.reading.spans import united
from datacrumbs.analysis.reading.trace import Reading, Traces
from datacrumbs.analysis.summing import tally
from datacrumbs.analysis.summing.begun import Begun, begin_reading
from datacrumbs.analysis.summing.groups import Groups
from datacrumbs.analysis.summing.partial import Partial, Sums, bounds, merge, sums_of, translation
from datacrumbs.analysis.summing.parts import Part, part_of, words_of
from datacrumbs.analysis.summing.patterns import kinds
from datacrumbs.analysis.summing.pieces import Moves
from datacrumbs.analysis.summing.tally import Tally

if TYPE_CHECKING:
    import duckdb

QUANTILES: Final = ((1, 2), (99, 100))
"""Fractions: the parts of a function's calls that are shorter than its `p50` and `p99`."""
LAST: Final = 1 << 62
"""The number of a source behind all others."""
Ask = Callable[[str, tuple[Any, ...]], list[Any]]
"""Calls a method of every part, wherever it is, and returns the answers in the order of the parts."""


@dataclass(frozen=True, slots=True)
class Gathered(Reading):
    """Sums over all calls, and a way to ask for single ones."""

    sums: Sums
    tally: Tally
    """Those of `sums` by function, thread and file, and what was profiled."""
    functions: tuple[Function, ...]
    threads: tuple[Thread, ...]
    files: tuple[str, ...]
    categories: tuple[str, ...]
    """What the numbers of `sums.lanes` stand for."""
    ask: Ask
    maps: Sequence[Mapping[str, Column]]
    """For each part, what its numbers of functions and threads are here."""
    room: Room
    """For what may be as long as the traces."""

    @property
    def events(self) -> int:
        """Calls that were read."""
        return self.sums.events

    def quantiles(self) -> list[tuple[int, ...]]:
        """For each function the durations, in nanoseconds, at each of `QUANTILES`."""
        wanted, ranks = self._ranks()
        sorted_out: list[list[list[Column]]] = [[[] for _ in QUANTILES] for _ in self.functions]
        for numbers, answer in zip(self.maps, self.ask("within", (wanted,)), strict=True):
            for place, (function, ns) in enumerate(answer):
                for one in Groups(function).numbers:
                    sorted_out[int(numbers["function"][one])][place].append(ns[function == one])
        return [
            tuple(int(np.partition(np.concatenate(values), rank)[rank]) for values, rank in zip(row, at, strict=True))
            for row, at in zip(sorted_out, ranks, strict=True)
        ]

    def _ranks(self) -> tuple[dict[str, list[tuple[int, int]]], list[list[int]]]:
        """For each function: the bounds that each quantile lies between, and its place between them."""
        wanted, ranks = {}, []
        for number, function in enumerate(self.functions):
            mine = self.sums.buckets[self.sums.buckets["function"] == number]
            mine = mine[np.argsort(mine["bucket"])]
            before = np.cumsum(mine["calls"]) - mine["calls"]
            total = int(mine["calls"].sum())
            places = [max(1, -(-part * total // whole)) - 1 for part, whole in QUANTILES]
            at = [int(np.searchsorted(before, place, side="right")) - 1 for place in places]
            ranks.append([place - int(before[one]) for place, one in zip(places, at, strict=True)])
            wanted[function_word(function)] = [bounds(int(mine["bucket"][one])) for one in at]
        return wanted, ranks

    def moves(self, files: Sequence[int], categories: Sequence[str]) -> list[Moves]:
        """What calls of some categories did to some files, piece by piece in the order of the traces."""
        of_functions = zip(self.functions, kinds(self.functions, categories), strict=True)
        chosen = {self.files[file]: place for place, file in enumerate(files) if file < len(self.files)}
        answers = self.ask("moves", (chosen, {function_word(one): kind for one, kind in of_functions if kind}))
        pieces = []
        for numbers, answer in zip(self.maps, answers, strict=True):
            pieces += [(at, replace(moves, threads=numbers["thread"])) for at, moves in answer]
        pieces.sort(key=lambda pair: pair[0])
        return [moves for _, moves in pieces]

    def busy(self, categories: Sequence[str]) -> dict[int, tuple[Column, Column]]:
        """For each process the time in which it was in calls of some categories: spans that do not overlap.

        A profile's calls count as if they were made one after the other from the first one on.
        """
        counted = frozenset(categories)
        process_of = tables.processes_of(self.threads)
        found: dict[int, list[tuple[Column, Column]]] = {}
        for lane in self.sums.lanes:
            if self.categories[lane.category] in counted:
                found.setdefault(process_of[lane.thread], []).append((lane.begin, lane.end))
        if schema.KIND_PROFILE in self.counts:
            rows = self.database.execute(
                "SELECT process, list(ts), list(ts + dur) FROM profiles WHERE dur > 0 AND cat IN (SELECT unnest(?)) "
                "GROUP BY process",
                [sorted(counted)],
            ).fetchall()
            for process, begin, end in rows:
                found.setdefault(process, []).append((np.array(begin, np.int64), np.array(end, np.int64)))
        return {process: united(spans, self.room) for process, spans in found.items()}


def of_traces(traces: Traces) -> Gathered:
    """The same from calls that are all in memory."""
    calls = traces.calls
    categories = tuple(dict.fromkeys(function.category for function in calls.functions))
    some = ({name: column[rows] for name, column in calls.columns.items()} for rows in chunks(len(calls)))
    sums = sums_of(some, [categories.index(function.category) for function in calls.functions], calls.room)
    part = part_of(calls, Partial(words_of(calls), sums))
    identity = {
        "function": np.arange(len(calls.functions), dtype=np.uint32),
        "thread": np.arange(len(calls.threads), dtype=np.uint32),
    }
    return Gathered(
        traces.database, traces.layers, traces.sources, traces.catalog, traces.notes, traces.counts, sums,
        tally.make(traces.database, traces.counts, sums, calls.functions, calls.threads, calls.files), calls.functions,
        calls.threads, calls.files, categories, lambda method, args: [getattr(part, method)(*args)], [identity],
        calls.room,
    )  # fmt: skip


@contextmanager
def gathered(names: Sequence[str], *, workers: int = 0) -> Iterator[Gathered]:
    """Reads trace files and folders of them for a summary: see `begin_reading` and `of_begun`."""
    with begin_reading(names, workers=workers) as begun, of_begun(begun) as whole:
        yield whole


@contextmanager
def of_begun(begun: Begun) -> Iterator[Gathered]:
    """Waits until trace files are read for a summary, and adds up what is in them.

    Raises:
        NoInputError: a file cannot be read.
        BusyError: the machine has not enough memory and temporary space.
    """
    with told_when_short():
        notes = begun.notes()
    with told_when_short(), started_pool(begun.threads, "datacrumbs-parts") as pool, progress.working("adding up"):
        found = begun.parts.finish()
        whole = merge([part.partial for part in found])
        database = begun.database()
        counts = records.counts(database)
        odd, births = odd_part(database, counts), lifetimes.find(database, counts)
        known = pool.submit(catalog.read_catalog, database, counts, begun.paths, births)
        if odd or births:  # which is rare, and known after all else
            found = list(pool.map(lambda part: part.split(births), [*found, *odd]))
            whole = merge([part.partial for part in found])

        def ask(method: str, args: tuple[Any, ...]) -> list[Any]:
            return list(pool.map(lambda part: getattr(part, method)(*args), found))

        found = [part.without_sums() for part in found]
        words = [part.partial.words for part in found]
        yield assemble(database, begun.paths, notes, counts, known.result(), whole, words, ask, begun.room)


def odd_part(database: duckdb.DuckDBPyConnection, counts: Mapping[int, int]) -> list[Part]:
    """Calls of an unusual form, which are behind all others."""
    odd = load.odd_calls(database, counts)
    if not len(odd.ts):
        return []
    words, calls = odd.calls()
    functions = [function_of(word).category for word in words["function"]]
    categories = tuple(dict.fromkeys(functions))
    sums = sums_of([calls.columns], [categories.index(category) for category in functions], calls.room)
    return [part_of(calls, Partial(words | {"category": categories}, sums), source=LAST)]


def assemble(
    database: duckdb.DuckDBPyConnection, paths: Sequence[Path], notes: Sequence[Note], counts: Mapping[int, int],
    known: Catalog, whole: Partial, words: Sequence[Mapping[str, Sequence[str]]], ask: Ask, room: Room,
) -> Gathered:  # fmt: skip
    """Puts together what the calls are about.

    Args:
        database: has all lines that are no calls, and the lives of processes (lifetimes.py).
        paths: the traces.
        notes: what could not be read.
        counts: how many records there are of each kind.
        known: who is who in them.
        whole: the sums of all parts.
        words: what the numbers of functions and threads stand for, for each part that `ask` asks.
        ask: see `Ask`.
        room: for what may be as long as the traces.
    """
    known_words = {
        name: {word: number for number, word in enumerate(whole.words[name])} for name in ("function", "thread")
    }
    maps = [{name: translation(part[name], numbers) for name, numbers in known_words.items()} for part in words]
    functions = tuple(map(function_of, whole.words["function"]))
    threads = tuple(map(thread_of, whole.words["thread"]))
    of_functions = tuple(layers.layer_of(function.category) for function in functions)
    files = whole.words["file"]
    if schema.KIND_PROFILE in counts:
        tables.make_dimensions(database, functions, threads, files, of_functions)
        _make_powers(database, whole.sums)
        profiles.make(database)
    return Gathered(
        database, of_functions, tuple(paths), known, tuple(notes), counts, whole.sums,
        tally.make(database, counts, whole.sums, functions, threads, files), functions, threads, files,
        whole.words["category"], ask, maps, room,
    )  # fmt: skip


def _make_powers(database: duckdb.DuckDBPyConnection, sums: Sums) -> None:
    """How many calls of each function lasted how long, by powers of two: for profiles.py."""
    bucket = sums.buckets["bucket"].astype(np.int64)
    power = np.where(bucket < 64, np.log2(np.maximum(bucket, 1)).astype(np.int64), (bucket >> 5) + 4)
    columns = {"function": sums.buckets["function"].astype(np.uint32), "power": power.astype(np.int32),
               "calls": np.ascontiguousarray(sums.buckets["calls"])}  # fmt: skip
    database.register("powers", columns)
