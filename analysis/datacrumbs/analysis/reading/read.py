"""From trace files to lines that are taken apart: several workers inflate, each as much as it can get.

Calls of the plain form, nearly all lines, go straight into columns (native/parse.c: millions a second on one core); all
other lines go to whoever asked for them. What is read is always whole lines in memory, never the file itself, so that a
damaged or growing file is no special case.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from datacrumbs.analysis.progress import Progress
from datacrumbs.analysis.reading import members
from datacrumbs.analysis.reading.lines import MAX_LINE, LineBuffer
from datacrumbs.analysis.reading.members import SPAN, Damage, MemberEnd, Span
from datacrumbs.core.files import open_regular, read_error

if TYPE_CHECKING:
    from datacrumbs.analysis.reading.columns import Sink, Worker

CHUNK: Final = 2 << 20
"""Bytes of text that are taken apart at once: they stay in the processor's cache."""
REST: Final = 32 << 20
"""Bytes of other lines that go into the table at once: more rows than one of DuckDB's row groups."""
MAX_SPAN: Final = 64 << 20
"""Compressed bytes of a span that is read in one go; members that are longer are read piece by piece."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a reader of the answers must know about one trace file."""

    path: Path
    text: str


class Others(Protocol):
    """Takes lines that are no plain calls, from any worker."""

    def __call__(self, source: int, buffer: LineBuffer, /) -> None: ...


@dataclass(slots=True)
class _Job:
    """What the workers on one command share."""

    sink: Sink
    others: Others
    progress: Progress
    stop: threading.Event
    notes: list[tuple[int, int, str]] = field(default_factory=list)
    """Source, offset and text of each note: workers finish in any order, so they are sorted at the end."""


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
    job = _Job(sink, others, progress, stop or threading.Event())
    with ThreadPoolExecutor(workers, thread_name_prefix="datacrumbs-read") as pool:
        for source, path in enumerate(paths):
            if job.stop.is_set():
                break
            try:
                with open_regular(path, follow=True) as fd:
                    size = os.fstat(fd).st_size
                    part = _File(source, fd, size)
                    _finish(job, [pool.submit(_read, job, part) for _ in range(min(workers, 1 + size // SPAN))])
            except OSError as error:
                raise read_error(path, error) from error
    return [Note(paths[source], text) for source, _, text in sorted(job.notes)]


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
    job = _Job(sink, others, lambda _: None, threading.Event())
    try:
        with open_regular(path, follow=True) as fd:
            _read(job, _File(source, fd, size, begin, end))
    except OSError as error:
        raise read_error(path, error) from error
    return [Note(path, text) for _, _, text in sorted(job.notes)]


def _finish(job: _Job, futures: list[Future[None]]) -> None:
    """Waits for the workers; when one fails, or the user gives up, the others stop soon."""
    try:
        for future in as_completed(futures):
            future.result()
    finally:
        if not all(future.done() for future in futures):
            job.stop.set()


class _File:
    """A part of a trace file, cut into spans that workers take one by one.

    What is appended to a growing file from here on is left for another time.

    Args:
        source: the file's number.
        fd: the file.
        size: of the file, or of what counts of it.
        begin: the first byte of the part, which is of whole members: of those that begin in it.
        end: the byte behind it.
    """

    def __init__(self, source: int, fd: int, size: int, begin: int = 0, end: int | None = None) -> None:
        self.source, self.fd, self.is_gzip = source, fd, members.is_gzip(fd)
        end = size if end is None else end
        if self.is_gzip:
            begin, end = (members.boundary(fd, size, at) if 0 < at < size else at for at in (begin, end))
            self._spans = members.spans(fd, begin, end)
        else:
            self._spans = iter([Span(0, size)] if begin == 0 else [])
        self._lock = threading.Lock()

    def take(self) -> Span | None:
        """The next span, for whichever worker asks first; None when there is none left."""
        with self._lock:
            return next(self._spans, None)

    def text(self, span: Span) -> Iterator[bytes | MemberEnd | Damage]:
        """The text of a span, piece by piece."""
        return members.inflate(self.fd, span) if self.is_gzip else members.read_plain(self.fd, span.end)


def _read(job: _Job, file: _File) -> None:
    """One worker: takes the calls of spans as long as there are any."""
    worker = job.sink.worker()
    buffer, rest = LineBuffer(), LineBuffer()
    while (span := file.take()) and not job.stop.is_set():
        lines = _short_way(worker, file, span)
        if lines is not None:
            rest.add(lines)
            job.progress(span.end - span.start)
        else:
            for _ in _gather(job, file, span, buffer):
                rest.add(worker.parser.take(buffer, file.source))
                worker.taken(file.source, span.start)
                _pass_on(job, rest, file.source, REST)
            rest.add(worker.parser.take(buffer, file.source))
        worker.end_part(file.source, span.start)
        _pass_on(job, rest, file.source, REST)
    _pass_on(job, rest, file.source, 1)
    if buffer.overlong:
        text = f"{buffer.overlong} lines longer than {MAX_LINE} bytes were left out"
        job.notes.append((file.source, 0, text))


def _short_way(worker: Worker, file: _File, span: Span) -> bytes | None:
    """Lines that are no plain calls; None where the span is not sound from end to end, or very long."""
    if not file.is_gzip or span.end - span.start > MAX_SPAN:
        return None
    return worker.parser.take_span(file.fd, span.start, span.end, file.source)


def _pass_on(job: _Job, rest: LineBuffer, source: int, least: int) -> None:
    """Hands on lines that are no plain calls, if they are many."""
    if rest.size >= least:
        job.others(source, rest)
        rest.clear()


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
