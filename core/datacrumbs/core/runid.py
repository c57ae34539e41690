"""Run ids: one word that names a run in file names, units and traces."""

from __future__ import annotations

import re
from typing import Final

from datacrumbs.core.errors import UsageError

MAX_LENGTH: Final = 128
_RUN_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@-]*\Z")


def check(run_id: str) -> str:
    """The run id, if it is one.

    Raises:
        UsageError: it is empty, too long, or holds anything but letters, digits and `_.+=@-`, or begins with a sign
            other than `_`.
    """
    if len(run_id) > MAX_LENGTH:
        raise UsageError(f"the run id has {len(run_id)} characters", f"use at most {MAX_LENGTH}")
    if not _RUN_ID.match(run_id):
        raise UsageError(f"'{run_id}' is no run id", "use letters, digits and _.+=@- only, beginning with a letter")
    return run_id


def fnv1a(text: bytes) -> int:
    """FNV-1a, 64 bit, as in core/include/datacrumbs/marker.h: the run token, and the hash of names in a trace."""
    value = 0xCBF29CE484222325
    for byte in text:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
