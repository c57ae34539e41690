"""Locks: one holder at a time, also when the file is removed under those who wait."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from datacrumbs.core import locks
from datacrumbs.core.errors import BusyError


def add_one(lock: Path, count: Path) -> None:
    for _ in range(20):
        with locks.held(lock, 60):
            count.write_text(str(int(count.read_text()) + 1))


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """No increment is lost although the name goes away with each holder."""
    count = tmp_path / "count"
    count.write_text("0")
    workers = [
        multiprocessing.get_context("spawn").Process(target=add_one, args=(tmp_path / "lock", count)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(100)
        assert worker.exitcode == 0
    assert count.read_text() == "60"
    assert not (tmp_path / "lock").exists()


def test_waiting_ends(tmp_path: Path) -> None:
    with locks.held(tmp_path / "lock", 0), pytest.raises(BusyError), locks.held(tmp_path / "lock", 0.05):
        pass
