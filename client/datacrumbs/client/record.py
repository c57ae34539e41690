"""What `datacrumbs_track` leaves beside a program: the original, and a record of what was made of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

from datacrumbs.core import jsontext
from datacrumbs.core.errors import DataError, NoInputError
from datacrumbs.core.files import open_regular, read_regular, write_atomically

_MOST_BYTES: Final = 16_384
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Record:
    """The two states of a tracked program, as SHA-256 in hex, and the library that it was made to load."""

    original: str
    tracked: str
    library: str

    def write(self, path: Path) -> None:
        """Writes the record beside the program; OutputError when that fails."""
        write_atomically(record_of(path), jsontext.dump(asdict(self)) + b"\n")

    @staticmethod
    def read(path: Path) -> Record | None:
        """The record beside the program, or None where there is none that makes sense."""
        place = record_of(path)
        try:
            value = jsontext.parse(read_regular(place, _MOST_BYTES, follow=False), str(place), most_bytes=_MOST_BYTES)
        except (NoInputError, DataError):
            return None
        if not isinstance(value, dict) or set(value) != {"original", "tracked", "library"}:
            return None
        record = Record(**{name: str(member) for name, member in value.items()})
        return record if _SHA256.match(record.original) and _SHA256.match(record.tracked) else None


def backup_of(path: Path) -> Path:
    """Where the original of a tracked program is kept."""
    return path.with_name(path.name + ".datacrumbs-orig")


def record_of(path: Path) -> Path:
    """Where the record of a tracked program is kept."""
    return path.with_name(path.name + ".datacrumbs.json")


@contextmanager
def opened(path: Path, *, follow: bool = False) -> Iterator[BufferedReader]:
    """A regular file for reading; NoInputError for anything else, such as a symbolic link unless we `follow`."""
    with open_regular(path, follow=follow) as fd, os.fdopen(os.dup(fd), "rb") as file:
        yield file
