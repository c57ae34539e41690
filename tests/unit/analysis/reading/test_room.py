"""Columns are the same, whether they lie in memory or in a file; and how much memory there is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from datacrumbs.analysis.explaining.nest import nest
from datacrumbs.analysis.reading import memory
from datacrumbs.analysis.reading.room import Room, Shelf
from datacrumbs.analysis.reading.trace import Traces, open_traces
from datacrumbs.core.errors import BusyError
from hypothesis import given, settings
from hypothesis import strategies as st
from tracegen import EPOCH_NS, TraceWriter, synthetic


def files() -> int:
    """Files without a name that this process has mapped."""
    return Path("/proc/self/maps").read_text().count("(deleted)")


@given(sizes=st.lists(st.integers(0, 60_000), max_size=12), room=st.integers(0, 100_000))
@settings(deadline=None, max_examples=30)
def test_columns_keep_their_values(tmp_path_factory: pytest.TempPathFactory, sizes: list[int], room: int) -> None:
    folder = tmp_path_factory.mktemp("room")
    shelf = Shelf(Room(folder, room))
    columns = [column for n in sizes for column in (np.arange(n, dtype=np.uint16), np.full(n, -n, np.int64))]
    kept = [shelf.keep(column.data) for column in columns]
    for before, after in zip(columns, kept, strict=True):
        assert np.frombuffer(after, before.dtype).tolist() == before.tolist()
    assert not list(folder.iterdir()), "files have no name"


def test_what_is_beyond_the_room_is_in_a_file_and_goes_with_its_column(tmp_path: Path) -> None:
    room, before = Room(tmp_path, 1000), files()
    small = room.empty(100, np.int64)
    assert files() == before
    with room.lent(10, np.int64):
        assert files() == before
        large = room.empty(100_000, np.int64)
        assert files() == before + 1
    large[:] = 7
    assert large.sum() == 700_000 and len(small) == 100
    with room.lent(10, np.int64):
        assert files() == before + 1, "what was lent is there again"
    del large
    assert files() == before


def test_a_disk_without_space_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(BusyError, match="no space") as raised:
        Room(tmp_path, 0).on_disk(1 << 60)
    assert "TMPDIR" in raised.value.hint


def all_of(traces: Traces) -> list[bytes]:
    """Everything that is kept for each call, and what the numbers in it stand for."""
    swept, calls = nest(traces.calls, traces.layers), traces.calls
    columns = [*calls.columns.values(), swept.order, swept.parent, swept.last, swept.node, swept.exclusive]
    return [*map(bytes, columns), repr((calls.functions, calls.threads, calls.files, calls.keys)).encode()]


@pytest.mark.parametrize("share", [0, 1 << 20, 3 << 20])
def test_calls_are_the_same_wherever_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: int) -> None:
    """Of several files and workers, with calls of an unusual form, and processes that had the same id."""
    synthetic(tmp_path / "a.pfw.gz", 60_000)
    with TraceWriter(tmp_path / "b.pfw.gz", member_bytes=50_000) as writer:
        for life in range(3):
            begin = EPOCH_NS + 10**9 * life
            process = writer.process(5, "worker", start_ns=begin)
            for number in range(1000):
                name = "caf\u00e9" if number % 7 == 0 else "/data/a"
                writer.call(process, "read", begin + 5000 * number, 4000, ret=number, fname=name, cat="C")
                writer.call(process, "fread", begin + 5000 * number, 4500, ret=number, fname=name)
            writer.exit(process, begin + 10**8, exit=0)
    names = [str(tmp_path / "a.pfw.gz"), str(tmp_path / "b.pfw.gz")]
    with open_traces(names, workers=1) as traces:
        expected = all_of(traces)
    monkeypatch.setattr(memory, "share", lambda: share)
    before = files()
    with open_traces(names, workers=2) as traces:
        assert files() > before, "some of it is on the disk"
        assert traces.calls.threads[-1].life == 2
        found = all_of(traces)
    assert sorted(found[-1]) == sorted(expected[-1])
    with open_traces(names, workers=1) as traces:
        assert all_of(traces) == expected


GROUPS = {
    "version 2": ("0::/job/step\n", "31 30 0:26 / {top} rw - cgroup2 cgroup2 rw\n", "job/memory.max", "3000000000\n"),
    "version 2, high": ("0::/job\n", "31 30 0:26 / {top} rw - cgroup2 cgroup2 rw\n", "job/memory.high", "3000000000\n"),
    "version 1": ("4:cpu,memory:/slurm/job_7\n0::/\n", "35 31 0:32 / {top} rw - cgroup cgroup rw,memory\n",
                  "slurm/memory.limit_in_bytes", "3000000000\n"),
    "container": ("4:memory:/docker/f00\n", "35 31 0:32 /docker/f00 {top} ro - cgroup cgroup rw,memory\n",
                  "memory.limit_in_bytes", "3000000000\n"),
    "namespace": ("0::/\n", "31 30 0:26 / {top} rw - cgroup2 cgroup2 rw\n", "memory.max", "3000000000\n"),
}  # fmt: skip


@pytest.mark.parametrize("kind", GROUPS)
def test_a_group_limits_memory(tmp_path: Path, kind: str) -> None:
    """Wherever the limit is set on the way from the hierarchy's root to the process's own group."""
    group, mounts, name, text = GROUPS[kind]
    proc, top = tmp_path / "proc", tmp_path / "cgroup"
    proc.mkdir()
    for folder in ("job/step", "slurm/job_7"):
        (top / folder).mkdir(parents=True)
    (proc / "cgroup").write_text(group)
    (proc / "mountinfo").write_text("22 1 0:21 / /proc rw shared:5 - proc proc rw\n" + mounts.format(top=top))
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    (top / name).write_text("max\n")
    assert memory.limit(proc) == whole
    (top / name).write_text(text)
    assert memory.limit(proc) == min(whole, 3_000_000_000)


def test_without_groups_it_is_the_machines(tmp_path: Path) -> None:
    assert memory.limit(tmp_path) == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < memory.share() <= memory.limit() // 4
