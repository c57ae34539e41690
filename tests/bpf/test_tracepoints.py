"""Kernel tracepoints: what ext4, its journal and the block device do for a job, with exact counts and for whom."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import disks
import ftrace
import pytest
from datacrumbs.configurator.sources import tracepoint
from datacrumbs.configurator.spec import parse
from datacrumbs.core import btf
from datacrumbs.core.probes import Probe
from tracing import Run, Site, syscall_probes

pytestmark = pytest.mark.ebpf

SIZE = 4096
COUNT = 20


def probes_on(regex: str) -> list[Probe]:
    """Probes on tracepoints, as the configurator describes them."""
    spec = parse(f"capture_probes: [{{name: k, probe: tracepoint, regex: '{regex}'}}]".encode(), "h.yaml")
    return [found.probe for found in tracepoint.find(spec.entries[0]).probes]


@pytest.fixture
def disk(site: Site, tmp_path: Path) -> Iterator[Path]:
    """An ext4 file system of its own, on a loop device."""
    with disks.ext4(tmp_path) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def program(compiled: Callable[..., Path]) -> Path:
    return compiled("disk")


def spans(run: Run, name: str) -> list[dict[str, Any]]:
    lines = run.lines()
    names = {x["args"]["value"]: x["args"]["name"] for x in lines if x["name"] == "FH" and x["ph"] == "M"}
    found = [x for x in lines if x["ph"] == "X" and x["name"] == name]
    for event in found:
        event["path"] = names.get(event["args"].get("fhash", ""))
    return found


def device_of(folder: Path) -> str:
    number = os.stat(folder).st_dev
    return f"{os.major(number)}:{os.minor(number)}"


def inside(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    return outer["ts"] <= inner["ts"] and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]


def assert_no_crossing(events: list[dict[str, Any]]) -> None:
    """On each track, two spans lie apart or one in the other."""
    tracks: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for event in events:
        tracks.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
    for found in tracks.values():
        open_: list[int] = []
        for start, end in sorted(found, key=lambda span: (span[0], -span[1])):
            while open_ and open_[-1] <= start:
                open_.pop()
            assert not open_ or end <= open_[-1]
            open_.append(end)


def test_fsync_is_seen_down_to_the_device_with_exact_counts(site: Site, disk: Path, program: Path) -> None:
    """Each write and fsync shows once in ext4, in the journal and at the device, with file, sizes and result."""
    wanted = "ext4:ext4_(sync_file|da_write)_.*|jbd2:jbd2_(start|end)_commit|block:block_rq_(issue|complete)"
    signed = site.sign([*syscall_probes(["pwrite64", "fsync"]), *probes_on(wanted)], kernel=btf.fingerprint())
    path = disk / "data"
    with site.run(signed, "fsync") as run:
        run.command([program, path, str(COUNT), str(SIZE), "sync"])
    fsyncs = [event for event in run.events() if event["name"] == "fsync"]
    synced, written = spans(run, "ext4_sync_file"), spans(run, "ext4_da_write")
    assert len(fsyncs) == len(synced) == len(written) == COUNT
    assert {event["path"] for event in (*synced, *written)} == {str(path)}
    assert [event["args"]["ret"] for event in synced] == [0] * COUNT
    assert [(event["args"]["pos"], event["args"]["len"]) for event in written] == [
        (i * SIZE, SIZE) for i in range(COUNT)
    ]
    for call, span in zip(fsyncs, synced, strict=True):
        assert inside(span, call)
    requests = [event for event in spans(run, "block_rq") if event["path"] == str(path)]
    assert [event["args"]["bytes"] for event in requests] == [SIZE] * COUNT
    assert {event["args"]["op"] for event in requests} == {"write"}
    assert {event["args"]["dev"] for event in requests} == {device_of(disk)}
    assert {(event["args"]["cause"], event["args"]["thread"]) for event in requests} == {("request", fsyncs[0]["tid"])}
    for call, request in zip(fsyncs, requests, strict=True):
        assert inside(request, call)
    commits = spans(run, "jbd2_commit")
    assert len(commits) == COUNT
    assert {(event["args"]["cause"], event["pid"]) for event in commits} == {("transaction", fsyncs[0]["pid"])}
    assert run.closing()["missed_returns"] == 0
    assert_no_crossing([line for line in run.lines() if line["ph"] == "X"])


def test_writeback_by_the_kernel_is_the_writers(site: Site, disk: Path, program: Path) -> None:
    """What a process wrote and never synced is written by the kernel's thread later: for that process, every byte."""
    wanted = "writeback:writeback_single_inode.*|block:block_rq_(issue|complete)|ext4:ext4_writepages.*"
    signed = site.sign(probes_on(wanted), kernel=btf.fingerprint())
    path = disk / "lazy"
    with site.run(signed, "lazy") as run:
        run.command([program, path, str(COUNT), str(SIZE), "lazy"])
        subprocess.run(["sync", "-f", disk], check=True)
        run.stop()
    writer = next(line for line in run.lines() if line["name"] == "exec")
    for name in ("writeback_single_inode", "ext4_writepages"):
        found = [event for event in spans(run, name) if event["path"] == str(path)]
        assert found
        assert {(event["args"]["cause"], event["pid"]) for event in found} == {("inode", writer["pid"])}
    requests = [event for event in spans(run, "block_rq") if event["path"] == str(path)]
    assert sum(event["args"]["bytes"] for event in requests) == COUNT * SIZE
    assert {(event["args"]["cause"], event["pid"]) for event in requests} == {("inode", writer["pid"])}
    assert_no_crossing([line for line in run.lines() if line["ph"] == "X"])


