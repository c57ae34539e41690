"""From trace files to lines that are taken apart: several workers inflate, each as much as it can get.

Calls of the plain form, nearly all lines, go straight into columns (native/parse.c: millions a second on one core); all
other lines go to whoever asked for them. What is read is always whole lines in memory, never the file itself, so that a
damaged or growing file is no special case.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from datacrumbs.analysis.progress import Progress
from datacrumbs.analysis.reading import members
from datacrumbs.analysis.reading.lines import MAX_LINE, LineBuffer
from datacrumbs.analysis.reading.machine import started_pool
from datacrumbs.analysis.reading.members import Damage, MemberEnd, Span
from datacrumbs.core.files import open_regular, read_error

if TYPE_CHECKING:
    from datacrumbs.analysis.reading.columns import Sink, Worker

CHUNK: Final = 2 << 20
"""Bytes of text that are taken apart at once: they stay in the processor's cache."""
REST: Final = 4 << 20
"""Bytes of other lines that are handed on at once, at least, unless a part has no more."""
MAX_SPAN: Final = 64 << 20
"""Compressed bytes of a span that is read in one go; members that are longer are read piece by piece."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a reader of the answers must know about one trace file."""

    path: Path
    text: str


class Others(Protocol):
    """Takes lines that are no plain calls, from any worker."""

    def __call__(self, source: int, lines: bytes, /) -> None: ...


@dataclass(frozen=True, slots=True)
class _Part:
    """A span of a trace file, which is open for whoever reads it."""

    source: int
    path: Path
    fd: int
    is_gzip: bool
    span: Span

    def text(self) -> Iterator[bytes | MemberEnd | Damage]:
        """Its text, piece by piece."""
        return members.inflate(self.fd, self.span) if self.is_gzip else members.read_plain(self.fd, self.span.end)


