"""Where a library is that is named as programs name it: libc.so.6.

The loader's own cache knows, and `ldconfig -p` prints it; Python's ctypes.util asks it in the same way.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import Final

from datacrumbs.core import elf
from datacrumbs.core.errors import DataCrumbsError, NoInputError

_LINE: Final = re.compile(r"^\t(\S+) \([^)]*\) => (/.*)$", re.MULTILINE)
_LDCONFIG: Final = ("/sbin/ldconfig", "/usr/sbin/ldconfig")
_DEADLINE: Final = 10.0


def locate(file: str) -> str:
    """The real path of a program or library.

    Args:
        file: an absolute path, or a bare library name.

    Raises:
        NoInputError: the loader knows no such library for this machine.
    """
    if "/" in file:
        return os.path.realpath(file)
    for path in _candidates(file):
        try:
            elf.read(path)
        except DataCrumbsError:
            continue  # of another architecture
        return os.path.realpath(path)
    raise NoInputError(f"the loader knows no library '{file}'", "give its absolute path, or run ldconfig")


def _candidates(soname: str) -> list[str]:
    for program in _LDCONFIG:
        try:
            listing = subprocess.run(
                [program, "-p"],
                capture_output=True,
                text=True,
                timeout=_DEADLINE,
                env={"LC_ALL": "C"},
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        return [path for name, path in _LINE.findall(listing.stdout) if name == soname]
    return []
