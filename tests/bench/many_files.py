"""Profile mode under load: twenty threads on 50,000 files for ten seconds, and not a call is missing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from bench import Bench, compile_c, say
from figures import Figure
from floods import closing_of
from profiles import by_name, sums
from tracing import syscall_probes

THREADS = 20
FILES = 50_000
_PROGRAMS = Path(__file__).resolve().parents[1] / "bpf" / "programs"
_KINDS = ("open64", "pread64", "close")


def measure(bench: Bench) -> list[Figure]:
    """Calls that the program made on its files and that the profile has not, overflow rows included."""
    seconds = 2 if bench.quick else 10
    say(f"profile mode, {THREADS} threads, {FILES:,} files, {seconds} s")
    program = bench.folder / "many"
    compile_c([_PROGRAMS / "many.c"], program, "-D_GNU_SOURCE", "-pthread")
    folder = Path(tempfile.mkdtemp(prefix="datacrumbs-bench-", dir="/dev/shm"))
    try:
        with bench.site.run(bench.site.sign(syscall_probes(), mode="profile"), "many", "--quiet") as run:
            done = run.command([program, folder, str(FILES), str(THREADS), str(1000 * seconds)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    said = {name: int(number) for name, number in (line.split() for line in done.stdout.splitlines())}
    found = by_name({k: v for k, v in sums(run).items() if k[1] == "(overflow)" or str(k[1]).startswith(f"{folder}/f")})
    missing = sum(max(0, said[name] - found[name].calls) for name in _KINDS)
    closing = closing_of(run.trace)
    made = sum(said[name] for name in _KINDS)
    note = f"{made:,} calls, {closing['overflowed']:,} without room for their file, {closing['lost']:,} counted as lost"
    size = run.trace.stat().st_size
    run.trace.unlink()
    return [
        Figure(f"profile, {THREADS} threads, {FILES:,} files, {seconds} s: missing calls", missing, most=0, note=note),
        Figure("  trace", size / 1e6, "MB"),
    ]
