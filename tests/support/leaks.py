"""What of ours is in the kernel that no process holds any more."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from pathlib import Path

PATIENCE = 5.0
"""Seconds until the kernel has undone what a killed process held."""


def programs_of(pid: int) -> set[int]:
    """Ids of the BPF programs that a process holds, itself or through links."""
    held = set()
    for info in Path(f"/proc/{pid}/fdinfo").glob("*"):
        with contextlib.suppress(OSError):
            held |= {int(line.split()[1]) for line in info.read_text().splitlines() if line.startswith("prog_id:")}
    return held


def orphans() -> list[str]:
    """Our BPF programs, and links to them, as bpftool shows them, that no process holds."""
    held: set[int] = set()
    listed = _bpftool("prog")
    links = _bpftool("link")
    for process in Path("/proc").glob("[0-9]*"):
        held |= programs_of(int(process.name))
    names = {entry["id"]: entry["name"] for entry in listed if entry.get("name", "").startswith("dc_")}
    left = [f"program {number} {name}" for number, name in names.items() if number not in held]
    return left + [f"link {e['id']}" for e in links if e.get("prog_id") in names and e["prog_id"] not in held]


def nothing_is_left(*programs: int) -> None:
    """Waits until no program of ours is without a process, and none of `programs` exists.

    Raises:
        AssertionError: something is left after PATIENCE.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        left = orphans() + [f"program {e['id']} {e['name']}" for e in _bpftool("prog") if e["id"] in programs]
        if not left:
            return
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def _bpftool(kind: str) -> list[dict[str, object]]:
    done = subprocess.run(["bpftool", "-j", kind, "show"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout or "[]")  # type: ignore[no-any-return]
