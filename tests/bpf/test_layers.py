"""One HDF5 write seen going down: HDF5, MPI-IO, the C library, the system call, and what the kernel does with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import disks
import pytest
from datacrumbs.configurator import gather, resolve, spec
from tracing import Site

pytestmark = [pytest.mark.ebpf, pytest.mark.timeout(300)]

SOURCE = Path(__file__).parent / "programs" / "hdf5_writer.c"
RANKS, WRITES, BYTES = 2, 5, 32768 * 8
HOST = """
capture_probes:
  - {name: io, probe: syscalls, category: POSIX, regex: "p?(read|write)(64|v)?|open(at)?|close|fsync|ftruncate|lseek"}
  - {name: libc, probe: uprobe, file: libc.so.6, category: C, regex: "f(open|close|read|write)|p(read|write)"}
  - {name: mpi, probe: uprobe, file: libmpi.so.40, category: MPI-IO, regex: "MPI_File_.*"}
  - {name: hdf5, probe: uprobe, file: libhdf5_openmpi.so.103, category: HDF5,
     regex: "H5[FD](open|create|close|read|write|flush)\\\\d?|H5FD_(read|write)"}
  - {name: block, probe: tracepoint, category: block, regex: "block:block_rq_(issue|complete)"}
  - {name: ext4, probe: tracepoint, category: ext4, regex: "ext4:ext4_(da_write_(begin|end)|sync_file_(enter|exit))"}
  - {name: jbd2, probe: tracepoint, category: jbd2, regex: "jbd2:jbd2_(start|end)_commit"}
"""


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """The events of one traced job of two ranks, by category; `path` beside the hash."""
    if shutil.which("mpicc") is None or shutil.which("mpirun") is None:
        pytest.skip("Open MPI is not installed")
    folder = tmp_path_factory.mktemp("hdf5")
    with contextlib.ExitStack() as stack:
        disk = folder
        if Path("/sys/kernel/tracing/events/ext4").is_dir():
            with contextlib.suppress(pytest.skip.Exception):  # the layers above the kernel's are there all the same
                disk = stack.enter_context(disks.ext4(folder))
        yield traced(folder, disk, kernel=disk != folder)


def traced(folder: Path, disk: Path, *, kernel: bool) -> dict[str, list[dict[str, Any]]]:
    """See `events`. `disk`: where the data go; `kernel`: whether that is an ext4 with tracepoints."""
    program, data = folder / "writer", disk / "data.h5"
    where = ["-I/usr/include/hdf5/openmpi", "-L/usr/lib/x86_64-linux-gnu/hdf5/openmpi", "-lhdf5"]
    built = subprocess.run(["mpicc", "-O1", "-o", program, SOURCE, *where], capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"no parallel HDF5 for Open MPI: {built.stderr[:200]}")
    text = HOST if kernel else HOST[: HOST.index("  - {name: block")]
    wishes = spec.parse(text.encode(), "layers.yaml")
    found = resolve.resolve(wishes, gather.gather(wishes), arch=os.uname().machine, most=10_000)
    with Site() as site:
        probes = site.sign(found.probes.probes, found.probes.files)
        with site.run(probes, "layers") as run:
            launcher = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", str(RANKS)]
            options = ["--mca", "btl", "self,vader", "--mca", "io", "ompio"]
            done = run.command([*launcher, *options, program, data, str(WRITES)], check=False)
            assert done.returncode == 0, done.stderr
        closing = run.closing()
        assert (closing["lost"], closing["unwritten"]) == (0, 0)
        categories = ("HDF5", "MPI-IO", "C", "POSIX", "ext4", "jbd2", "block")
        result = {category: run.events(category) for category in categories}
    device = disk.stat().st_dev
    result["data"] = [{"path": str(data), "kernel": kernel, "device": f"{os.major(device)}:{os.minor(device)}"}]
    return result


def inside(outer: dict[str, Any], inner: dict[str, Any]) -> bool:
    return (
        outer["tid"] == inner["tid"]
        and outer["ts"] <= inner["ts"]
        and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]
    )


def named(events: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [event for event in events if event["name"] in names]


@pytest.mark.parametrize(
    ("outer", "chain", "times"),
    [
        ("H5Dwrite", ("H5FD_write", "MPI_File_write_at", "pwrite", "pwrite64"), WRITES),
        ("H5Dread", ("H5FD_read", "MPI_File_read_at", "pread", "pread64"), 1),
    ],
)
def test_every_call_goes_down_through_all_layers(
    events: dict[str, list[dict[str, Any]]], outer: str, chain: tuple[str, ...], times: int
) -> None:
    """Each call of HDF5 contains its driver's, MPI's, the C library's and the system's: one each, of the same bytes."""
    calls = named(events["HDF5"], outer)
    assert len(calls) == RANKS * times
    data = events["data"][0]["path"]
    for call in calls:
        assert call["path"] == data
        assert call["args"]["ret"] == 0
        within = call
        for name, category in zip(chain, ("HDF5", "MPI-IO", "C", "POSIX"), strict=True):
            (found,) = [event for event in named(events[category], name) if inside(within, event)]
            moved = found["args"]["ret"] if category == "POSIX" else found["args"]["bytes"]
            assert moved == BYTES, found
            assert name.startswith("H5FD") or found["path"] == data
            within = found


def test_counts_are_exact(events: dict[str, list[dict[str, Any]]]) -> None:
    """Nothing is missing and nothing is there twice."""
    counts = Counter(event["name"] for event in events["HDF5"])
    expected = {"H5Fcreate": 1, "H5Dcreate2": 1, "H5Dwrite": WRITES, "H5Dread": 1, "H5Dclose": 1, "H5Fclose": 1}
    assert {name: counts[name] for name in expected} == {name: RANKS * each for name, each in expected.items()}
    opened = named(events["MPI-IO"], "MPI_File_open")
    assert [event["path"] for event in opened] == [events["data"][0]["path"]] * RANKS
    written = [event for event in named(events["C"], "fwrite") if event["path"].startswith(events["data"][0]["path"])]
    assert sorted(event["path"][-2:] for event in written) == [".0", ".1"]
    assert all(
        (event["args"]["size"], event["args"]["nmemb"], event["args"]["bytes"]) == (8, 100, 800) for event in written
    )


def test_all_that_two_ranks_do_to_the_file_adds_up(events: dict[str, list[dict[str, Any]]]) -> None:
    """The bytes of MPI-IO's writes are the bytes of the system calls that they make, metadata included."""
    data = events["data"][0]["path"]
    mpi = sum(e["args"]["bytes"] for e in named(events["MPI-IO"], "MPI_File_write_at") if e["path"] == data)
    system = sum(e["args"]["ret"] for e in named(events["POSIX"], "pwrite64", "write", "pwritev") if e["path"] == data)
    assert mpi == system > RANKS * WRITES * BYTES


