"""From trace files to columns: several workers inflate, and take lines apart.

Calls of the plain form, nearly all lines, go straight into columns (native/parse.c: millions a second on one core).
What is left goes through DuckDB's JSON reader into the table `records`: it knows all of JSON, no line can break it, and
since its version 2.0 an unfinished line leaves its neighbour alone.
What both read is always a buffer of whole lines in memory, never the file itself, so that a damaged or growing file is
no special case for them.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
from datacrumbs.analysis import members, schema
from datacrumbs.analysis.columns import Calls, Collector, Function, Parser, Rows, Thread, function_word, thread_word
from datacrumbs.analysis.lines import MAX_LINE, LineBuffer
from datacrumbs.analysis.members import Damage, MemberEnd, Span
from datacrumbs.analysis.progress import Progress
from datacrumbs.core.files import open_regular, read_error

CHUNK: Final = 2 << 20
"""Bytes of text that are taken apart at once: they stay in the processor's cache."""
REST: Final = 32 << 20
"""Bytes of other lines that go into the table at once: more rows than one of DuckDB's row groups."""
MAX_OBJECT: Final = 4 << 20
"""DuckDB's limit for one line; the line buffer keeps all of them well below it."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a reader of the answers must know about one trace file."""

    path: Path
    text: str


@dataclass(slots=True)
class _Job:
    """What the workers on one command share."""

    database: duckdb.DuckDBPyConnection
    progress: Progress
    collector: Collector
    notes: list[tuple[int, int, str]] = field(default_factory=list)
    """Source, offset and text of each note: workers finish in any order, so they are sorted at the end."""
    stop: threading.Event = field(default_factory=threading.Event)


def load(
    database: duckdb.DuckDBPyConnection, paths: Sequence[Path], progress: Progress, workers: int
) -> tuple[Calls, list[Note]]:
    """Reads trace files: calls become columns, all other lines rows of `records`.

    Args:
        database: where `schema.TABLES` exists.
        paths: the files; a record's `source` is its file's index here.
        progress: is told of compressed bytes that were read.
        workers: how many threads inflate and take apart.

    Returns:
        The calls; what could not be read, and why, in the order of the files.

    Raises:
        NoInputError: a file cannot be opened or read.
        BusyError: memory is short.
    """
    with Collector() as collector:
        job = _Job(database, progress, collector)
        with ThreadPoolExecutor(workers, thread_name_prefix="datacrumbs-read") as pool:
            for source, path in enumerate(paths):
                try:
                    with open_regular(path, follow=True) as fd:
                        part = _File.of(source, fd)
                        _finish(job, [pool.submit(_read, job, part) for _ in range(min(workers, len(part.spans)))])
                except OSError as error:
                    raise read_error(path, error) from error
        calls = collector.finish(_odd(database))
    return calls, [Note(paths[source], text) for source, _, text in sorted(job.notes)]


def _odd(database: duckdb.DuckDBPyConnection) -> Rows:
    """Takes the calls out of `records`."""
    numbers = database.execute(schema.ODD_NUMBERS).fetchnumpy()
    texts = database.execute(schema.ODD_TEXTS).fetchall()
    database.execute(schema.FORGET_ODD)
    return Rows(
        {name: np.asarray(column) for name, column in numbers.items()},
        {
            "function": [function_word(Function(name, category)) for name, category, *_ in texts],
            "thread": [thread_word(Thread(host, pid, tid)) for _, _, host, pid, tid, _, _ in texts],
            "file": [row[5] for row in texts],
            "key": [row[6] for row in texts],
        },
    )


def _finish(job: _Job, futures: list[Future[None]]) -> None:
    """Waits for the workers; when one fails, or the user gives up, the others stop soon."""
    try:
        for future in as_completed(futures):
            future.result()
    finally:
        if not all(future.done() for future in futures):
            job.stop.set()
            job.database.interrupt()


