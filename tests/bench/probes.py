"""Whole libraries: attaching and detaching up to 8,723 functions, from the host YAML to READY; what a call costs."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import statistics
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from bench import REFERENCE_NS, Bench, compile_c, measured, say, slowness
from datacrumbs.configurator import gather, resolve, spec
from datacrumbs.core.probes import Capture, ProbeSet
from datacrumbs.core.users import find_user
from datacrumbs.runtime.features import PROGRAMS, find_features
from datacrumbs.runtime.inspect import inspected
from datacrumbs.runtime.plan import make_plan
from datacrumbs.runtime.programs import Programs
from datacrumbs.runtime.providers import functions
from figures import Figure
from floods import memory_of
from tracing import BIN, STOP_SECONDS

TARGETS = {100: 15, 2_489: 20, 3_544: 20, 8_723: 40}
"""ms to attach so many functions; published figures of DataCrumbs: 0.45, 24, 33, 79."""
DETACH_MS = 100
LARGEST = max(TARGETS)
CALLS = 1_000
_CALL_NS = 450
_TEXT = "/scratch/project/run-0001/checkpoint-000100.h5"
_TEXT_NS = 150


def measure(bench: Bench) -> list[Figure]:
    """Attaching by number of functions; the way from the host YAML; calls by their first instruction."""
    library = _library(bench.folder)
    found = _selected(library, "many_.*")
    figures: list[Figure] = []
    for count, target in TARGETS.items():
        some = replace(found, probes=found.probes[:count])
        attach, detach, links = _attach(some, 3 if bench.quick else 5)
        note = f"links: {links}"
        figures.append(Figure(f"attaching {count:,} functions", attach, "ms", most=target, note=note))
        figures.append(Figure(f"  detaching {count:,}", detach, "ms", most=DETACH_MS))
    return figures + _way(library) + _start(bench, found) + _calls(bench, library) + _text(bench, library)


def _library(folder: Path) -> Path:
    """A library of as many functions as the largest of the published figures, and one that is given a text."""
    source = folder / "many.c"
    many = "".join(f"long many_{i:05}(long a) {{ return a + {i}; }}\n" for i in range(LARGEST))
    source.write_text(
        f'{many}long first(const char *a) {{ return *a; }}\nlong text(int i) {{ return first("{_TEXT}"); }}\n'
    )
    compile_c([source], folder / "libmany.so", "-O0", "-shared", "-fPIC", "-Wl,--build-id")
    return folder / "libmany.so"


def _selected(library: str | Path, pattern: str, known: str = "{}") -> ProbeSet:
    text = (
        f"{{name: many, probe: uprobe, file: {library}, category: C, regex: '{pattern}', function_arguments: {known}}}"
    )
    wishes = spec.parse(f"capture_probes: [{text}]\n".encode(), "bench.yaml")
    return resolve.resolve(wishes, gather.gather(wishes), arch=platform.machine(), most=32_768).probes


def _attach(probes: ProbeSet, times: int) -> tuple[float, float, str | None]:
    """The best ms to attach and to detach, by the runtime's own provider in this process."""
    attach, detach = [], []
    features = find_features(None)
    count = len(probes.probes)
    with inspected(probes, find_user(str(os.getuid()))) as files:
        plan = make_plan(probes, features, files, platform.machine())
        if not plan.links:
            return float("inf"), float("inf"), None
        for number in range(times):
            say(f"{count:,} user functions, {number + 1} of {times}")
            sizes = dict.fromkeys(("functions", "function_specs", "briefs", "rates"), count)
            with Programs({functions.OBJECT: PROGRAMS[plan.links]}, sizes) as programs:
                start = time.monotonic()
                with functions.attached(programs, plan, probes):
                    attach.append(time.monotonic() - start)
                    start = time.monotonic()
                detach.append(time.monotonic() - start)
    return min(attach) * 1e3, min(detach) * 1e3, plan.links


