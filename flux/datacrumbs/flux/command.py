"""Asking the installed Flux: its command line, which every Flux has, in bounded time."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

_PLACES: Final = ("/usr/bin/flux", "/usr/local/bin/flux", "/opt/flux/bin/flux")
SECONDS: Final = 20.0


def find() -> str:
    """Flux's command: from PATH, or from where it usually is, since root's PATH may be short; empty where it is not."""
    return shutil.which("flux") or next((place for place in _PLACES if os.access(place, os.X_OK)), "")


def ask(flux: str, *arguments: str) -> str | None:
    """What a flux command answers; None where it fails, or does not answer within `SECONDS`."""
    try:
        done = subprocess.run(
            [flux, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def folder(flux: str, key: str) -> Path | None:
    """One of the folders that Flux was built with: a key of `flux config builtin`."""
    answer = ask(flux, "config", "builtin", key)
    return Path(answer) if answer and answer.startswith("/") else None
