"""Added ns per call: for a traced process, for all others on the machine, and under other tools."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import empty
from bench import Bench, PerCall, measured, say, slowness, wait_for_quiet
from figures import Figure
from tracing import BIN, syscall_probes

CALLS = 2_000
"""A batch of about a millisecond; 201 of them fill half of the default ring."""
SLOW_CALLS = 100
_HISTOGRAM = (
    "tracepoint:syscalls:sys_enter_pread64 /pid == {pid}/ {{ @s[tid] = nsecs; }} "
    "tracepoint:syscalls:sys_exit_pread64 /pid == {pid} && @s[tid]/ {{ @h = hist(nsecs - @s[tid]); delete(@s[tid]); }}"
)
_BPFTRACE_SECONDS = 20
_QUIET_SECONDS = 10


class Rounds:
    """Figures of rounds: the least of each, since what disturbs a round only ever adds."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = defaultdict(list)

    def add(self, name: str, value: float) -> None:
        self._values[name].append(value)

    def best(self, name: str) -> float | None:
        return min(self._values[name]) if self._values[name] else None

    def added(self, name: str, base: str) -> float | None:
        with_it, without = self.best(name), self.best(base)
        return None if with_it is None or without is None else with_it - without


def measure(bench: Bench) -> list[Figure]:
    """Rounds of: nothing attached, DataCrumbs, bpftrace; then strace and DFTracer, which differ by far."""
    rounds = Rounds()
    disturbed = False
    floor = empty.compile_empty(bench)
    probes = bench.site.sign_syscalls()
    profile = bench.site.sign(syscall_probes(), mode="profile")
    with measured(bench.percall) as other:
        for number in range(bench.rounds):
            say(f"ns per call, round {number + 1} of {bench.rounds}")
            disturbed |= wait_for_quiet(_QUIET_SECONDS) > 0
            _nothing(other, rounds)
            if floor:
                with empty.attached(floor):
                    rounds.add("empty getppid", other.cost("getppid", CALLS))
            with bench.site.run(probes, f"percall{number}") as run:
                _datacrumbs(bench, run.run_id, other, rounds)
            with bench.site.run(profile, f"profiled{number}") as run, _traced(bench, run.run_id) as profiled:
                rounds.add("profiled pread", profiled.cost("pread", CALLS))
            _nothing(other, rounds)
            _bpftrace(other, rounds)
        say("ns per call under strace and DFTracer")
        _strace(bench, rounds)
        _dftracer(bench, rounds)
    return _figures(rounds, "others trace on this machine" if disturbed else "")


def _nothing(other: PerCall, rounds: Rounds) -> None:
    rounds.add("pread", other.cost("pread", CALLS))
    rounds.add("getppid", other.cost("getppid", CALLS))


def _traced(bench: Bench, run_id: str) -> contextlib.AbstractContextManager[PerCall]:
    env = {"DATACRUMBS_RUN_DIR": str(bench.site.run_dir)}
    return measured([BIN / "datacrumbs_wrap", "--run-id", run_id, *bench.percall], env)


def _datacrumbs(bench: Bench, run_id: str, other: PerCall, rounds: Rounds) -> None:
    rounds.add("other pread", other.cost("pread", CALLS))
    rounds.add("other getppid", other.cost("getppid", CALLS))
    with _traced(bench, run_id) as traced:
        rounds.add("traced pread", traced.cost("pread", CALLS))
        rounds.add("traced getppid", traced.cost("getppid", CALLS))


