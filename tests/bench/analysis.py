"""`make bench-analysis`: how long answers take and what memory they need, and how other tools do on the same file.

Prints one table. Exits with 0 where every target is met, else with 1.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "support")]

import readers  # noqa: E402
from tracegen import synthetic  # noqa: E402

MILLION = 1_000_000
ANALYZE = Path(sys.executable).with_name("datacrumbs_analyze")


class Run(NamedTuple):
    """Seconds on the wall, and the most memory in MiB."""

    seconds: float
    memory: float


def run(command: Sequence[str | Path], folder: Path) -> Run:
    """Runs a command on the first two processors that this process may use.

    Raises:
        RuntimeError: it fails.
    """
    cpus = sorted(os.sched_getaffinity(0))[:2]
    environment = {"USER": "root"} | {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    begin = time.monotonic()
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=errors,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {(folder / 'errors').read_text()[-500:]}")
    return Run(time.monotonic() - begin, usage.ru_maxrss / 1024)


def others(trace: Path) -> dict[str, float]:
    """Seconds that other tools need for what `summary` tells; each works on a folder with a copy."""
    found = {}
    tools = readers.install("dftracer-utils") / "bin"
    with readers._copied(trace) as folder:
        index = folder / "index"
        names = ("dftracer_stats", "dftracer_info")
        parts = [run([tools / name, "-d", folder, "--index-dir", index], folder).seconds for name in names]
        found["dftracer_stats + dftracer_info"] = sum(parts)
    with readers._copied(trace) as folder:
        tool = readers.install("dfanalyzer") / "bin" / "dfanalyzer"
        found["dfanalyzer"] = run([tool, f"trace_path={folder}", "analyzer/preset=posix"], folder).seconds
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[1, 3, 10, 30], help="sizes in millions")
    options = parser.parse_args()
    missed = []
    print(f"{'events':>12}  {'summary':>9}  {'memory':>9}  {'explain':>9}  {'memory':>9}")
    with tempfile.TemporaryDirectory(prefix="datacrumbs-bench-") as name:
        folder = Path(name)
        for millions in options.events:
            trace = folder / f"{millions}.pfw.gz"
            synthetic(trace, millions * MILLION)
            summary = min(run([ANALYZE, "summary", trace], folder) for _ in range(3))
            explain = min(run([ANALYZE, "explain", "read", trace], folder) for _ in range(3))
            print(
                f"{millions * MILLION:>12,}  {summary.seconds:>7.2f} s  {summary.memory:>5.0f} MiB"
                f"  {explain.seconds:>7.2f} s  {explain.memory:>5.0f} MiB",
                flush=True,
            )
            if millions == 10:
                missed += ["summary > 8 s"] * (summary.seconds > 8) + ["explain > 12 s"] * (explain.seconds > 12)
                missed += ["memory > 2 GiB"] * (max(summary.memory, explain.memory) > 2048)
            if millions == 1:
                for tool, seconds in others(trace).items():
                    factor, target = seconds / summary.seconds, 30 if tool == "dfanalyzer" else 3
                    print(f"{tool:>32}: {seconds:.1f} s, {factor:.1f} times summary (target {target})", flush=True)
                    missed += [f"{tool}: less than {target} times summary"] * (factor < target)
            trace.unlink()
    print("; ".join(missed) or "every target is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
