"""Takes lines apart in C (native/parse.c), for one of the threads that read.

Needs nothing but the C: reading begins while others still import numpy, without which no column can be looked at.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.core.errors import BusyError

if TYPE_CHECKING:
    from datacrumbs.analysis.reading.lines import LineBuffer

DICTIONARIES: Final = {"function": "functions", "thread": "threads", "file": "files", "key": "keys"}
"""Columns of numbers that stand for something, and what they stand for."""
BETWEEN: Final = "\ud800"
"""Between a function's name and its category, a host and a life: half a surrogate, which no text that was read has."""
_uncleared: Final = ffi.new_allocator(should_clear_after_alloc=False)


class Parser:
    """Takes lines apart, for one worker; a context manager."""

    def __init__(self) -> None:
        self.native = lib.dc_parser_create()
        if self.native == ffi.NULL:
            raise no_memory()
        self._rest = _uncleared("char[]", 1)
        self._busy = threading.Lock()

    def __enter__(self) -> Parser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Frees everything, when its worker is done with the lines at hand: an interrupt leaves workers behind."""
        with self._busy:
            lib.dc_parser_destroy(self.native)
            self.native = ffi.NULL

    @property
    def size(self) -> int:
        """Calls so far."""
        with self._busy:
            return int(self.native.calls.size) if self.native else 0

    def take(self, buffer: LineBuffer, source: int) -> bytes:
        """Takes the calls of the plain form out of a buffer, which is empty then, and returns the other lines.

        Args:
            buffer: whole lines.
            source: the number of the file that they come from.

        Raises:
            BusyError: memory is short.
        """
        with self._busy:
            rest = self._take(buffer, source) if self.native and buffer.size else b""
        buffer.clear()
        return rest

    def _take(self, buffer: LineBuffer, source: int) -> bytes:
        if len(self._rest) < buffer.size:
            self._rest = _uncleared("char[]", buffer.size)
        with ffi.from_buffer(buffer.data) as text:
            left = lib.dc_parser_take(self.native, text, buffer.size, f"#{source}".encode(), self._rest)
        if left < 0:
            raise no_memory()
        return bytes(ffi.buffer(self._rest, left))

    def take_span(self, fd: int, start: int, end: int, source: int) -> bytes | None:
        """Takes the calls of the plain form out of sound gzip members of a file, and returns the other lines.

        Returns:
            None where something is unusual; then nothing was taken (native/span.h).

        Raises:
            BusyError: memory is short.
            OSError: the file cannot be read.
        """
        with self._busy:
            if not self.native:
                return b""
            rest = ffi.new("char **")
            left = lib.dc_span_take(self.native, fd, start, end, f"#{source}".encode(), rest)
            if left == -errno.EILSEQ:
                return None
            if left == -errno.ENOMEM:
                raise no_memory()
            if left < 0:
                raise OSError(-left, os.strerror(-left))
            lines = bytes(ffi.buffer(rest[0], left)) if left else b""
            lib.dc_span_free(rest[0])
            return lines

    def forget(self) -> None:
        """Forgets the calls, but not what their numbers stand for."""
        with self.held() as native:
            if native is not None:
                native.calls.size = 0

    @contextmanager
    def held(self) -> Iterator[Any]:
        """The struct dc_parser, which nobody frees meanwhile; None if somebody has."""
        with self._busy:
            yield self.native or None

    def words(self, name: str) -> list[str]:
        """What the numbers in a column stand for."""
        words = _words(getattr(self.native, DICTIONARIES[name]))
        return [word.replace("\n", BETWEEN, 1) for word in words] if name == "function" else words


def _words(dictionary: Any) -> list[str]:
    text = ffi.buffer(dictionary.bytes, dictionary.size)[:].decode("latin-1")
    ends = ffi.unpack(dictionary.ends, dictionary.count)
    return [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def no_memory() -> BusyError:
    """What to raise when memory is short."""
    return BusyError("not enough memory for so many events", "give fewer traces at once")
