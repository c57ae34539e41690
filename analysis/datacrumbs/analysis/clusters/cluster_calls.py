"""Single calls of sets that outgrow one machine, for explain and compare: each host's in one partition (partition.py).

A task reads the traces of one host as open_traces does, and keeps the calls on its worker; the client gets what is no
call, and the answers. Which host a trace is of is seen from its first lines; where it turns out that several partitions
hold calls of the same one, those are read again as one.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from datacrumbs.analysis import layers, progress
from datacrumbs.analysis.clusters import shares
from datacrumbs.analysis.clusters.shares import Share
from datacrumbs.analysis.explaining.parted import Ask, Parted, first_us
from datacrumbs.analysis.explaining.partition import Partition, choose
from datacrumbs.analysis.explaining.selection import Choice
from datacrumbs.analysis.reading import catalog, lifetimes, memory, profiles, records, schema, sources, tables
from datacrumbs.analysis.reading.collect import Collector
from datacrumbs.analysis.reading.columns import Calls, Function, Thread
from datacrumbs.analysis.reading.load import odd_calls
from datacrumbs.analysis.reading.machine import processors, temporary_folder, told_when_short
from datacrumbs.analysis.reading.read import Note, read_range
from datacrumbs.analysis.reading.room import Room
from datacrumbs.core.files import open_regular, read_error

if TYPE_CHECKING:
    import duckdb
    from distributed import Client

_PEEK: Final = 64 << 10
"""Bytes at the beginning of a trace in which its host is looked for."""


class File(NamedTuple):
    """A trace; its first `size` bytes are what counts of it, also when it is read again."""

    source: int
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Told:
    """What the client must know of a partition."""

    events: int
    first_us: tuple[int, ...]
    """When the first call begins, if there is one."""
    functions: tuple[Function, ...]
    threads: tuple[Thread, ...]
    hosts: frozenset[str]
    """What something is said of."""
    records: bytes
    """Lines that are no calls, as a Parquet file of the table `records`."""
    notes: tuple[tuple[int, Note], ...]
    """What could not be read, with the source."""


@contextmanager
def opened(names: Sequence[str], client: Client) -> Iterator[Parted]:
    """Has the workers of a Dask cluster read trace files and folders of them, and keep the calls.

    Args:
        names: files or folders, which the workers find under the same absolute names.
        client: of the cluster (cluster.py).

    Raises:
        NoInputError: a name leads to nothing that can be read, here or on a worker.
        BusyError: there is not enough memory, here or on a worker.
    """
    paths = [path.absolute() for path in sources.find(names)]
    files = [File(source, path, path.stat().st_size) for source, path in enumerate(paths)]
    with (
        temporary_folder() as spill,
        records.database(Path(spill), processors()) as database,
        told_when_short(),
    ):
        partitions, told = _hosts(client, files)
        try:
            with progress.working("working"):
                yield _parted(client, database, Path(spill), paths, partitions, told)
        finally:  # what is read next needs their room
            for partition in partitions:
                partition.release()


def _hosts(client: Client, files: Sequence[File]) -> tuple[list[Any], list[Told]]:
    """The partitions, and what is told of them."""
    groups: dict[str, list[File]] = {}
    for file in files:
        groups.setdefault(_host_of(file.path) or f"#{file.source}", []).append(file)
    apart = list(groups.values())
    read = _read(client, apart)
    while True:
        told: list[Told] = shares.told(client, read)
        joined = _joined([one.hosts for one in told])
        if len(joined) == len(read):
            return shares.kept(client, read), told
        kept = [read[group[0]] if len(group) == 1 else None for group in joined]
        apart = [sorted(file for number in group for file in apart[number]) for group in joined]
        again = iter(_read(client, [one for one, share in zip(apart, kept, strict=True) if share is None]))
        read = [share or next(again) for share in kept]


def _joined(hosts: Sequence[frozenset[str]]) -> list[list[int]]:
    """Which partitions must be one, since they share hosts."""
    groups: list[tuple[set[str], list[int]]] = []
    for number, mine in enumerate(hosts):
        group: tuple[set[str], list[int]] = (set(mine), [number])
        for other in [one for one in groups if one[0] & group[0]]:
            groups.remove(other)
            group = (group[0] | other[0], other[1] + group[1])
        groups.append(group)
    return [numbers for _, numbers in groups]


def _read(client: Client, groups: Sequence[Sequence[File]]) -> list[Any]:
    """One share for each group of files."""
    sizes = [sum(file.size for file in files) for files in groups]
    return shares.read(client, read_host, [(tuple(files),) for files in groups], sizes)


def _host_of(path: Path) -> str:
    """The hash of the host that the first lines of a trace name; empty: they name none."""
    try:
        with open_regular(path, follow=True) as fd:
            head = os.pread(fd, _PEEK, 0)
    except OSError as error:
        raise read_error(path, error) from error
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, _PEEK)
        except zlib.error:
            return ""
    for line in head.split(b"\n"):
        if b'"HH"' in line:
            try:
                return str(json.loads(line)["args"]["value"])
            except (ValueError, LookupError, TypeError, RecursionError):
                continue
    return ""


def read_host(files: Sequence[File]) -> Share[Partition, Told]:
    """What a task does: reads the traces of a host, in this thread."""
    notes: list[tuple[int, Note]] = []
    with (
        temporary_folder() as spill,
        records.database(Path(spill), 1) as database,
        Collector(Room(Path(spill), memory.share())) as collector,
        told_when_short(),
    ):
        with records.Inserter(lambda: database) as insert:
            for source, path, size in files:
                found = read_range(path, source, collector, insert, 0, size, size)
                notes += [(source, note) for note in found]
        counts = records.counts(database)
        calls = lifetimes.split(collector.finish(odd_calls(database, counts)), lifetimes.find(database, counts))
        return Share(Partition.of(calls), _about(database, Path(spill), calls, tuple(notes)))


def _about(
    database: duckdb.DuckDBPyConnection, folder: Path, calls: Calls, notes: tuple[tuple[int, Note], ...]
) -> Told:
    file = folder / "records.parquet"
    database.execute(f"COPY records TO '{file}' (FORMAT parquet)")
    lives = f"SELECT DISTINCT host FROM records WHERE kind = {schema.KIND_LIFE}"
    hosts = {host for (host,) in database.execute(lives).fetchall()} | {thread.host for thread in calls.threads}
    moments = (int(calls.ts.min()),) if len(calls) else ()
    return Told(len(calls), moments, calls.functions, calls.threads, frozenset(hosts), file.read_bytes(), notes)


def _parted(
    client: Client, database: duckdb.DuckDBPyConnection, folder: Path, paths: Sequence[Path],
    partitions: Sequence[Any], told: Sequence[Told],
) -> Parted:  # fmt: skip
    """Makes the tables of what is no call."""
    for one in told:
        file = folder / "records.parquet"
        file.write_bytes(one.records)
        database.execute(f"INSERT INTO records SELECT * FROM read_parquet('{file}')")
    functions = tuple(dict.fromkeys(function for one in told for function in one.functions))
    threads = tuple(thread for one in told for thread in one.threads)
    of_functions = tuple(layers.layer_of(function.category) for function in functions)
    counts = records.counts(database)
    known = catalog.read_catalog(database, counts, paths, lifetimes.find(database, counts))
    if schema.KIND_PROFILE in counts:
        tables.make_dimensions(database, functions, threads, ("",), of_functions)
        database.execute("CREATE TABLE powers (function UINTEGER, power INTEGER, calls BIGINT)")
        profiles.make(database)

    def begin(choice: Choice) -> Ask:
        chosen = [client.submit(choose, partition, choice, pure=False) for partition in partitions]

        def ask(what: Any, *args: Any) -> list[Any]:
            pairs = zip(partitions, chosen, strict=True)
            return client.gather([client.submit(what, *pair, *args, pure=False) for pair in pairs])  # type: ignore[no-any-return]

        return ask

    notes = tuple(note for _, note in sorted((pair for one in told for pair in one.notes), key=lambda pair: pair[0]))
    moments = [moment for one in told for moment in one.first_us]
    return Parted(
        database, of_functions, tuple(paths), known, notes, counts, sum(one.events for one in told), functions, threads,
        first_us(database, moments), begin,
    )  # fmt: skip
