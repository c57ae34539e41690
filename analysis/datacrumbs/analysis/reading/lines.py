"""Whole lines, gathered in memory that C reads, and a way for DuckDB to read lines as if they were a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

MAX_LINE: Final = 1 << 20
"""Longest line that is looked at, in bytes; a longer one is left out and counted."""
SLACK: Final = 64
"""Bytes behind the lines that C may read (native/words.h)."""


class LineBuffer:
    """Takes text in pieces of any kind and holds its whole lines.

    The `[` with which a trace begins and the `]` with which some end are no records and are left out.
    """

    def __init__(self) -> None:
        self.data = bytearray(SLACK)
        """The lines are the first `size` bytes; at least `SLACK` more follow."""
        self.size = 0
        """Bytes of whole lines."""
        self.overlong = 0
        """Lines that were left out because they are longer than `MAX_LINE`."""
        self._tail = b""
        self._skipping = False
        self._mark = 0
        self._at_start = True

    def add(self, piece: bytes) -> None:
        """Appends text; a line's last part may come later."""
        if self._at_start and piece:
            piece = piece[len(_opening(piece)) :]
            self._at_start = False
        end = piece.rfind(b"\n") + 1
        if end:
            begin = piece.find(b"\n") + 1 if self._skipping else 0
            self._skipping = False
            self._write(self._tail)
            self._write(memoryview(piece)[begin:end])
            self._tail = piece[end:]
        elif not self._skipping:
            self._tail += piece
        if len(self._tail) > MAX_LINE:
            self._tail = b""
            self._skipping = True
            self.overlong += 1

    def end_member(self) -> None:
        """What came so far is sound: `drop_member` goes back to here."""
        self._mark = self.size
        self._at_start = not self._tail

    def drop_member(self) -> None:
        """Forgets what came since the last `end_member` and is still here."""
        self.size = self._mark
        self._tail = b""
        self._skipping = False
        self._at_start = True

    def end(self, *, cut: bool = False) -> bool:
        """No more text comes.

        Args:
            cut: the text ends where a file was cut off, so a last line without a line end is not whole.

        Returns:
            Whether the text ended in the middle of a line, which is then left out.
        """
        tail, self._tail = self._tail.rstrip(), b""
        if tail.endswith(b"}") and not cut:
            self._write(tail + b"\n")
        closing = b"\n]\n"
        if self.data[max(0, self.size - len(closing)) : self.size] == closing:
            self.size -= len(closing) - 1
        return bool(tail) and not tail.endswith((b"}", b"]"))

    @property
    def lines(self) -> bytes:
        """A copy of the whole lines."""
        return bytes(memoryview(self.data)[: self.size])

    def clear(self) -> None:
        """Forgets the whole lines, but not the part of a line that waits for its end."""
        self.size = self._mark = 0

    def _write(self, data: bytes | memoryview) -> None:
        end = self.size + len(data)
        if end + SLACK > len(self.data):
            self.data.extend(bytes(end + SLACK - len(self.data) + len(self.data) // 2))
        self.data[self.size : end] = data
        self.size = end


@contextmanager
def as_file(pieces: Iterable[bytes]) -> Iterator[str]:
    """The name under which this process can read some text until the end of the context."""
    fd = os.memfd_create("datacrumbs-lines", os.MFD_CLOEXEC)
    try:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(fd, view) :]
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _opening(piece: bytes) -> bytes:
    """The line with the bracket that opens a JSON array, if the text begins with one."""
    for opening in (b"[\n", b"[\r\n"):
        if piece.startswith(opening):
            return opening
    return b""
