"""From the start of the runtime's process to READY, for all I/O system calls."""

from __future__ import annotations

import signal
import statistics
import time
from pathlib import Path

from bench import Bench, BenchError, say
from figures import Figure
from floods import memory_of
from tracing import STOP_SECONDS

_TIMES = 9
_GIVE_UP_SECONDS = 30


def measure(bench: Bench) -> list[Figure]:
    """The median of nine starts; what a runtime takes before its first event; how long it takes to end."""
    ready, ended, memory = [], [], 0.0
    probes = bench.site.sign_syscalls()
    for number in range(3 if bench.quick else _TIMES):
        say(f"process start to READY, {number + 1}")
        start = time.monotonic()
        process = bench.site.start(probes, f"start{number}")
        _wait_for(bench.site.run_dir / f"datacrumbs-start{number}.ready", start)
        ready.append(time.monotonic() - start)
        time.sleep(0.2)
        memory = sum(memory_of(process.pid).values())
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOP_SECONDS)
        ended.append(time.monotonic() - start)
    spread = f"{min(ready) * 1e3:.0f} to {max(ready) * 1e3:.0f}"
    return [
        Figure(
            "process start to READY, all I/O system calls", statistics.median(ready) * 1e3, "ms", most=250, note=spread
        ),
        Figure("  SIGINT to end", statistics.median(ended) * 1e3, "ms"),
        Figure("runtime memory besides its ring, idle", memory, "MB", most=60),
    ]


def _wait_for(path: Path, start: float) -> None:
    while not path.exists():
        if time.monotonic() - start > _GIVE_UP_SECONDS:
            raise BenchError("the runtime does not become ready")
        time.sleep(0.001)
