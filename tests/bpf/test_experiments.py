"""The questions that tracing exists for, asked of real programs: the first line of the answer names the right cause.

Each has a control from which the cause is taken away and which must not be blamed on it. The numbers are checked
against what the kernel itself counts for the process (/proc/PID/io).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from datacrumbs.analysis.compare import compare, profile
from datacrumbs.analysis.explain import explain
from datacrumbs.analysis.explanation import Explanation
from datacrumbs.analysis.trace import open_traces
from datacrumbs.configurator.sources import tracepoint
from datacrumbs.configurator.spec import parse
from datacrumbs.core import btf
from tracing import Site, syscall_probes

pytestmark = [pytest.mark.ebpf, pytest.mark.timeout(300)]

PIECES, SIZE = 64, 65536
EVENTS = (
    "filemap:mm_filemap_add_to_page_cache|block:block_rq_(issue|complete)|jbd2:jbd2_(start|end)_commit"
    "|ext4:ext4_(sync_file_(enter|exit)|da_write_(begin|end))"
)


@pytest.fixture(scope="module")
def disk(site: Site) -> Path:
    """A folder on a real disk: a loop device's would be memory, and hardly slower than the page cache."""
    folder = site.folder / "experiments"
    folder.mkdir()
    system = subprocess.run(["stat", "-f", "-c", "%T", folder], check=True, capture_output=True, text=True)
    device = Path(f"/sys/dev/block/{os.major(folder.stat().st_dev)}:{os.minor(folder.stat().st_dev)}")
    if not system.stdout.startswith("ext") or not device.exists():
        pytest.skip(f"{folder} is not on an ext4 file system with a disk of its own")
    return folder


@pytest.fixture(scope="module")
def traced(site: Site, compiled: Callable[..., Path], disk: Path) -> Callable[..., tuple[Path, dict[str, int]]]:
    """Runs experiment.c under tracing; returns the trace, and what the kernel counted for the process.

    It runs before all others, so that it waits for the device and not for a processor that others use.
    """
    if not Path("/sys/kernel/tracing/events/ext4").is_dir():
        pytest.skip("this kernel has no tracepoints of ext4")
    program = compiled("experiment")
    spec = parse(f"capture_probes: [{{name: k, probe: tracepoint, regex: '{EVENTS}'}}]".encode(), "h.yaml")
    probes = [*syscall_probes(["pread64", "pwrite64", "fsync"])]
    probes += [found.probe for found in tracepoint.find(spec.entries[0]).probes]
    signed = site.sign(probes, kernel=btf.fingerprint())
    made: dict[str, tuple[Path, dict[str, int]]] = {}

    def run(mode: str) -> tuple[Path, dict[str, int]]:
        if mode not in made:
            path = disk / "data"
            if not path.exists():
                path.write_bytes(os.urandom(PIECES * SIZE))
            with path.open("rb") as file:
                os.fsync(file.fileno())
            if mode == "warm":
                path.read_bytes()
            with site.run(signed, f"exp-{mode}-{os.getpid()}") as running:
                done = running.command(["chrt", "--fifo", "10", program, path, str(PIECES), str(SIZE), mode])
            counted = {key: int(value) for key, value in (line.split(": ") for line in done.stdout.splitlines())}
            made[mode] = running.trace, counted
        return made[mode]

    return run


def explained(trace: Path, function: str, file: str = "") -> Explanation:
    with open_traces([str(trace)]) as traces:
        return explain(traces, function, file=file)


def bytes_at_device(trace: Path, *, nameless: bool = False) -> int:
    """Of the file; with `nameless` those too whose requests have no file, as those of direct I/O have not."""
    with open_traces([str(trace)]) as traces:
        which = "path LIKE '%/experiments/data'" + (" OR path = ''" if nameless else "")
        query = f"SELECT coalesce(sum(ret), 0)::BIGINT FROM calls WHERE name = 'block_rq' AND ({which})"
        return int(traces.database.execute(query).fetchall()[0][0])


def test_cold_reads_are_the_devices(traced: Callable[..., tuple[Path, dict[str, int]]]) -> None:
    """All reads miss the page cache, and the bytes at the device are those that the kernel counted for the process."""
    trace, counted = traced("cold")
    answer = explained(trace, "pread64", "/experiments/data")
    assert (answer.cause.layer, answer.cause.function) == ("block device", "block_rq"), answer.sentences
    assert "block_rq" in answer.sentences[0] and "block device" in answer.sentences[0]
    assert answer.page_cache.with_calls == PIECES and answer.device.with_calls >= PIECES
    assert bytes_at_device(trace) == pytest.approx(counted["read_bytes"], rel=0.05)
    assert counted["read_bytes"] == pytest.approx(PIECES * SIZE, rel=0.05)


def test_warm_reads_are_not_the_devices(traced: Callable[..., tuple[Path, dict[str, int]]]) -> None:
    """The control."""
    trace, counted = traced("warm")
    answer = explained(trace, "pread64", "/experiments/data")
    assert answer.cause.own and answer.cause.layer == "system calls", answer.sentences
    assert "device" not in answer.sentences[0] and answer.device.with_calls == answer.page_cache.with_calls == 0
    assert bytes_at_device(trace) == 0 and counted["read_bytes"] < PIECES * SIZE / 20


def test_the_device_is_the_difference_between_cold_and_warm(
    traced: Callable[..., tuple[Path, dict[str, int]]],
) -> None:
    profiles = []
    for mode in ("warm", "cold"):
        with open_traces([str(traced(mode)[0])]) as traces:
            profiles.append(profile(traces, mode, "pread64"))
    answer = compare(profiles[0], profiles[1], "pread64")
    assert answer.delta_ns > 0 and "block_rq (layer: block device" in answer.sentences[0]


def test_direct_writes_are_the_devices(traced: Callable[..., tuple[Path, dict[str, int]]]) -> None:
    trace, counted = traced("direct")
    answer = explained(trace, "pwrite64")
    assert (answer.cause.layer, answer.cause.function) == ("block device", "block_rq"), answer.sentences
    assert answer.device.with_calls == PIECES
    assert bytes_at_device(trace, nameless=True) == pytest.approx(counted["write_bytes"], rel=0.05)


def test_synced_writes_wait_below_fsync(traced: Callable[..., tuple[Path, dict[str, int]]]) -> None:
    """It is fsync that waits, for the device or the journal; the writes beside it do not."""
    trace, counted = traced("synced")
    answer = explained(trace, "fsync")
    assert answer.cause.layer in ("block device", "file system") and not answer.cause.own, answer.sentences
    assert answer.device.with_calls == answer.spread.calls == PIECES
    assert bytes_at_device(trace) == pytest.approx(counted["write_bytes"], rel=0.05)
    assert explained(trace, "pwrite64").cause.layer != "block device"


def test_buffered_writes_are_not_the_devices(traced: Callable[..., tuple[Path, dict[str, int]]]) -> None:
    """The control: the same writes, and nobody asks for them to be on the device."""
    answer = explained(traced("buffered")[0], "pwrite64")
    assert answer.cause.layer != "block device" and answer.device.with_calls == 0, answer.sentences
