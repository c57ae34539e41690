"""Room for columns: in memory as long as there is some, then in files without a name, which are mapped.

Pages of such a file are memory, too, but memory that the kernel can take back: it writes them out, and reads them again
when somebody asks. So a trace that is larger than memory costs time and space on a disk, and nothing else.

Reading begins while numpy is still being imported, so it is asked for when there is a column.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from datacrumbs.core.errors import BusyError

if TYPE_CHECKING:
    from datacrumbs.analysis.reading.columns import Column

_SMALLEST: Final = 4 << 20
_LARGEST: Final = 256 << 20
"""Bytes of a file that a shelf makes: each keeps a descriptor open, and a process may have about a thousand."""


class Room:
    """Gives room for columns out, to several threads at once.

    Args:
        folder: where files are made; None: all of it is in memory.
        size: bytes that may be in memory.
    """

    def __init__(self, folder: Path | None = None, size: int = 0) -> None:
        self._folder, self._left = folder, size
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """On another machine, where that folder is not, all of it is in memory."""
        return Room, ()

    def take(self, size: int) -> bool:
        """Whether so many bytes may be in memory; then they count."""
        with self._lock:
            fits = self._folder is None or size <= self._left
            self._left -= size if fits else 0
            return fits

    def give_back(self, size: int) -> None:
        """So many bytes count no more."""
        with self._lock:
            self._left += size

    def empty(self, count: int, kind: Any) -> Column:
        """A column to write to; it counts from here on.

        Raises:
            BusyError: there is no space on the disk.
        """
        import numpy as np

        size = count * np.dtype(kind).itemsize
        return np.empty(count, kind) if self.take(size) else self.on_disk(size).view(kind)

    @contextmanager
    def lent(self, count: int, kind: Any) -> Iterator[Column]:
        """A column as `empty` gives it, which counts for a while."""
        import numpy as np

        size = count * np.dtype(kind).itemsize
        if not self.take(size):
            yield self.on_disk(size).view(kind)
            return
        try:
            yield np.empty(count, kind)
        finally:
            self.give_back(size)

    def on_disk(self, size: int) -> Column:
        """Bytes of a file of its own, which is gone when nobody has them any more.

        Raises:
            BusyError: there is no space on the disk.
        """
        import numpy as np

        if self._folder is None or not size:
            return np.empty(size, np.uint8)
        try:
            with tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
                os.posix_fallocate(file.fileno(), 0, size)  # else a full disk is a signal, when a page is written
                return np.frombuffer(mmap.mmap(file.fileno(), size), np.uint8)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            what = "has no space for" if full else f"cannot hold ({error.strerror})"
            raise BusyError(
                f"{self._folder.parent} {what} a trace that is larger than memory",
                "point TMPDIR to a folder with more space, on a disk: a tmpfs is memory",
            ) from error


class Shelf:
    """Keeps data for good, small ones in one file together; several threads may ask at once."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._block: Column | None = None
        self._size = 0

    def keep(self, data: memoryview) -> memoryview:
        """The same data, wherever they are then. Nobody may change them any more.

        Raises:
            BusyError: there is no space on the disk.
        """
        if self._room.take(data.nbytes):
            return data
        kept = self._cut(data.nbytes).data
        kept[:] = data.cast("B")
        return kept

    def copy(self, column: Column) -> Column:
        """A copy of a column on the disk.

        Raises:
            BusyError: there is no space on it.
        """
        kept = self._cut(column.nbytes).view(column.dtype)
        kept[:] = column
        return kept

    def _cut(self, size: int) -> Column:
        with self._lock:
            if self._block is None or size > len(self._block):
                self._block = self._room.on_disk(max(size, min(max(self._size, _SMALLEST), _LARGEST)))
                self._size += len(self._block)
            begin = -(-size // 8) * 8  # columns begin at multiples of their width
            cut, self._block = self._block[:size], self._block[begin:]
            return cut
