"""`make bench-analysis`: how long answers take and what memory they need, and how other tools do on the same file.

Prints one table for each question. Exits with 0 where every target is met, 1 where one is missed, 69 where something is
missing. `--quick` leaves out the largest trace and takes the best of two, in place of three.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "support")]

import readers  # noqa: E402
from tracegen import synthetic  # noqa: E402

MILLION = 1_000_000
ANALYZE = Path(sys.executable).with_name("datacrumbs_analyze")
CPUS = sorted(os.sched_getaffinity(0))[:2]
SUMMARY, EXPLAIN, MEMORY = 8.0, 12.0, 2048.0
"""Seconds, seconds and MiB for ten million events."""
PEERS = {"dfanalyzer": 30.0, "dftracer_stats + dftracer_info": 3.0}
"""How many times as long as `summary` each of them takes at least, at `PEERS_AT` million events."""
PEERS_AT = 1
PEERS_TOO = (0.1, 10)
"""Sizes at which it is told, too: dfanalyzer takes most of its time for a small trace to start."""
LINEAR = 1.5
"""What a million events more costs the program itself may differ by this factor between sizes. What the kernel takes to
hand memory out is not the program's, and on a virtual machine whose host has to find that memory first no line."""


class Run(NamedTuple):
    """Seconds on the wall, seconds of processors, in all and by the program itself, and the most memory in MiB."""

    seconds: float
    cpu: float
    user: float
    memory: float


