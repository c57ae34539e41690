"""Which files a command line means."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from datacrumbs.core.errors import NoInputError
from datacrumbs.core.files import read_error

SUFFIXES: Final = (".pfw.gz", ".pfw")
"""What a trace in a folder is called."""


def find(names: Sequence[str]) -> list[Path]:
    """The trace files behind names of files and folders, each file once, in a stable order.

    A file may have any name. Of a folder, and of the folders in it, every file that ends in one of `SUFFIXES` is taken.

    Raises:
        NoInputError: a name does not exist, cannot be read, or a folder holds no trace.
    """
    found: dict[tuple[int, int], Path] = {}
    for name in names:
        for path in _expand(Path(name)):
            try:
                status = path.stat()
            except OSError as error:
                raise read_error(path, error) from error
            found.setdefault((status.st_dev, status.st_ino), path)
    return list(found.values())


def _expand(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        traces = sorted(_walk(path))
    except (OSError, ValueError) as error:
        if isinstance(error, OSError):
            raise read_error(path, error) from error
        raise NoInputError(f"{str(path)!r} is not a file name", "give another name") from error
    if not traces:
        raise NoInputError(
            f"{path} holds no trace (*{' or *'.join(SUFFIXES)})", "name the folder that the runtime named"
        )
    return traces


def _walk(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    for parent, _, files in os.walk(folder, onerror=fail):
        yield from (Path(parent, file) for file in files if file.endswith(SUFFIXES))
