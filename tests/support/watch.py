"""Measures system calls with bpftrace while another tool does: what our own numbers are compared with.

bpftrace takes the clock in its own programs at the entry and the exit of a call. Where both tools watch, each of them
adds to what the other measures only if its programs run between the other's two; they run in the same order at both
ends, so that the difference is that of two such programs, well below a microsecond.
"""

from __future__ import annotations

import json
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

PATIENCE: Final = 90.0
"""Seconds that bpftrace may take to begin, or to end."""


@dataclass
class Watched:
    """What was seen, once the context is over: number and nanoseconds of calls by name and process."""

    calls: dict[tuple[str, int], int] = field(default_factory=dict)
    times: dict[tuple[str, int], int] = field(default_factory=dict)

    def time(self, name: str) -> int:
        """Nanoseconds in all processes."""
        return sum(time for (one, _), time in self.times.items() if one == name)

    def number(self, name: str) -> int:
        """Calls in all processes."""
        return sum(number for (one, _), number in self.calls.items() if one == name)


@contextmanager
def watched(names: Sequence[str], comm: str, size: int = 0) -> Iterator[Watched]:
    """Watches system calls of all processes that are called `comm` (at most 15 characters).

    With `size`, only those of pread64 and pwrite64 that ask for so many bytes: the program's own, not its loader's.
    """
    sized = {name: f" && args->count == {size}" for name in ("pread64", "pwrite64") if size}
    script = "".join(
        f'tracepoint:syscalls:sys_enter_{name} /comm == "{comm}"{sized.get(name, "")}/ {{ @at[tid] = nsecs; }}\n'
        f"tracepoint:syscalls:sys_exit_{name} /@at[tid]/ {{"
        f" @ns[{number}, pid] = sum(nsecs - @at[tid]); @calls[{number}, pid] = count(); delete(@at[tid]); }}\n"
        for number, name in enumerate(names)
    )
    script += 'interval:ms:50 { printf("ready\\n"); }\nEND { clear(@at); }\n'
    process = subprocess.Popen(
        ["bpftrace", "-f", "json", "-e", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    found = Watched()
    try:
        _wait(process)
        yield found
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    for line in out.splitlines():
        data = json.loads(line)["data"] if line.startswith('{"type": "map"') else {}
        for map_, target in (("@ns", found.times), ("@calls", found.calls)):
            for key, value in data.get(map_, {}).items():
                number, _, pid = key.partition(",")
                target[names[int(number)], int(pid)] = int(value)


def _wait(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 1)[0]:
            line = process.stdout.readline()
            if "ready" in line:
                return
            assert line, process.communicate()[1]
    raise AssertionError("bpftrace does not begin")