def run(command: Sequence[str | Path], folder: Path) -> Run:
    """Runs a command on the first two processors that this process may use.

    Raises:
        RuntimeError: it fails.
    """
    environment = {"USER": "root"} | {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    begin = time.monotonic()
    with (folder / "errors").open("wb") as errors, (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=errors,
            preexec_fn=lambda: os.sched_setaffinity(0, CPUS),
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {(folder / 'errors').read_text()[-500:]}")
    seconds = time.monotonic() - begin
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_utime, usage.ru_maxrss / 1024)


def best(command: Sequence[str | Path], folder: Path, times: int) -> Run:
    """The shortest of some runs, and the most memory of any: what disturbs one only ever adds time."""
    runs = [run(command, folder) for _ in range(times)]
    return min(runs)._replace(memory=max(one.memory for one in runs))


def side_by_side(trace: Path, folder: Path, times: int) -> dict[str, float]:
    """Seconds that `summary` needs, and other tools for what it tells, in turns; each works on a folder with a copy."""
    found: dict[str, list[float]] = {}
    tools = readers.install("dftracer-utils") / "bin"
    analyzer = readers.install("dfanalyzer") / "bin" / "dfanalyzer"
    for _ in range(times):
        found.setdefault("summary", []).append(best([ANALYZE, "summary", trace], folder, 3).seconds)
        with readers._copied(trace) as copy:
            index = copy / "index"
            names = ("dftracer_stats", "dftracer_info")
            parts = [run([tools / name, "-d", copy, "--index-dir", index], copy).seconds for name in names]
            found.setdefault("dftracer_stats + dftracer_info", []).append(sum(parts))
        with readers._copied(trace) as copy:
            seconds = run([analyzer, f"trace_path={copy}", "analyzer/preset=posix"], copy).seconds
            found.setdefault("dfanalyzer", []).append(seconds)
    return {tool: min(seconds) for tool, seconds in found.items()}


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """A Dask cluster of some single-threaded workers on the same processors; yields its address."""
    file = folder / f"dask-{workers}.json"
    log = (folder / "dask.log").open("wb")

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *arguments, "--scheduler-file", str(file), "--no-dashboard"]
        return subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, preexec_fn=lambda: os.sched_setaffinity(0, CPUS)
        )

    processes = [start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        deadline = time.monotonic() + 60
        while not file.exists() or not file.read_text().strip():
            if time.monotonic() > deadline:
                raise RuntimeError((folder / "dask.log").read_text()[-500:])
            time.sleep(0.1)
        processes += [start("distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny") for _ in range(workers)]
        address = str(json.loads(file.read_text())["address"])
        wait = "import distributed, sys; distributed.Client(sys.argv[1]).wait_for_workers(int(sys.argv[2]), timeout=60)"
        subprocess.run([sys.executable, "-c", wait, address, str(workers)], check=True, capture_output=True)
        yield address
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()
        log.close()


def sizes(folder: Path, millions: Sequence[int], times: int) -> list[str]:
    """The first table: both verbs by size. Returns what was missed."""
    missed: list[str] = []
    summaries: dict[int, Run] = {}
    explains: dict[int, Run] = {}
    print(f"{'events':>12}  {'summary':>9}  {'CPU':>8}  {'memory':>9}  {'explain':>9}  {'CPU':>8}  {'memory':>9}")
    for size in millions:
        trace = folder / f"{size}.pfw.gz"
        synthetic(trace, size * MILLION)
        summaries[size] = summary = best([ANALYZE, "summary", trace], folder, times)
        explains[size] = explain = best([ANALYZE, "explain", "read", trace], folder, times)
        cells = (f"  {one.seconds:>7.2f} s  {one.cpu:>6.1f} s  {one.memory:>5.0f} MiB" for one in (summary, explain))
        print(f"{size * MILLION:>12,}" + "".join(cells), flush=True)
        if size == 10:
            missed += ["summary > 8 s"] * (summary.seconds > SUMMARY) + ["explain > 12 s"] * (explain.seconds > EXPLAIN)
            missed += ["memory > 2 GiB"] * (max(summary.memory, explain.memory) > MEMORY)
        if size > 10:
            missed += [f"summary of {size} M: memory > 2 GiB"] * (summary.memory > MEMORY)
    for verb, runs in (("summary", summaries), ("explain", explains)):
        steps = [
            (runs[large].user - runs[small].user) / (large - small) for small, large in itertools.pairwise(millions)
        ]
        if steps:
            print(f"{verb}: a million events more takes the program {', '.join(f'{step:.2f} s' for step in steps)}")
            missed += [f"{verb} is not linear"] * (max(steps) > LINEAR * max(min(steps), 0.01))
    return missed


def peers(folder: Path, millions: Sequence[float], times: int) -> list[str]:
    """The second table: other tools on the same files. Returns what was missed."""
    missed = []
    print()
    for size in millions:
        trace = folder / f"{size}.pfw.gz"
        if not trace.exists():
            synthetic(trace, round(size * MILLION))
        taken = side_by_side(trace, folder, times)
        summary = taken.pop("summary")
        print(f"{round(size * MILLION):,} events, the same file: summary takes {summary:.2f} s")
        for tool, seconds in taken.items():
            factor, target = seconds / summary, PEERS[tool] if size == PEERS_AT else 0
            wanted = f" (target {target:.0f})" if target else ""
            print(f"{tool:>32}: {seconds:.1f} s, {factor:.1f} times as long{wanted}", flush=True)
            missed += [f"{tool}: less than {target:.0f} times summary"] * (factor < target)
    return missed


def dask(folder: Path, size: int, times: int) -> list[str]:
    """The third table: a Dask cluster of one and of two workers, on traces of four nodes. Returns what was missed."""
    nodes = folder / "nodes"
    nodes.mkdir()
    for number in range(4):
        synthetic(nodes / f"{number}.pfw.gz", size * MILLION // 4, host=f"node{number}", seed=number)
    missed = []
    expected: dict[str, bytes] = {}
    seconds: dict[str, dict[int, float]] = {"summary": {}, "explain read": {}}
    for verb, of_verb in seconds.items():
        of_verb[0] = best([ANALYZE, *verb.split(), "--json", nodes], folder, times).seconds
        expected[verb] = (folder / "output").read_bytes()
    for workers in (1, 2):
        with cluster(folder, workers) as address:
            for verb, of_verb in seconds.items():
                command: list[str | Path] = [ANALYZE, *verb.split(), "--json", "--scheduler", address, nodes]
                of_verb[workers] = best(command, folder, times).seconds
                if (folder / "output").read_bytes() != expected[verb]:
                    missed.append(f"{verb} by Dask with {workers} workers: another result")
    print(
        f"{size * MILLION:,} events of four nodes{'without':>14}{'Dask: 1 worker':>18}{'2 workers':>13}{'speed-up':>12}"
    )
    for verb, of_verb in seconds.items():
        cells = "".join(f"{of_verb[workers]:>14.2f} s" for workers in (0, 1, 2))
        print(f"{verb:>28}{cells}{of_verb[1] / of_verb[2]:>11.2f}x", flush=True)
    return missed


def main() -> int:
    """Measures everything once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", help="sizes in millions (1 3 10 30)")
    parser.add_argument("--quick", action="store_true", help="1, 3 and 10 million events, fewer runs")
    options = parser.parse_args()
    times = 2 if options.quick else 3
    millions = sorted(options.events or ([1, 3, 10] if options.quick else [1, 3, 10, 30]))
    if not ANALYZE.exists():
        print("datacrumbs_analyze is not installed beside this Python: make build", file=sys.stderr)
        return 69
    try:
        for reader in ("dftracer-utils", "dfanalyzer"):
            readers.install(reader)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"other tools cannot be installed: {error}", file=sys.stderr)
        return 69
    print(f"load {os.getloadavg()[0]:.1f}, processors {len(CPUS)}, the best of {times}")
    with tempfile.TemporaryDirectory(prefix="datacrumbs-bench-") as name:
        folder = Path(name)
        missed = sizes(folder, millions, times)
        if not options.events:
            missed += peers(folder, [PEERS_AT] if options.quick else sorted([PEERS_AT, *PEERS_TOO]), 2)
        print()
        missed += dask(folder, max(size for size in millions if size <= 10 or size == millions[0]), 2)
    print(f"\nload {os.getloadavg()[0]:.1f}")
    print("missed: " + "; ".join(missed) if missed else "every target is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