@dataclass(frozen=True, slots=True)
class _File:
    """A trace file, cut into spans that workers take one by one; `starts` is where members begin, if it has any.

    What is appended to a growing file from here on is left for another time.
    """

    source: int
    fd: int
    starts: list[int]
    spans: deque[Span]

    @staticmethod
    def of(source: int, fd: int) -> _File:
        size = os.fstat(fd).st_size
        if not members.is_gzip(fd):
            return _File(source, fd, [], deque([Span(0, size)]))
        starts = members.boundaries(fd, size)
        return _File(source, fd, starts, deque(members.spans(starts, size)))

    def take(self) -> Span | None:
        """The next span, for whichever worker asks first; None when there is none left."""
        with contextlib.suppress(IndexError):
            return self.spans.popleft()
        return None

    def text(self, span: Span) -> Iterator[bytes | MemberEnd | Damage]:
        return members.inflate(self.fd, span, self.starts) if self.starts else members.read_plain(self.fd, span.end)


def _read(job: _Job, file: _File) -> None:
    """One worker: inflates spans as long as there are any, and takes their lines apart a chunk at a time."""
    number, parser = job.collector.worker()
    with job.database.cursor() as cursor, LineBuffer() as buffer, LineBuffer() as rest:
        while (span := file.take()) and not job.stop.is_set():
            begin = parser.size
            for _ in _gather(job, file, span, buffer):
                rest.add(_take(parser, buffer, file.source))
                if rest.size >= REST:
                    _insert(cursor, rest, file.source)
            rest.add(_take(parser, buffer, file.source))
            job.collector.segment(file.source, span.start, number, begin)
        _insert(cursor, rest, file.source)
        if buffer.overlong:
            text = f"{buffer.overlong} lines longer than {MAX_LINE} bytes were left out"
            job.notes.append((file.source, 0, text))


def _take(parser: Parser, buffer: LineBuffer, source: int) -> bytes:
    """Moves the plain calls of a buffer into columns, and returns the other lines."""
    if not buffer.size:
        return b""
    with buffer.view() as lines:
        rest = parser.take(lines, source)
    buffer.clear()
    return rest


def _gather(job: _Job, file: _File, span: Span, buffer: LineBuffer) -> Iterator[None]:
    """Moves a span's lines into the buffer, and yields each time it is full."""
    at = span.start
    cut = False
    for piece in file.text(span):
        if job.stop.is_set():
            return
        if isinstance(piece, bytes):
            buffer.add(piece)
        elif isinstance(piece, MemberEnd):
            buffer.end_member()
            job.progress(piece.next - at)
            at = piece.next
        else:
            cut = _take_damage(job, file.source, buffer, piece)
        if buffer.size >= CHUNK:
            yield
    if buffer.end(cut=cut) and not cut:
        job.notes.append((file.source, span.end, "ends in the middle of a line: read to its last whole line"))


def _take_damage(job: _Job, source: int, buffer: LineBuffer, damage: Damage) -> bool:
    """Keeps or forgets the damaged member's text. Returns whether the file was cut there."""
    if damage.cut:
        text = "still being written, or cut off: read to its last whole line"
    else:
        buffer.drop_member()
        text = f"damaged at byte {damage.offset} ({damage.reason}): that part was left out"
    job.notes.append((source, damage.offset, text))
    return damage.cut


def _insert(cursor: duckdb.DuckDBPyConnection, buffer: LineBuffer, source: int) -> None:
    if buffer.size:
        buffer.seal()
        cursor.execute(schema.insert(buffer.path, source, MAX_OBJECT))
        buffer.clear()


@contextlib.contextmanager
def database(spill: Path, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty DuckDB in memory that reads nothing but what it is told to.

    Args:
        spill: a folder for what does not fit into memory.
        threads: how many it may use.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "temp_directory": str(spill),
        "preserve_insertion_order": False,
        # Else DuckDB may come to pack the table in the middle of loading it, at twice the memory and a third more time.
        "checkpoint_threshold": "16TB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }
    with duckdb.connect(":memory:", config=settings) as connection:
        connection.execute(schema.TABLES)
        yield connection