def test_fields_are_those_of_the_events_format(site: Site, disk: Path, program: Path) -> None:
    """Values and names are what the kernel's own tracing prints for the same events."""
    signed = site.sign(probes_on("ext4:ext4_(da_write_begin|es_lookup_extent_enter)"), kernel=btf.fingerprint())
    with site.run(signed, "format") as run, ftrace.instance() as own:
        for event in ("ext4_da_write_begin", "ext4_es_lookup_extent_enter"):
            (own / "events/ext4" / event / "enable").write_text("1")
        run.command([program, disk / "data", str(COUNT), str(SIZE), "lazy"])
        text = (own / "trace").read_text()
    pid = next(line for line in run.lines() if line["name"] == "exec")["pid"]
    printed = re.findall(rf"-{pid} .* ext4_da_write_begin: .* pos (\d+) len (\d+)", text)
    ours = [(str(e["args"]["pos"]), str(e["args"]["len"])) for e in spans(run, "ext4_da_write_begin")]
    assert len(ours) == COUNT
    assert ours == printed
    printed_blocks = Counter(re.findall(rf"-{pid} .* ext4_es_lookup_extent_enter: .* lblk (\d+)", text))
    our_blocks = Counter(str(e["args"]["lblk"]) for e in spans(run, "ext4_es_lookup_extent_enter"))
    assert our_blocks.total() >= COUNT
    assert not our_blocks - printed_blocks  # the kernel also sees what happens after the process has ended


def test_an_event_that_this_kernel_has_not_is_refused_by_name(site: Site, program: Path, disk: Path) -> None:
    """The others are attached, and the trace says which one is missing."""
    from dataclasses import replace

    (known,) = probes_on("writeback:writeback_mark_inode_dirty")
    unknown = replace(known, name="gone", target=replace(known.target, event="ext4:ext4_gone"))
    signed = site.sign([known, unknown], kernel=btf.fingerprint())
    with site.run(signed, "gone") as run:
        run.command([program, disk / "file", "1", "10", "lazy"])
    opening = next(line["args"] for line in run.lines() if line["args"].get("name") == "run")
    assert opening["probes"] == 1
    assert opening["refused"] == ["gone: this kernel has no tracepoint ext4:ext4_gone"]
    assert spans(run, "writeback_mark_inode_dirty")
