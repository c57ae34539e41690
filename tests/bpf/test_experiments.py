"""The questions that tracing exists for, asked of real programs: the first line of the answer names the right cause.

Each has a control from which the cause is taken away and which must not be blamed on it. The bytes are checked against
what the kernel itself counts for the process (/proc/PID/io), the times against what bpftrace measures of the same
calls.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from datacrumbs.analysis.comparing.compare import compare
from datacrumbs.analysis.comparing.comparison import Comparison
from datacrumbs.analysis.comparing.sides import profile
from datacrumbs.analysis.explaining.explain import explain
from datacrumbs.analysis.explaining.explanation import Explanation
from datacrumbs.analysis.explaining.selection import Selection
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.configurator.sources import tracepoint
from datacrumbs.configurator.spec import parse
from datacrumbs.core import btf
from tracing import Site, syscall_probes
from watch import Watched, watched

pytestmark = [pytest.mark.ebpf, pytest.mark.timeout(300)]

PIECES, SIZE = 64, 65536
CALLS = ("pread64", "pwrite64", "fsync")
TRIES = ("", "-again", "-once-more")
Run = Callable[..., tuple[Path, dict[str, int], Watched]]
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
def traced(site: Site, compiled: Callable[..., Path], disk: Path) -> Run:
    """Runs experiment.c under tracing; returns the trace, what the kernel counted for the process, and what bpftrace
    measured.

    It runs before all others, so that it waits for the device and not for a processor that others use.
    """
    if not Path("/sys/kernel/tracing/events/ext4").is_dir():
        pytest.skip("this kernel has no tracepoints of ext4")
    program = compiled("experiment")
    spec = parse(f"capture_probes: [{{name: k, probe: tracepoint, regex: '{EVENTS}'}}]".encode(), "h.yaml")
    probes = [*syscall_probes(CALLS)]
    probes += [found.probe for found in tracepoint.find(spec.entries[0]).probes]
    signed = site.sign(probes, kernel=btf.fingerprint())
    made: dict[str, tuple[Path, dict[str, int], Watched]] = {}

    def run(mode: str, again: str = "") -> tuple[Path, dict[str, int], Watched]:
        if mode + again not in made:
            path = disk / "data"
            if not path.exists():
                path.write_bytes(os.urandom(PIECES * SIZE))
            with path.open("rb") as file:
                os.fsync(file.fileno())
            if mode == "warm":
                path.read_bytes()
            with (
                watched(CALLS, program.name, SIZE) as seen,
                site.run(signed, f"exp-{mode}{again}-{os.getpid()}") as running,
            ):
                done = running.command(["chrt", "--fifo", "10", program, path, str(PIECES), str(SIZE), mode])
            counted = {key: int(value) for key, value in (line.split(": ") for line in done.stdout.splitlines())}
            made[mode + again] = running.trace, counted, seen
        return made[mode + again]

    return run


def explained(trace: Path, function: str, file: str = "") -> Explanation:
    with open_traces([str(trace)]) as traces:
        return explain(traces, function, Selection(file=file))


def check_times(traced: Run, mode: str, function: str, file: str = "") -> None:
    """All calls are there, and took as long as bpftrace says.

    A call takes 10 µs at least, in which the difference of the two tools' programs is below 5 %. What comes between
    those programs, such as an interrupt, counts for one tool only: then the experiment is made again, twice at most.
    """
    ratios = []
    for again in TRIES:
        trace, _, seen = traced(mode, again)
        answer = explained(trace, function, file)
        assert answer.spread.calls == PIECES == seen.number(function)
        ratios.append(answer.spread.total_ns / seen.time(function))
        if ratios[-1] == pytest.approx(1, rel=0.05):
            return
    raise AssertionError(f"{mode}, {function}: {ratios} of what bpftrace says")


def at_the_device(traced: Run, mode: str, function: str, file: str = "") -> tuple[Path, dict[str, int], Explanation]:
    """A try in which every call has a request at the device, what the kernel counted, and the explanation.

    A request ends in an interrupt, and kernels of some virtual machines run no BPF program while they interrupt the
    agent that is the machine's first process: such an end is missed. Then the experiment is made again, twice at most.
    """
    found = []
    for again in TRIES:
        trace, counted, _ = traced(mode, again)
        answer = explained(trace, function, file)
        found.append(answer.device.with_calls)
        if answer.device.with_calls >= PIECES:
            return trace, counted, answer
    raise AssertionError(f"{mode}, {function}: {found} of {PIECES} calls with a request")


def bytes_at_device(trace: Path, *, nameless: bool = False) -> int:
    """Of the file; with `nameless` those too whose requests have no file, as those of direct I/O have not."""
    with open_traces([str(trace)]) as traces:
        which = "path LIKE '%/experiments/data'" + (" OR path = ''" if nameless else "")
        query = f"SELECT coalesce(sum(ret), 0)::BIGINT FROM calls WHERE name = 'block_rq' AND ({which})"
        return int(traces.database.execute(query).fetchall()[0][0])


def test_cold_reads_are_the_devices(traced: Run) -> None:
    """All reads miss the page cache, and the bytes at the device are those that the kernel counted for the process."""
    trace, counted, answer = at_the_device(traced, "cold", "pread64", "/experiments/data")
    assert (answer.cause.layer, answer.cause.function) == ("block device", "block_rq"), answer.sentences
    assert "block_rq" in answer.sentences[0] and "block device" in answer.sentences[0]
    assert answer.page_cache.with_calls == PIECES
    assert bytes_at_device(trace) == pytest.approx(counted["read_bytes"], rel=0.05)
    assert counted["read_bytes"] == pytest.approx(PIECES * SIZE, rel=0.05)
    check_times(traced, "cold", "pread64", "/experiments/data")


def test_warm_reads_are_not_the_devices(traced: Run) -> None:
    """The control."""
    trace, counted, _ = traced("warm")
    answer = explained(trace, "pread64", "/experiments/data")
    assert answer.cause.own and answer.cause.layer == "system calls", answer.sentences
    assert "device" not in answer.sentences[0] and answer.device.with_calls == answer.page_cache.with_calls == 0
    assert bytes_at_device(trace) == 0 and counted["read_bytes"] < PIECES * SIZE / 20
    check_times(traced, "warm", "pread64", "/experiments/data")


def compared(a: Path, b: Path, function: str, file: str = "") -> Comparison:
    profiles = []
    for name, trace in (("a", a), ("b", b)):
        with open_traces([str(trace)]) as traces:
            profiles.append(profile(traces, name, function, Selection(file=file)))
    return compare(profiles[0], profiles[1], function)


@pytest.mark.parametrize(("a", "b", "function"), [("warm", "cold", "pread64"), ("buffered", "direct", "pwrite64")])
def test_the_device_is_the_difference(traced: Run, a: str, b: str, function: str) -> None:
    """Between reads from the page cache and from the disk, between writes to either."""
    answer = compared(traced(a)[0], traced(b)[0], function, "/experiments/data")
    assert answer.delta_ns > 0 and "block_rq (layer: block device" in answer.sentences[0], answer.sentences
    times = [traced(mode)[2].time(function) for mode in (a, b)]
    assert answer.delta_ns == pytest.approx((times[1] - times[0]) / PIECES, rel=0.05)


@pytest.mark.parametrize(("mode", "function"), [("warm", "pread64"), ("buffered", "pwrite64")])
def test_the_device_is_no_difference_where_nobody_waits_for_it(traced: Run, mode: str, function: str) -> None:
    """The control: the same twice. Whatever differs, it is not the device."""
    answer = compared(traced(mode)[0], traced(mode, "-again")[0], function, "/experiments/data")
    assert "block" not in answer.sentences[0] and all(row.layer != "block device" for row in answer.changes)


def test_direct_writes_are_the_devices(traced: Run) -> None:
    trace, counted, answer = at_the_device(traced, "direct", "pwrite64")
    assert (answer.cause.layer, answer.cause.function) == ("block device", "block_rq"), answer.sentences
    assert answer.device.with_calls == PIECES
    assert bytes_at_device(trace, nameless=True) == pytest.approx(counted["write_bytes"], rel=0.05)
    check_times(traced, "direct", "pwrite64")


def test_synced_writes_wait_below_fsync(traced: Run) -> None:
    """It is fsync that waits, for the device or the journal; the writes beside it do not."""
    trace, counted, answer = at_the_device(traced, "synced", "fsync")
    assert answer.cause.layer in ("block device", "file system") and not answer.cause.own, answer.sentences
    assert answer.device.with_calls == answer.spread.calls == PIECES
    assert bytes_at_device(trace) == pytest.approx(counted["write_bytes"], rel=0.05)
    check_times(traced, "synced", "fsync")
    writes = explained(trace, "pwrite64")
    assert writes.cause.layer != "block device"
    check_times(traced, "synced", "pwrite64")


def test_buffered_writes_are_not_the_devices(traced: Run) -> None:
    """The control: the same writes, and nobody asks for them to be on the device."""
    trace, _, _ = traced("buffered")
    answer = explained(trace, "pwrite64")
    check_times(traced, "buffered", "pwrite64")
    assert answer.cause.layer != "block device" and answer.device.with_calls == 0, answer.sentences
