"""Kernel functions, on kernels that let them be probed: those that this machine emulates."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from kernels import FUNCTIONS, Traced

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3000)]

COUNT = 5
SIZE = 4096
LINKS = {"6.12": "session on a kernel function", "6.1": "trampoline on a kernel function"}
WRITE = ("pwrite64", "vfs_write", "ext4_file_write_iter", "ext4_buffered_write_iter", "generic_perform_write")
FSYNC = ("fsync", "vfs_fsync_range", "ext4_sync_file", "file_write_and_wait_range")
READ = ("read", "vfs_read", "ext4_file_read_iter", "filemap_read", "filemap_get_pages")


def inside(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    return outer["ts"] <= inner["ts"] and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]


def functions_only(spans: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the tracepoint that has a function's name."""
    return [span for span in spans if span["cat"] != "ext4"]


def test_functions_are_attached_by_the_best_way_that_the_kernel_has(traced: Traced) -> None:
    """500 by one kprobe session link on 6.12, a few by trampolines on 6.1; none is refused."""
    assert traced.functions == FUNCTIONS[traced.kernel]
    assert traced.links == [LINKS[traced.kernel]]
    opening = next(line["args"] for line in traced.lines if line["args"].get("name") == "run")
    assert opening["refused"] == []
    assert opening["probes"] == traced.functions + 6


@pytest.mark.parametrize("chain", [WRITE, FSYNC, READ], ids=["write", "fsync", "read"])
def test_a_call_is_seen_going_down_to_the_page_cache_and_the_file_system(
    traced: Traced, chain: tuple[str, ...]
) -> None:
    """Each call contains the function that it calls, and that the next: same thread, same file, as often."""
    levels = [functions_only(traced.spans(name)) for name in chain]
    calls = COUNT if chain is not READ else COUNT + 1  # dd reads once more, and finds the end
    assert [len(level) for level in levels[:4]] == [calls] * len(levels[:4])
    for outer, inner in pairwise(levels):
        assert len({span["tid"] for span in (*outer, *inner)}) == 1
        for span in inner:
            assert any(inside(span, parent) for parent in outer)


def test_arguments_and_results_are_those_of_the_call(traced: Traced) -> None:
    """Sizes, positions and results agree from the system call down."""
    for name in ("vfs_write", "ext4_file_write_iter", "generic_perform_write"):
        spans = traced.spans(name)
        assert [span["args"]["ret"] for span in spans] == [SIZE] * COUNT
        assert [span["args"]["count"] for span in spans] == [SIZE] * COUNT
        assert [span["args"]["pos"] for span in spans] == [i * SIZE for i in range(COUNT)]
    assert [span["args"]["ret"] for span in traced.spans("vfs_read")] == [SIZE] * COUNT + [0]
    assert [span["args"]["datasync"] for span in traced.spans("vfs_fsync_range")] == [0] * COUNT


def test_no_span_crosses_its_parent(traced: Traced) -> None:
    """On each track, two spans lie apart or one in the other."""
    tracks: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for event in (line for line in traced.lines if line["ph"] == "X"):
        tracks.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
    for spans in tracks.values():
        open_: list[int] = []
        for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_ and open_[-1] <= start:
                open_.pop()
            assert not open_ or end <= open_[-1]
            open_.append(end)


def test_tracepoints_work_there_too(traced: Traced) -> None:
    """Fsyncs, commits and the device's writes have exact counts, and belong to who caused them."""
    synced = [span for span in traced.spans("ext4_sync_file") if span["cat"] == "ext4"]
    assert [span["args"]["ret"] for span in synced] == [0] * COUNT
    requests = traced.spans("block_rq")
    assert [(r["args"]["op"], r["args"]["bytes"], r["args"]["cause"]) for r in requests] == [
        ("write", SIZE, "request")
    ] * COUNT
    commits = [line for line in traced.lines if line["name"] == "jbd2_commit"]
    assert len(commits) == COUNT
