"""Opened traces: what every verb begins with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datacrumbs.analysis import layers, progress
from datacrumbs.analysis.reading import lifetimes, memory, profiles, schema, sources, tables
from datacrumbs.analysis.reading.catalog import Catalog, read_catalog
from datacrumbs.analysis.reading.columns import Calls
from datacrumbs.analysis.reading.load import load
from datacrumbs.analysis.reading.machine import processors, temporary_folder, told_when_short
from datacrumbs.analysis.reading.read import Note
from datacrumbs.analysis.reading.records import database
from datacrumbs.analysis.reading.room import Room

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Reading(ABC):
    """What all answers know of some trace files that were read.

    `database` has all lines that are no calls as `records` (schema.py), calls that were added up as `profiles`, and
    `names` (catalog.py).
    """

    database: duckdb.DuckDBPyConnection
    layers: tuple[str, ...]
    """The layer of each function."""
    sources: tuple[Path, ...]
    catalog: Catalog
    notes: tuple[Note, ...]
    """What could not be read."""
    counts: Mapping[int, int]
    """How many records there are of each kind (schema.py)."""

    @property
    @abstractmethod
    def events(self) -> int:
        """Calls that were read."""


@dataclass(frozen=True, slots=True)
class Traces(Reading):
    """Some trace files with all their calls, which `database` has as the tables of tables.py."""

    calls: Calls

    @property
    def events(self) -> int:
        """Calls that were read."""
        return len(self.calls)


@contextmanager
def open_traces(names: Sequence[str], *, workers: int = 0) -> Iterator[Traces]:
    """Reads trace files and folders of them, with a progress bar where it takes long.

    Calls that are more than `memory.share` lie in TMPDIR.

    Args:
        names: files or folders.
        workers: threads to use; 0: one for each processor that this process may run on.

    Raises:
        NoInputError: a name leads to nothing that can be read.
        BusyError: the machine has not enough memory and temporary space.
    """
    paths = sources.find(names)
    threads = workers or processors()
    with temporary_folder() as spill, database(Path(spill), threads) as connection, told_when_short():
        with progress.bar("reading", sum(path.stat().st_size for path in paths)) as advance:
            calls, notes, counts = load(connection, paths, advance, threads, Room(Path(spill), memory.share()))
        births = lifetimes.find(connection, counts)
        calls = lifetimes.split(calls, births)
        catalog = read_catalog(connection, counts, paths, births)
        of_functions = tuple(layers.layer_of(function.category) for function in calls.functions)
        tables.make(connection, calls, of_functions)
        if schema.KIND_PROFILE in counts:
            profiles.make(connection)
        with progress.working("working"):
            yield Traces(connection, of_functions, tuple(paths), catalog, tuple(notes), counts, calls)
