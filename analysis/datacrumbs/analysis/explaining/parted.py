"""Opened traces whose calls are in partitions: one on this machine, one for each host on a cluster (cluster_calls.py).

A question is asked of every partition where it is, and the answers are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datacrumbs.analysis.explaining.nest import Nest
from datacrumbs.analysis.explaining.partition import Partition, choose
from datacrumbs.analysis.explaining.selection import Choice
from datacrumbs.analysis.reading import catalog, sources
from datacrumbs.analysis.reading.columns import Function, Thread
from datacrumbs.analysis.reading.trace import Reading, Traces, open_traces

if TYPE_CHECKING:
    import duckdb

Ask = Callable[..., list[Any]]
"""Calls a function of every partition, what is chosen of it, and more arguments, and returns the answers."""


@dataclass(frozen=True, slots=True)
class Parted(Reading):
    """Traces whose calls can be asked for where they are."""

    size: int
    functions: tuple[Function, ...]
    threads: tuple[Thread, ...]
    first_us: int
    """When the first call begins, or the first that was added up, in microseconds since 1970; 0: there is none."""
    choose: Callable[[Choice], Ask]

    @property
    def events(self) -> int:
        """Calls that were read."""
        return self.size

    def names(self, kind: str, hashes: Sequence[str] | None = None) -> dict[str, str]:
        """As catalog.names."""
        return catalog.names(self.database, kind, hashes)


def of_traces(traces: Traces, nested: Nest | None = None) -> Parted:
    """All calls of opened traces as one partition.

    Args:
        traces: opened traces.
        nested: the calls' nesting, where it is known already.

    Raises:
        BusyError: memory is short.
    """
    calls = traces.calls
    partition = Partition.of(calls, nested=nested)

    def begin(choice: Choice) -> Ask:
        chosen = choose(partition, choice)
        return lambda what, *args: [what(partition, chosen, *args)]

    moments = [int(calls.ts.min())] if len(calls) else []
    return Parted(
        traces.database, traces.layers, traces.sources, traces.catalog, traces.notes, traces.counts, len(calls),
        calls.functions, calls.threads, first_us(traces.database, moments), begin,
    )  # fmt: skip


def first_us(database: duckdb.DuckDBPyConnection, moments: Sequence[int]) -> int:
    """The first of some moments, and of what was added up."""
    added = database.execute("SELECT min(ts) FROM profiles").fetchall()[0][0]
    return min([*moments, *([added] if added is not None else [])], default=0)


@contextmanager
def opened(names: Sequence[str], scheduler: str = "") -> Iterator[Parted]:
    """Reads trace files and folders of them, here or on a Dask cluster.

    Args:
        names: files or folders.
        scheduler: where the cluster is, as in cluster.py; empty: here.

    Raises:
        NoInputError: a name leads to nothing that can be read.
        BusyError: there is not enough memory and temporary space.
        UsageError, UnavailableError: as in cluster.py.
    """
    with reader(names, scheduler) as read, read(names) as parted:
        yield parted


Read = Callable[[Sequence[str]], AbstractContextManager[Parted]]
"""Reads trace files and folders of them, as `opened` does."""


@contextmanager
def reader(names: Sequence[str], scheduler: str = "") -> Iterator[Read]:
    """What reads sets of traces one after the other, on one cluster where there is one.

    Args:
        names: what all of them are made of; nobody waits for a cluster where one of these does not exist.
        scheduler: as above.
    """
    if not scheduler:
        yield _opened_here
        return
    from datacrumbs.analysis.clusters import cluster, cluster_calls

    sources.find(names)
    with cluster.connected(scheduler) as client:
        yield lambda some: cluster_calls.opened(some, client)


@contextmanager
def _opened_here(names: Sequence[str]) -> Iterator[Parted]:
    with open_traces(names) as traces:
        yield of_traces(traces)