@contextlib.contextmanager
def _attached_bpftrace(pid: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        ["bpftrace", "-e", _HISTOGRAM.format(pid=pid)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout
        process.stdout.readline()  # "Attaching 2 probes..."
        deadline = time.monotonic() + _BPFTRACE_SECONDS
        while time.monotonic() < deadline and process.poll() is None and not _holds_programs(process.pid, 2):
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _holds_programs(pid: int, count: int) -> bool:
    """Whether a process has so many BPF programs open, each attached through a perf event."""
    names = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            names.append(str(descriptor.readlink()))
    return names.count("anon_inode:[perf_event]") >= count


def _bpftrace(other: PerCall, rounds: Rounds) -> None:
    if not shutil.which("bpftrace"):
        return
    with _attached_bpftrace(other.pid) as process:
        time.sleep(0.3)
        value = other.cost("pread", CALLS)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=_BPFTRACE_SECONDS)
    # A histogram that holds fewer calls than were made was not attached in time: no figure.
    if sum(int(n) for n in re.findall(r"\)\s+(\d+) \|", output)) >= 200 * CALLS:
        rounds.add("bpftrace pread", value)


def _strace(bench: Bench, rounds: Rounds) -> None:
    if shutil.which("strace"):
        with measured(["strace", "-f", "-e", "trace=pread64", "-o", "/dev/null", *bench.percall]) as traced:
            rounds.add("strace pread", traced.cost("pread", SLOW_CALLS))


def _dftracer(bench: Bench, rounds: Rounds) -> None:
    """DFTracer's preloaded library from PyPI, where a wheel for this machine exists."""
    folder = bench.folder / "dftracer"
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:"]
    try:
        command += ["--no-deps", "--target", str(folder), "dftracer"]
        subprocess.run(command, check=True, capture_output=True, timeout=90)
        library = next(folder.rglob("libdftracer_preload.so"))
    except (subprocess.SubprocessError, StopIteration):
        return
    data = str(bench.file.parent)
    env = {
        "LD_PRELOAD": str(library),
        "DFTRACER_ENABLE": "1",
        "DFTRACER_INIT": "PRELOAD",
        "DFTRACER_DATA_DIR": data,
        "DFTRACER_LOG_FILE": str(folder / "trace"),
        "DFTRACER_INC_METADATA": "1",
    }
    with contextlib.suppress(Exception), measured(bench.percall, env) as traced:
        rounds.add("dftracer pread", traced.cost("pread-libc", SLOW_CALLS))
    # It writes when its process ends.
    if not any(path.stat().st_size for path in folder.glob("trace*")):
        say("DFTracer wrote nothing: its figure is of no use")


def _figures(rounds: Rounds, note: str) -> list[Figure]:
    bare_call = rounds.best("getppid") or 0.0
    pace = slowness(bare_call)
    traced = rounds.added("traced pread", "pread")
    histogram = rounds.added("bpftrace pread", "pread")
    ratio = traced / histogram if traced is not None and histogram else None
    empty_pair = rounds.added("empty getppid", "getppid")
    profiled = rounds.added("profiled pread", "pread")
    floor = "" if empty_pair is None else f"empty programs alone: {empty_pair:.0f} ns"
    bare = f"bare: {rounds.best('pread'):.0f} ns"
    notes = "; ".join(filter(None, [bare, floor, note]))
    missing = "bpftrace is missing or did not attach"
    return [
        Figure(
            "traced 4 KiB pread from tmpfs: added",
            traced,
            "ns",
            most=130 * pace,
            note=notes,
        ),
        Figure(
            "  the same in profile mode: added",
            profiled,
            "ns",
            most=130 * pace,
            note=""
            if profiled is None or empty_pair is None
            else f"beyond empty programs: {profiled - empty_pair:.0f} ns",
        ),
        Figure("  bpftrace, in-kernel histogram: added", histogram, "ns", note="" if histogram else missing),
        Figure("  DataCrumbs over bpftrace", ratio, "x", most=0.4, note="" if ratio is not None else missing),
        Figure("  strace -f -e trace=pread64: added", rounds.added("strace pread", "pread"), "ns"),
        Figure("  DFTracer, preloaded: added", rounds.added("dftracer pread", "pread"), "ns", note="pread(3)"),
        Figure(
            "traced process, call that is not selected (getppid): added",
            rounds.added("traced getppid", "getppid"),
            "ns",
        ),
        Figure(
            "untraced process, getppid: added",
            rounds.added("other getppid", "getppid"),
            "ns",
            most=35 * pace,
            note=f"bare: {bare_call:.0f} ns; {floor}",
        ),
        Figure("untraced process, 4 KiB pread: added", rounds.added("other pread", "pread"), "ns", note=floor),
    ]
