"""Where columns are kept until somebody asks for them again."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from datacrumbs.analysis.columns import Column

ROOM: Final = 768 << 20
"""Bytes of what is kept that stay in memory; beyond that it goes into a file, which the kernel keeps as it sees fit."""


class Shelf:
    """Keeps columns: in memory while there is room, then in a file without a name.

    Args:
        folder: where the file is made.
        room: bytes that may be in memory.
    """

    def __init__(self, folder: Path | None, room: int = ROOM) -> None:
        self._folder, self._room = folder, room
        self._file: Any = None
        self._lock = threading.Lock()

    def keep(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        """The same columns, which nobody else may change any more. Several workers may ask at once."""
        with self._lock:
            return self._keep(columns)

    def close(self) -> None:
        """Keeps no more; the columns stay as long as somebody has them."""
        if self._file is not None:
            self._file.close()

    def _keep(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        size = sum(column.nbytes for column in columns.values())
        if size <= self._room or self._folder is None or not size:
            self._room -= size
            return dict(columns)
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  (lives as long as its columns)
        import numpy as np  # is there already, since columns are

        begin = self._file.seek(0, 2)
        for column in columns.values():
            column.tofile(self._file)
        whole: Column = np.memmap(self._file, np.uint8, "r", begin, (size,))
        kept = {}
        for name, column in columns.items():
            kept[name] = whole[: column.nbytes].view(column.dtype)
            whole = whole[column.nbytes :]
        return kept
