"""The kernel's own tracing, as a witness: an instance of it for one test."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

TRACEFS = Path("/sys/kernel/tracing")
_LINE = re.compile(r" (\d+)\.(\d{6}): (sys_\w+)(?:\((\w+): (\w+),?.*| -> (\w+))")


@contextlib.contextmanager
def instance() -> Iterator[Path]:
    """The folder of an instance, without any event enabled."""
    folder = TRACEFS / "instances" / f"datacrumbs-test-{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        (folder / "tracing_on").write_text("0")
        (folder / "set_event").write_text("")
        folder.rmdir()


@contextlib.contextmanager
def calls(name: str, command: str) -> Iterator[list[tuple[int, int, int]]]:
    """The calls of a system call by processes of a command with one thread: after the context, for each its first
    argument, its result, and how long it took in nanoseconds.
    """
    found: list[tuple[int, int, int]] = []
    with instance() as folder:
        (folder / "trace_clock").write_text("mono")
        for end in ("enter", "exit"):
            event = folder / "events/syscalls" / f"sys_{end}_{name}"
            (event / "filter").write_text(f'comm == "{command}"')
            (event / "enable").write_text("1")
        yield found
        (folder / "tracing_on").write_text("0")
        begun: tuple[int, int] | None = None
        for line in (folder / "trace").read_text().splitlines():
            match = _LINE.search(line)
            if match is None:
                continue
            at = (int(match[1]) * 1_000_000 + int(match[2])) * 1_000
            if match[6] is None:
                begun = int(match[5], 16), at
            elif begun is not None:
                found.append((begun[0], int(match[6], 16), at - begun[1]))
                begun = None
