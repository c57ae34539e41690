"""Where a file's debugging information is: in the file, or in one of its own beside it or under its build id.

GDB's manual, "Debugging Information in Separate Files", and debuginfod's cache (debuginfod_find_debuginfo(3)).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from datacrumbs.core import elf
from datacrumbs.core.errors import DataCrumbsError
from datacrumbs.core.files import open_regular
from elftools.elf.elffile import ELFFile

FOLDERS: Final = (Path("/usr/lib/debug"), Path("/usr/local/lib/debug"))
_MAX_LINK: Final = 4_096
_LONGEST_NAME: Final = 255
"""NAME_MAX, in bytes."""


def candidates(path: str, build_id: str) -> Iterator[Path]:
    """The files that may hold a file's debugging information, the likeliest first.

    Args:
        path: the file, its real path.
        build_id: its build id in hex; "" or "sha256:…" where it has none.
    """
    yield Path(path)
    plain = build_id if build_id and ":" not in build_id else ""
    if plain:
        for folder in FOLDERS:
            yield folder / ".build-id" / plain[:2] / f"{plain[2:]}.debug"
        cache = os.environ.get("DEBUGINFOD_CACHE_PATH") or str(
            Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "debuginfod_client"
        )
        yield Path(cache) / plain / "debuginfo"
    linked = _debug_link(path)
    if linked:
        folder = Path(path).parent
        yield folder / linked
        yield folder / ".debug" / linked
        for top in FOLDERS:
            yield top / str(folder).lstrip("/") / linked


def _debug_link(path: str) -> str:
    """The name in `.gnu_debuglink`, "" where there is none."""
    try:
        with open_regular(path) as fd, open(fd, "rb", closefd=False) as stream:
            section = ELFFile(stream).get_section_by_name(".gnu_debuglink")
            if section is None:
                return ""
            name = elf.content(section, _MAX_LINK).partition(b"\0")[0].decode("utf-8", "replace")
    except DataCrumbsError:
        return ""
    except Exception:
        return ""  # a damaged file: whoever reads its symbols will say so
    return name if name and "/" not in name and len(os.fsencode(name)) <= _LONGEST_NAME else ""
