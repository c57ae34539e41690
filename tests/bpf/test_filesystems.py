"""XFS and Btrfs on disks of their own: what they do for a job is seen in its calls, with exact counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import disks
import pytest
from datacrumbs.configurator.sources import tracepoint
from datacrumbs.configurator.spec import parse
from datacrumbs.core import btf
from tracing import Run, Site, syscall_probes

pytestmark = pytest.mark.ebpf

COUNT, SIZE = 20, 4096
EVENTS = {
    "xfs": "xfs:(xfs_file_(fsync|buffered_write)|xfs_log_(reserve|regrant|grant_wait)|xfs_buf_(iowait|lock)|"
    "xlog_iclog_syncing)",
    "btrfs": "btrfs:(btrfs_sync_file|btrfs_ordered_extent_(add|remove)|extent_writepage)",
}


@pytest.fixture(params=EVENTS)
def run(request: pytest.FixtureRequest, site: Site, compiled: Callable[..., Path], tmp_path: Path) -> Iterator[Run]:
    """A finished run of a program that writes COUNT pieces and has each synced; `run.kind`, `run.path`, `run.names`."""
    kind = request.param
    text = f"capture_probes: [{{name: k, probe: tracepoint, category: {kind}, regex: '{EVENTS[kind]}'}}]"
    with disks.made(kind, tmp_path) as disk:
        found = [item.probe for item in tracepoint.find(parse(text.encode(), "h.yaml").entries[0]).probes]
        if not found:
            pytest.skip(f"this kernel has no tracepoints of {kind}")
        signed = site.sign([*syscall_probes(["pwrite64", "fsync"]), *found], kernel=btf.fingerprint())
        with site.run(signed, f"disk-{kind}") as finished:
            finished.command([compiled("disk"), disk / "data", str(COUNT), str(SIZE), "sync"])
        finished.kind, finished.path = kind, str(disk / "data")  # type: ignore[attr-defined]
        finished.names = {probe.name for probe in found}  # type: ignore[attr-defined]
        yield finished


def inside(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    same = (inner["pid"], inner["tid"]) == (outer["pid"], outer["tid"])
    return same and outer["ts"] <= inner["ts"] and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]


def test_each_call_contains_what_the_file_system_does(run: Run) -> None:
    """Each write and each fsync contains its own event of the file system, of the same file; the span of a wait, a
    reservation or a write of the log ends in every case, and belongs to the process.
    """
    kind, path = run.kind, run.path  # type: ignore[attr-defined]
    calls = {name: [e for e in run.events() if e["name"] == name] for name in ("pwrite64", "fsync")}
    assert [len(found) for found in calls.values()] == [COUNT, COUNT]
    events = run.events(kind)
    per_call = {
        "xfs": {"xfs_file_buffered_write": "pwrite64", "xfs_file_fsync": "fsync"},
        "btrfs": {"btrfs_sync_file": "fsync", "extent_writepage": "fsync", "btrfs_ordered_extent_add": "fsync"},
    }[kind]
    for name, outer in per_call.items():
        if name not in run.names:  # type: ignore[attr-defined]
            continue  # of another kernel
        found = [event for event in events if event["name"] == name]
        assert {event["path"] for event in found} == {path}, name
        assert [sum(inside(event, call) for event in found) for call in calls[outer]] == [1] * COUNT, name
    assert (run.closing()["lost"], run.closing()["missed_returns"]) == (0, 0)
    writer = calls["fsync"][0]["pid"]
    counts = Counter(event["name"] for event in events if event["pid"] == writer)
    if kind == "xfs":
        assert counts["xfs_log_reserve"] > 0 and counts["xfs_buf_lock"] > 0
        written = [event for event in events if event["name"] == "xlog_iclog_syncing"]
        assert len(written) >= COUNT - 2  # each fsync has the log written, unless the kernel's own thread came first
        for log in written:
            begun = [call for call in calls["fsync"] if call["ts"] <= log["ts"] <= call["ts"] + call["dur"]]
            assert (len(begun), log["pid"], log["dur"] > 0) == (1, writer, True)
            assert (log["args"]["cause"], log["args"]["thread"]) == ("request", writer)
    elif "btrfs_ordered_extent_remove" in run.names:  # type: ignore[attr-defined]
        assert counts["btrfs_ordered_extent_remove"] == COUNT