@dataclass(slots=True)
class _Job:
    """What the workers on one command share."""

    sink: Sink
    others: Others
    progress: Progress
    stop: threading.Event
    parts: Iterator[_Part]
    notes: list[tuple[int, int, str]] = field(default_factory=list)
    """Source, offset and text of each note: workers finish in any order, so they are sorted at the end."""
    overlong: Counter[int] = field(default_factory=Counter)
    """How many lines of each source are longer than `MAX_LINE`."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> _Part | None:
        """The next part, for whichever worker asks first; None when there is none left."""
        with self.lock:
            return next(self.parts, None)

    def told(self, paths: Mapping[int, Path]) -> list[Note]:
        """All notes, in the order of the files."""
        for source, count in self.overlong.items():
            self.notes.append((source, 0, f"{count} lines longer than {MAX_LINE} bytes were left out"))
        return [Note(paths[source], text) for source, _, text in sorted(self.notes)]


def read(
    paths: Sequence[Path], sink: Sink, others: Others, progress: Progress, workers: int,
    stop: threading.Event | None = None,
) -> list[Note]:  # fmt: skip
    """Reads trace files: plain calls go into the sink, all other lines to `others`.

    Args:
        paths: the files.
        sink: where plain calls go.
        others: takes all other lines; a line's source is its file's index in `paths`.
        progress: is told of compressed bytes that were read.
        workers: how many threads inflate and take apart.
        stop: set by whoever wants none of it any more.

    Returns:
        What could not be read, and why, in the order of the files.

    Raises:
        NoInputError: a file cannot be opened or read.
        BusyError: memory is short.
    """
    with closing(part for source, path in enumerate(paths) for part in _parts(source, path)) as parts:
        job = _Job(sink, others, progress, stop or threading.Event(), parts)
        with started_pool(workers, "datacrumbs-read") as pool:
            _finish(job, [pool.submit(_read, job) for _ in range(workers)])
    return job.told(dict(enumerate(paths)))


def read_range(path: Path, source: int, sink: Sink, others: Others, begin: int, end: int, size: int) -> list[Note]:
    """Reads, in this thread, the members of a file that begin in a range of its bytes.

    Args:
        path: the file; others read the rest of it.
        source: its number.
        sink: where plain calls go.
        others: takes all other lines.
        begin: the range's first byte.
        end: the byte behind it.
        size: of the file, or of what counts of it.

    Raises:
        NoInputError: the file cannot be opened or read.
        BusyError: memory is short.
    """
    with closing(_parts(source, path, begin, end, size)) as parts:
        job = _Job(sink, others, lambda _: None, threading.Event(), parts)
        _read(job)
    return job.told({source: path})


def _finish(job: _Job, futures: list[Future[None]]) -> None:
    """Waits for the workers; when one fails, or the user gives up, the others stop soon."""
    try:
        for future in as_completed(futures):
            future.result()
    finally:
        if not all(future.done() for future in futures):
            job.stop.set()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise read_error(path, error) from error


def _parts(
    source: int, path: Path, begin: int = 0, end: int | None = None, size: int | None = None
) -> Generator[_Part, None, None]:
    """Cuts a trace file, or what begins in a range of it, into parts.

    What is appended to a growing file from here on is left for another time.
    """
    with _reading(path), open_regular(path, follow=True) as fd:
        size = os.fstat(fd).st_size if size is None else size
        end = size if end is None else end
        is_gzip = members.is_gzip(fd)
        if is_gzip:
            begin, end = (members.boundary(fd, size, at) if 0 < at < size else at for at in (begin, end))
            spans = members.spans(fd, begin, end)
        else:
            spans = iter([Span(0, size)] if begin == 0 else [])
        for span in spans:
            yield _Part(source, path, os.dup(fd), is_gzip, span)


def _read(job: _Job) -> None:
    """One worker: takes the calls of parts as long as there are any."""
    worker, buffer = job.sink.worker(), LineBuffer()
    while not job.stop.is_set() and (part := job.take()):
        try:
            with _reading(part.path):
                _take(job, worker, part, buffer)
        finally:
            os.close(part.fd)


def _take(job: _Job, worker: Worker, part: _Part, buffer: LineBuffer) -> None:
    """Takes the calls of a part, and hands all other lines on."""
    source, span, overlong = part.source, part.span, buffer.overlong
    rest = LineBuffer()
    lines = _short_way(worker, part)
    if lines is not None:
        rest.add(lines)
        job.progress(span.end - span.start)
    else:
        for _ in _gather(job, part, buffer):
            rest.add(worker.parser.take(buffer, source))
            worker.taken(source, span.start)
            if rest.size >= REST:
                job.others(source, rest.lines)
                rest.clear()
        rest.add(worker.parser.take(buffer, source))
    worker.end_part(source, span.start)
    if rest.size:
        job.others(source, rest.lines)
    if buffer.overlong > overlong:
        with job.lock:
            job.overlong[source] += buffer.overlong - overlong


def _short_way(worker: Worker, part: _Part) -> bytes | None:
    """Lines that are no plain calls; None where the span is not sound from end to end, or very long."""
    if not part.is_gzip or part.span.end - part.span.start > MAX_SPAN:
        return None
    return worker.parser.take_span(part.fd, part.span.start, part.span.end, part.source)


def _gather(job: _Job, part: _Part, buffer: LineBuffer) -> Iterator[None]:
    """Moves a part's lines into the buffer, and yields each time it is full."""
    at = part.span.start
    cut = False
    for piece in part.text():
        if job.stop.is_set():
            return
        if isinstance(piece, bytes):
            buffer.add(piece)
        elif isinstance(piece, MemberEnd):
            buffer.end_member()
            job.progress(piece.next - at)
            at = piece.next
        else:
            cut = _take_damage(job, part.source, buffer, piece)
        if buffer.size >= CHUNK:
            yield
    if buffer.end(cut=cut) and not cut:
        job.notes.append((part.source, part.span.end, "ends in the middle of a line: read to its last whole line"))


def _take_damage(job: _Job, source: int, buffer: LineBuffer, damage: Damage) -> bool:
    """Keeps or forgets the damaged member's text. Returns whether the file was cut there."""
    if damage.cut:
        text = "still being written, or cut off: read to its last whole line"
    else:
        buffer.drop_member()
        text = f"damaged at byte {damage.offset} ({damage.reason}): that part was left out"
    job.notes.append((source, damage.offset, text))
    return damage.cut
