"""Memory that is too short for threads is told in time: nobody waits for a thread that cannot begin."""

from __future__ import annotations

import os
import subprocess
import sys

SHRINKING = """
import resource
from datacrumbs.analysis.reading.machine import started_pool
from datacrumbs.core.errors import BusyError
(line,) = [line for line in open("/proc/self/status") if line.startswith("VmData")]
used, answers = int(line.split()[1]) << 10, []
for more in range(64 << 20, -1, -(256 << 10)):
    resource.setrlimit(resource.RLIMIT_DATA, (used + more, resource.RLIM_INFINITY))
    try:
        with started_pool(2, "test") as pool:
            answers.append(pool.submit(len, "abc").result())
    except BusyError:
        answers.append(0)
print(set(answers), sorted(answers, reverse=True) == answers)
"""
TOLD = """
import threading
from datacrumbs.analysis.reading.machine import told_when_short
threading.stack_size(1 << 46)
with told_when_short():
    threading.Thread(target=print).start()
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_a_pool_has_all_its_threads_or_is_an_error_whatever_memory_is_left() -> None:
    done = run(SHRINKING)
    assert done.stdout == "{0, 3} True\n", done.stderr


def test_a_thread_that_cannot_be_made_is_memory_that_is_short() -> None:
    done = run(TOLD)
    assert "BusyError: not enough memory and temporary space for so many events\n" in done.stderr


def test_large_stacks_that_nobody_uses_are_no_lack_of_memory() -> None:
    """Those of two threads may be more than the machine's memory: who runs Fortran sets `ulimit -s` so."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = f"ulimit -s {memory // 1024 * 6 // 10}"
    pool = "from datacrumbs.analysis.reading.machine import started_pool; pool = started_pool(2, 'test')"
    code = f"{pool}; print(pool.submit(len, 'a').result())"
    done = subprocess.run(
        ["bash", "-c", f'{limit} && exec "$0" -c "$1"', sys.executable, code],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "1\n", done.stderr
