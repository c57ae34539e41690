"""Debugging information that several files share: dwz(1) moves it into a file of its own, as many distributions do.

`.gnu_debugaltlink` holds that file's name, which is relative to the file that names it, and its build id (DWARF 5,
appendix E.3, has the same under the name of supplementary object files).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from datacrumbs.core import elf
from datacrumbs.core.errors import DataCrumbsError
from datacrumbs.core.files import open_regular
from elftools.elf.elffile import ELFFile

SECTION: Final = ".gnu_debugaltlink"
_MAX_LINK: Final = 4_096
_NOTE_HEAD: Final = 16
"""Three sizes and "GNU", in bytes, before a note's own content (elf(5))."""


@contextlib.contextmanager
def opened(file: ELFFile, path: str | Path) -> Iterator[Any]:
    """The file that another one shares debugging information with, open for reading; None where there is none.

    Args:
        file: the one that names it.
        path: where that is.
    """
    with contextlib.ExitStack() as stack:
        stream = None
        with contextlib.suppress(DataCrumbsError, ValueError):
            section = file.get_section_by_name(SECTION)
            if section is not None:
                name, _, build_id = elf.content(section, _MAX_LINK).partition(b"\0")
                # Not resolved first: names such as ../../.dwz/x lead through links as the file system has them.
                place = os.path.join(Path(path).parent, os.fsdecode(name))  # noqa: PTH118 - an absolute name stands alone
                fd = stack.enter_context(open_regular(place, follow=True))
                candidate = stack.enter_context(os.fdopen(os.dup(fd), "rb"))
                if _build_id(elf.parse(candidate, place)) == build_id:
                    stream = candidate
                    stream.seek(0)
        yield stream


def _build_id(file: ELFFile) -> bytes:
    """Such a file has no segments, from which `elf.read` takes the build id, but the section."""
    section = file.get_section_by_name(".note.gnu.build-id")
    return elf.content(section, _MAX_LINK)[_NOTE_HEAD:] if section is not None else b""
