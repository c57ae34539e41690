"""A trace can be read while it grows."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tracing import BIN, Run, read_lines

pytestmark = pytest.mark.ebpf

LATE = 2.5
"""Seconds after which a call must be in the file: a member is closed each second, and a loaded machine is slower."""


def test_trace_is_readable_while_it_grows(run: Run, compiled: Callable[..., Path], folder: Path) -> None:
    """At any moment the file holds whole lines, never fewer than before, and all calls that are some seconds old."""
    writer = subprocess.Popen(
        [BIN / "datacrumbs_wrap", "--run-id", run.run_id, compiled("writer"), folder / "file", "4", "2000"],
        env={"DATACRUMBS_RUN_DIR": str(run.run_dir)},
    )
    begin, before, looks = time.time(), 0, 0
    while writer.poll() is None:
        looked = time.time()
        if run.trace.stat().st_size:
            lines = read_lines(run.trace)
            assert len(lines) >= before
            before = len(lines)
            looks += 1
        if looked - begin > LATE + 0.3:
            assert max(x["ts"] for x in lines if x["ph"] == "X") / 1e6 > looked - LATE
        time.sleep(0.05)
    assert writer.returncode == 0
    assert looks > 10
    assert run.stop() == 0
    assert sum(e["name"] == "pwrite64" for e in run.events()) == 8000


def test_member_boundaries_are_line_ends(run: Run, compiled: Callable[..., Path], folder: Path) -> None:
    """Each gzip member holds whole lines: what parallel readers rely on."""
    import zlib

    run.command([compiled("writer"), folder / "file", "2.5", "1000"])
    assert run.stop() == 0
    data, members = run.trace.read_bytes(), 0
    while data:
        unpacker = zlib.decompressobj(31)
        text = unpacker.decompress(data)
        assert unpacker.eof
        assert text.endswith(b"\n")
        data, members = unpacker.unused_data, members + 1
    assert members >= 3