def _way(library: Path) -> list[Figure]:
    """The configurator's time and the size of what it makes: neither grows faster than the functions' number."""
    times, sizes = {}, {}
    for count, pattern in ((LARGEST // 4, r"many_0[01]\d\d\d|many_02[01]\d\d"), (LARGEST, "many_.*")):
        tries = []
        for _ in range(3):
            start = time.monotonic()
            probes = _selected(library, pattern)
            tries.append(time.monotonic() - start)
        times[count] = min(tries) / len(probes.probes)
        sizes[count] = len(str(probes.to_json())) / len(probes.probes)
    small, large = LARGEST // 4, LARGEST
    return [
        Figure(f"configurator, {large:,} functions", times[large] * large, "s"),
        Figure("  time per function, against a quarter of them", times[large] / times[small], "x", most=1.3),
        Figure("  size per function, against a quarter of them", sizes[large] / sizes[small], "x", most=1.1),
    ]


def _start(bench: Bench, probes: ProbeSet) -> list[Figure]:
    """From the start of the runtime's process to READY with all of them, and the memory that it takes then."""
    signed = bench.site.sign(list(probes.probes), list(probes.files))
    ready, memory = [], 0.0
    for number in range(3):
        say(f"process start to READY with {LARGEST:,} functions, {number + 1}")
        path = bench.site.run_dir / f"datacrumbs-many{number}.ready"
        start = time.monotonic()
        process = bench.site.start(signed, f"many{number}")
        while not path.exists() and process.poll() is None and time.monotonic() - start < 60:
            time.sleep(0.002)
        ready.append(time.monotonic() - start)
        memory = sum(memory_of(process.pid).values())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOP_SECONDS)
    size = signed.stat().st_size / 1e6
    return [
        Figure(f"process start to READY, {LARGEST:,} functions", statistics.median(ready), "s", most=1.0),
        Figure("  its memory besides the ring", memory, "MB", most=150, note=f"probes file: {size:.2f} MB"),
    ]


def _calls(bench: Bench, library: Path) -> list[Figure]:
    """Added to one call: a function that begins with push, and libc's pread, whose entry the kernel single-steps."""
    libc = _selected("libc.so.6", "pread(64)?|__pread64")
    bare = replace(libc, probes=tuple(replace(p, capture=Capture()) for p in libc.probes))
    own = replace(_selected(library, "many_00001"))
    calls, base_own, base, added_own, added, taken, peer = [], [], [], [], [], [], []
    for number in range(bench.rounds):
        say(f"ns per call of probed functions, round {number + 1} of {bench.rounds}")
        with measured([*bench.percall, library]) as plain:
            calls.append(plain.cost("getppid", CALLS))
            base_own.append(plain.cost("many_00001", CALLS))
            base.append(plain.cost("pread-libc", CALLS))
            value = _bpftrace(plain.pid, lambda plain=plain: plain.cost("pread-libc", CALLS))
            peer += [value] if value else []
        for probes, name, into in (
            (own, "many_00001", added_own), (bare, "pread-libc", added), (libc, "pread-libc", taken)
        ):  # fmt: skip
            run_id = f"calls{number}-{len(added_own) + len(added) + len(taken)}"
            into.append(_traced(bench, probes, run_id, name, library))
    most = _CALL_NS * slowness(min(calls))
    note = f"{_CALL_NS} ns where a bare call takes {REFERENCE_NS}; here {min(calls):.0f}"
    own_ns, bare_ns, full_ns = (min(a) - min(b) for a, b in ((added_own, base_own), (added, base), (taken, base)))
    ratio = bare_ns / (min(peer) - min(base)) if peer else None
    return [
        Figure("user function that begins with push: added", own_ns, "ns", most=most, note=note),
        Figure("libc pread: added", bare_ns, "ns", most=most, note=f"probe at +{_skip(libc)}"),
        Figure("  with its arguments and file", full_ns, "ns"),
        Figure(
            "  over bpftrace's uprobe and uretprobe", ratio, "x", most=0.2, note="" if peer else "bpftrace is missing"
        ),
    ]


def _text(bench: Bench, library: Path) -> list[Figure]:
    """What an argument's text adds to a call."""
    whole = _selected(library, "first", known="{first: 'a:string'}")
    bare = replace(whole, probes=tuple(replace(p, capture=Capture()) for p in whole.probes))
    calls, without, with_text = [], [], []
    for number in range(bench.rounds):
        say(f"ns per text, round {number + 1} of {bench.rounds}")
        with measured(bench.percall) as plain:
            calls.append(plain.cost("getppid", CALLS))
        without.append(_traced(bench, bare, f"bare{number}", "text", library))
        with_text.append(_traced(bench, whole, f"text{number}", "text", library))
    added = min(with_text) - min(without)
    note = f"{len(_TEXT)} characters; {_TEXT_NS} ns where a bare call takes {REFERENCE_NS}; here {min(calls):.0f}"
    return [Figure("  an argument's text: added to that", added, "ns", most=_TEXT_NS * slowness(min(calls)), note=note)]


def _traced(bench: Bench, probes: ProbeSet, run_id: str, name: str, library: Path) -> float:
    """The ns per call of a function, traced."""
    signed = bench.site.sign(list(probes.probes), list(probes.files))
    env = {"DATACRUMBS_RUN_DIR": str(bench.site.run_dir)}
    with (
        bench.site.run(signed, run_id) as run,
        measured([BIN / "datacrumbs_wrap", "--run-id", run_id, *bench.percall, library], env) as traced,
    ):
        cost = traced.cost(name, CALLS)
    run.trace.unlink()
    return cost


def _skip(probes: ProbeSet) -> int:
    return max(getattr(probe.target, "skip", 0) for probe in probes.probes)


def _bpftrace(pid: int, measure: object) -> float | None:
    """The same call's cost with bpftrace on its entry and its return."""
    if not shutil.which("bpftrace"):
        return None
    libc = "/lib/x86_64-linux-gnu/libc.so.6"
    script = f"uprobe:{libc}:pread64 /pid == {pid}/ {{ @s[tid] = nsecs; }} "
    script += f"uretprobe:{libc}:pread64 /@s[tid]/ {{ @h = hist(nsecs - @s[tid]); delete(@s[tid]); }} "
    process = subprocess.Popen(
        ["bpftrace", "-e", 'BEGIN { printf("ready\\n"); } ' + script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    try:
        while (line := process.stdout.readline()) and line.strip() != "ready":
            pass
        time.sleep(0.5)
        return measure() if line and callable(measure) else None
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
