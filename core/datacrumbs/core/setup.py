"""What was put on a node for DataCrumbs, remembered so that all of it can be taken away again.

Files are written whole, or a marked block is added to a file of the site's own:

    # BEGIN datacrumbs
    …
    # END datacrumbs
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Final

from datacrumbs.core.errors import DataCrumbsError
from datacrumbs.core.files import make_folder, read_regular, write_atomically

BEGIN: Final = "# BEGIN datacrumbs"
END: Final = "# END datacrumbs"
_BLOCK: Final = re.compile(rf"(?:^|(?<=\n)){BEGIN}\n.*?{END}\n", re.DOTALL)
_MOST: Final = 16 << 20


class Record:
    """The list of what was put on this node; it is kept in a file, which goes away with the last entry."""

    def __init__(self, path: Path) -> None:
        """Reads the list; one that is missing or unreadable is empty."""
        self._path = path
        self._files: set[str] = set()
        self._blocks: set[str] = set()
        with contextlib.suppress(DataCrumbsError, ValueError, KeyError, TypeError):
            document = json.loads(read_regular(path, _MOST))
            self._files, self._blocks = set(document["files"]), set(document["blocks"])

    def is_empty(self) -> bool:
        """Whether nothing was put on this node."""
        return not self._files and not self._blocks

    def write(self, path: Path, data: bytes, mode: int = 0o644) -> None:
        """Writes a file of ours. One that holds just that already, and was not put by us, stays whoever's it is.

        Raises:
            OutputError: it cannot be written.
        """
        if _holds(path, data):
            return
        self._files.add(str(path))
        self._keep()
        make_folder(path.parent, 0o755)
        write_atomically(path, data, mode=mode)

    def add_block(self, path: Path, text: str) -> None:
        """Adds our lines to a file, or replaces those that are there.

        Raises:
            OutputError: it cannot be written.
        """
        self._blocks.add(str(path))
        self._keep()
        make_folder(path.parent, 0o755)
        mode, before = _text(path)
        after = _BLOCK.sub("", before)
        if after and not after.endswith("\n"):
            after += "\n"
        after += f"{BEGIN}\n{text.rstrip()}\n{END}\n"
        if after != before:
            write_atomically(path, after.encode("utf-8", "surrogateescape"), mode=mode)

    def remove(self) -> list[str]:
        """Takes away all that is in the list, and the list; returns what was there of it.

        Raises:
            OutputError: a file cannot be written.
        """
        gone = []
        for name in sorted(self._blocks):
            path = Path(name)
            mode, before = _text(path)
            after = _BLOCK.sub("", before)
            if after == before:
                continue
            gone.append(name)
            if after.strip():
                write_atomically(path, after.encode("utf-8", "surrogateescape"), mode=mode)
            else:
                path.unlink(missing_ok=True)
        for name in sorted(self._files):
            if Path(name).exists() or Path(name).is_symlink():
                gone.append(name)
            Path(name).unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        for name in sorted(self._files | self._blocks | {str(self._path)}, reverse=True):
            with contextlib.suppress(OSError):  # not empty, or gone
                if "datacrumbs" in Path(name).parent.name or Path(name).parent.name == "keys.d":
                    Path(name).parent.rmdir()
                    Path(name).parent.parent.rmdir()
        return gone

    def _keep(self) -> None:
        make_folder(self._path.parent, 0o700)
        document = {"files": sorted(self._files), "blocks": sorted(self._blocks)}
        write_atomically(self._path, json.dumps(document, indent=1).encode(), mode=0o600)


def has_block(path: Path) -> bool:
    """Whether a file holds lines of ours."""
    return bool(_BLOCK.search(_text(path)[1]))


def without_block(path: Path) -> str:
    """A file's text without our lines; empty where there is no such file."""
    return _BLOCK.sub("", _text(path)[1])


def _text(path: Path) -> tuple[int, str]:
    if not path.exists():
        return 0o644, ""
    return path.stat().st_mode & 0o7777, read_regular(path, _MOST).decode("utf-8", "surrogateescape")


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.is_file() and not path.is_symlink() and path.read_bytes() == data
    except OSError:
        return False
