"""A process id that the kernel gives again within a run is two processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from datacrumbs.analysis.explaining.explain import explain
from datacrumbs.analysis.explaining.selection import Selection
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.analysis.summing.gather import gathered
from datacrumbs.analysis.summing.summarise import summarise
from tracing import Run

pytestmark = pytest.mark.ebpf

PROGRAM = """
import os, sys
def child(name):
    pid = os.fork()
    if not pid:
        file = os.open(sys.argv[1] + name, os.O_CREAT | os.O_WRONLY)
        os._exit(os.write(file, b"0123456789") != 10)
    os.waitpid(pid, 0)
    return pid
first = child("one")
for attempt in range(1000):
    with open("/proc/sys/kernel/ns_last_pid", "w") as last:
        last.write(str(first - 1))
    if child("two") == first:
        print(first, attempt)
        break
"""
"""https://docs.kernel.org/admin-guide/sysctl/kernel.html#ns-last-pid: the next process gets the number behind it."""


def test_a_pid_that_is_given_again_is_another_process(run: Run, tmp_path: Path) -> None:
    if not Path("/proc/sys/kernel/ns_last_pid").exists():
        pytest.skip("this kernel has no ns_last_pid")
    said = run.command([sys.executable, "-c", PROGRAM, f"{tmp_path}/"]).stdout.split()
    run.stop()
    if not said:
        pytest.skip("the kernel did not give the id again")
    pid, others = int(said[0]), int(said[1])
    writes = "SELECT process, path FROM raw_calls JOIN threads ON threads.id = thread JOIN files ON files.id = file"
    with open_traces([str(run.trace)]) as traces:
        rows = traces.database.execute(
            f"{writes} JOIN functions ON functions.id = function WHERE pid = ? AND name = 'write' AND path LIKE ?",
            [pid, f"{tmp_path}/%"],
        ).fetchall()
        assert sorted(path.rpartition("/")[2] for _, path in rows) == ["one", "two"]
        assert len({process for process, _ in rows}) == 2
        assert explain(traces, "write", Selection(file=f"{tmp_path}/")).spread.processes == 2 + others
        expected = summarise(traces)
    with gathered([str(run.trace)]) as whole:
        summary = summarise(whole)
    assert summary == expected and summary.header.processes == 3 + others
    lives = {row.life: row for row in summary.processes if row.pid == pid}
    assert sorted(lives) == [0, 1] and {row.bytes_written for row in lives.values()} == {10}
    assert len([row for row in summary.files if row.path == f"{tmp_path}/one"]) == 1
    assert next(row.processes for row in summary.files if row.path == f"{tmp_path}/two") == 1 + others
