"""The summary of sets that outgrow one machine: the same parts as in gather.py, read by the workers of a Dask cluster.

Each worker reads ranges of files (the traces of nodes, and ranges of large ones), adds them up, and keeps what it read.
Sums are merged on the workers, a few at a time; the client gets the sums of all, the few lines that are no calls, and
the answers to a second question. Sums are whole numbers, so the result is the same as without a cluster, however the
work was shared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from datacrumbs.analysis import progress
from datacrumbs.analysis.clusters import shares
from datacrumbs.analysis.clusters.cluster import connected
from datacrumbs.analysis.clusters.shares import Share
from datacrumbs.analysis.reading import catalog, lifetimes, memory, records, sources
from datacrumbs.analysis.reading.lifetimes import Births
from datacrumbs.analysis.reading.machine import processors, temporary_folder, told_when_short
from datacrumbs.analysis.reading.read import Note, read_range
from datacrumbs.analysis.reading.room import Room, Shelf
from datacrumbs.analysis.summing.adding import Parts
from datacrumbs.analysis.summing.gather import Gathered, assemble, odd_part
from datacrumbs.analysis.summing.partial import Partial, merge, with_few_lanes
from datacrumbs.analysis.summing.parts import Part

if TYPE_CHECKING:
    from distributed import Client

SMALLEST: Final = 4 << 20
LARGEST: Final = 64 << 20
"""Compressed bytes that one task reads: enough to be worth sending, and few enough to do again when a worker dies."""
_TASKS: Final = 4
"""For each thread of the cluster, at least, so that nobody waits long for the last."""
_MERGED: Final = 8
"""Sums that are merged at once."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the client must know of a share: lines that are no plain calls, and what could not be read."""

    source: int
    lines: tuple[bytes, ...]
    notes: tuple[Note, ...]


@contextmanager
def gathered(names: Sequence[str], scheduler: str) -> Iterator[Gathered]:
    """Has the workers of a Dask cluster read trace files and folders of them for a summary.

    Args:
        names: files or folders, which the workers find under the same absolute names.
        scheduler: the address of the cluster's scheduler, such as tcp://login1:8786.

    Raises:
        UsageError: that is no address.
        UnavailableError: Dask is not installed, or the scheduler does not answer.
        NoInputError: a name leads to nothing that can be read, here or on a worker.
        BusyError: there is not enough memory, here or on a worker.
    """
    paths = [path.absolute() for path in sources.find(names)]
    with (
        connected(scheduler) as client,
        temporary_folder() as spill,
        records.database(Path(spill), processors()) as database,
        told_when_short(),
    ):
        parts, told = _parts(client, paths)
        with progress.working("adding up"):
            with records.Inserter(lambda: database) as insert:
                for one in told:
                    for lines in one.lines:
                        insert(one.source, lines)
            counts, room = records.counts(database), Room(Path(spill), memory.share())
            births = lifetimes.find(database, counts)
            odd = [part.split(births) for part in odd_part(database, counts)]
            if births:
                parts = [client.submit(_split, part, births) for part in parts]
            sums = [client.submit(_sums, part) for part in parts]
            while len(sums) > 1:
                sums = [client.submit(_merged, sums[at : at + _MERGED]) for at in range(0, len(sums), _MERGED)]
            whole = merge([*client.gather(sums), *(part.partial for part in odd)])

            def ask(method: str, args: tuple[Any, ...]) -> list[Any]:
                answers = client.gather([client.submit(_answer, part, method, args) for part in parts])
                return [*answers, *(getattr(part, method)(*args) for part in odd)]

            words = client.gather([client.submit(_words, part) for part in parts])
            words += (part.partial.words for part in odd)
            notes = [note for one in told for note in one.notes]
            known = catalog.read_catalog(database, counts, paths, births)
            yield assemble(database, paths, notes, counts, known, whole, words, ask, room)


def _parts(client: Client, paths: Sequence[Path]) -> tuple[list[Any], list[Told]]:
    """One part for each range of each file, and what is told of it; the file's size now is what counts of it."""
    sizes = [path.stat().st_size for path in paths]
    threads = max(1, sum(client.nthreads().values()))
    length = min(LARGEST, max(SMALLEST, sum(sizes) // (_TASKS * threads)))
    ranges = [
        (path, source, begin, min(size, begin + length), size)
        for source, (path, size) in enumerate(zip(paths, sizes, strict=True))
        for begin in range(0, max(1, size), length)
    ]
    read = shares.read(client, read_share, ranges, [end - begin for _, _, begin, end, _ in ranges])
    return shares.kept(client, read), shares.told(client, read)


def read_share(path: Path, source: int, begin: int, end: int, size: int) -> Share[Part, Told]:
    """What a task does: reads what begins in a range of a file, of which the first `size` bytes count."""
    lines: list[bytes] = []
    with Parts(Shelf(Room())) as parts:
        notes = read_range(path, source, parts, lambda _, rest: lines.append(rest), begin, end, size)
        (part,) = parts.finish()
    return Share(part, Told(source, tuple(lines), tuple(notes)))


def _split(part: Part, births: Births) -> Part:
    return part.split(births)


def _sums(part: Part) -> Partial:
    return part.partial


def _merged(partials: list[Partial]) -> Partial:
    return with_few_lanes(merge(partials), Room())


def _words(part: Part) -> dict[str, tuple[str, ...]]:
    return {name: part.partial.words[name] for name in ("function", "thread")}


def _answer(part: Part, method: str, args: tuple[Any, ...]) -> Any:
    return getattr(part, method)(*args)