def to_data(events: dict[str, list[dict[str, Any]]], category: str, *names: str) -> list[dict[str, Any]]:
    """Events of some names that are about the file of data, which is on ext4."""
    if not events["data"][0]["kernel"]:
        pytest.skip("no tracepoints of ext4, or no loop mounts")
    path = events["data"][0]["path"]
    return [event for event in named(events[category], *names) if event["path"] == path]


def during(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    """Whether one happens within the other's time, be it in another thread."""
    return outer["ts"] <= inner["ts"] and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]


def test_the_file_system_is_seen_in_every_write(events: dict[str, list[dict[str, Any]]]) -> None:
    """Each system call that writes contains what ext4 does for it: pieces that begin where the call does, and go on to
    its last byte. (Each is asked for all that is left, or for less after a page of the program's was not there.)
    """
    pieces = to_data(events, "ext4", "ext4_da_write")
    writes = to_data(events, "POSIX", "pwrite64")
    assert len(writes) >= RANKS * WRITES
    for write in writes:
        own = sorted((e["args"]["pos"], e["args"]["len"]) for e in pieces if inside(write, e))
        assert own[0][0] == write["args"]["offset"], write
        assert max(at + length for at, length in own) == write["args"]["offset"] + write["args"]["ret"], own


def test_a_flush_goes_down_to_the_journal_and_the_device(events: dict[str, list[dict[str, Any]]]) -> None:
    """H5Fflush contains MPI's sync, that the system call, that ext4's; meanwhile the journal commits and the device is
    written to: for the ranks, as the trace says with the reason, and every byte of the data.
    """
    flushes = named(events["HDF5"], "H5Fflush")
    assert len(flushes) == RANKS
    synced = to_data(events, "POSIX", "fsync")
    for flush in flushes:
        (mpi,) = [event for event in named(events["MPI-IO"], "MPI_File_sync") if inside(flush, event)]
        (call,) = [event for event in synced if inside(mpi, event)]
        (below,) = [event for event in to_data(events, "ext4", "ext4_sync_file") if inside(call, event)]
        assert below["args"]["ret"] == call["args"]["ret"] == 0
    ranks = {event["pid"] for event in flushes}
    assert len(ranks) == RANKS
    device = events["data"][0]["device"]
    commits = [event for event in named(events["jbd2"], "jbd2_commit") if event["args"]["dev"] == device]
    in_time = [event for event in commits if any(during(event, call) for call in synced)]
    assert {(event["args"]["cause"], event["pid"] in ranks) for event in in_time} == {("transaction", True)}
    requests = [event for event in to_data(events, "block", "block_rq") if event["args"]["op"] == "write"]
    assert {event["args"]["cause"] for event in requests} <= {"request", "inode"}
    assert {event["pid"] for event in requests} <= ranks
    assert any(during(request, call) for request in requests for call in synced)
    assert sum(event["args"]["bytes"] for event in requests) >= RANKS * BYTES
