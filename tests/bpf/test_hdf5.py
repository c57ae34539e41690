"""HDF5 over MPI-IO, two ranks, real causes: waiting for another rank, small strided writes, flushing to the device.

Each has a control from which the cause is taken away and which must not be blamed on it. The times are compared with
what was measured independently in the same run: by the program itself with its own clock and MPI's profiling
interface, and by bpftrace for system calls.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from datacrumbs.analysis.comparing.compare import compare
from datacrumbs.analysis.comparing.comparison import Comparison
from datacrumbs.analysis.comparing.sides import profile
from datacrumbs.analysis.explaining.explain import explain
from datacrumbs.analysis.explaining.explanation import Explanation, Share
from datacrumbs.analysis.explaining.selection import Selection
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.configurator import gather, resolve, spec
from tracing import Site
from watch import Watched, watched

pytestmark = [pytest.mark.ebpf, pytest.mark.timeout(300)]

SOURCE = Path(__file__).parent / "programs" / "hdf5_experiment.c"
RANKS, WRITES = 2, 10
PIECES = (4 << 20) // 4096
"""Calls that a strided write of 4 MiB takes, in pieces of 4 KiB: each takes some microseconds, so that what one tool
adds to the other's times is below 5 %."""
HOST = """
capture_probes:
  - {name: io, probe: syscalls, category: POSIX, regex: "pwrite(64|v)|fsync"}
  - {name: mpi, probe: uprobe, file: libmpi.so.40, category: MPI, regex: "MPI_(File_.*|Allreduce|Barrier|Bcast)"}
  - {name: hdf5, probe: uprobe, file: libhdf5_openmpi.so.103, category: HDF5, regex: "H5(Dwrite|Fflush)"}
"""
KERNEL = """
  - {name: k, probe: tracepoint, regex: "block:block_rq_(issue|complete)|jbd2:jbd2_(start|end)_commit"}
"""


@dataclass
class Job:
    """A traced job: its trace, what its ranks measured (by rank and function: calls and nanoseconds), their pids."""

    trace: Path
    measured: dict[tuple[int, str], tuple[int, int]]
    pids: dict[int, int]
    watched: Watched

    def explain(self, function: str, rank: int | None = None) -> Explanation:
        with open_traces([str(self.trace)]) as traces:
            return explain(traces, function, Selection(process="" if rank is None else str(self.pids[rank])))

    def time(self, function: str) -> int:
        """Nanoseconds that all ranks measured."""
        return sum(ns for (_, name), (_, ns) in self.measured.items() if name == function)


@pytest.fixture(scope="module")
def program(site: Site) -> Path:
    """The program, on a file system with a real disk, where fsync waits for one."""
    if shutil.which("mpicc") is None or shutil.which("mpirun") is None:
        pytest.skip("Open MPI is not installed")
    path = site.folder / "h5x"
    where = ["-I/usr/include/hdf5/openmpi", "-L/usr/lib/x86_64-linux-gnu/hdf5/openmpi", "-lhdf5"]
    built = subprocess.run(["mpicc", "-O1", "-Wall", "-o", path, SOURCE, *where], capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"no parallel HDF5 for Open MPI: {built.stderr[:200]}")
    return path


@pytest.fixture(scope="module")
def job(site: Site, program: Path) -> Callable[[str], Job]:
    """Runs the program in a mode, once for each, under tracing and bpftrace."""
    text = HOST + (KERNEL if Path("/sys/kernel/tracing/events/jbd2").is_dir() else "")
    wishes = spec.parse(text.encode(), "hdf5.yaml")
    found = resolve.resolve(wishes, gather.gather(wishes), arch=os.uname().machine, most=10_000)
    more = {"kernel": found.probes.kernel} if found.probes.kernel else {}
    signed = site.sign(found.probes.probes, found.probes.files, **more)
    made: dict[str, Job] = {}

    def run(mode: str) -> Job:
        if mode not in made:
            launcher = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", str(RANKS)]
            # Who waits does not hand its processor to whatever else the machine does.
            options = ["--mca", "btl", "self,vader", "--mca", "io", "ompio", "--mca", "mpi_yield_when_idle", "0"]
            data = site.folder / f"{mode}.h5"
            with (
                watched(["pwrite64", "fsync"], program.name) as seen,
                site.run(signed, f"hdf5-{mode}-{os.getpid()}") as running,
            ):
                done = running.command([*launcher, *options, program, data, str(WRITES), mode], check=False)
                assert done.returncode == 0, done.stderr
            data.unlink()
            closing = running.closing()
            assert (closing["lost"], closing["unwritten"]) == (0, 0)
            rows = re.findall(r"^(\d) (\d+) (\w+) (\d+) (\d+)$", done.stdout, re.MULTILINE)
            measured = {(int(rank), name): (int(calls), int(ns)) for rank, _, name, calls, ns in rows}
            made[mode] = Job(running.trace, measured, {int(row[0]): int(row[1]) for row in rows}, seen)
        return made[mode]

    return run


def compared(a: Job, b: Job, rank: int | None = None) -> Comparison:
    """The calls of H5Dwrite of two jobs, of all ranks or of one."""
    sides = []
    for name, one in (("a", a), ("b", b)):
        with open_traces([str(one.trace)]) as traces:
            sides.append(
                profile(traces, name, "H5Dwrite", Selection(process="" if rank is None else str(one.pids[rank])))
            )
    return compare(sides[0], sides[1], "H5Dwrite")


def share(answer: Explanation, function: str) -> Share:
    return next(row for row in answer.functions if row.function == function and not row.caused)


def close_to(number: float) -> object:
    return pytest.approx(number, rel=0.05)


def test_waiting_for_another_rank_is_named(job: Callable[[str], Job]) -> None:
    """The first rank waits in a reduction below H5Dwrite, since the other comes 100 ms later each time."""
    one = job("waiting")
    answer = one.explain("H5Dwrite", rank=0)
    assert (answer.cause.layer, answer.cause.function) == ("MPI", "MPI_Allreduce"), answer.sentences
    assert "MPI_Allreduce itself (layer: MPI)" in answer.sentences[0]
    waited, (calls, took) = one.measured[0, "MPI_Allreduce"], one.measured[0, "H5Dwrite"]
    assert calls == answer.spread.calls == WRITES and waited[0] == share(answer, "MPI_Allreduce").calls
    assert waited[1] >= WRITES * 90e6
    assert answer.spread.total_ns == close_to(took)
    assert answer.cause.ns == close_to(waited[1])
    assert answer.cause.share == close_to(waited[1] / took)


def test_who_writes_alone_waits_for_nobody(job: Callable[[str], Job]) -> None:
    """The control: the other rank comes as late, but nobody waits for it."""
    one = job("alone")
    answer = one.explain("H5Dwrite", rank=0)
    assert answer.cause.function in ("pwrite64", "MPI_File_write_at", "H5Dwrite"), answer.sentences
    assert "MPI_Allreduce" not in answer.sentences[0]
    assert answer.spread.total_ns < one.explain("H5Dwrite").spread.calls * 90e6


def test_the_wait_is_the_difference_between_collective_and_independent_writes(job: Callable[[str], Job]) -> None:
    alone, waiting = job("alone"), job("waiting")
    answer = compared(alone, waiting, rank=0)
    top = answer.changes[0]
    assert (top.layer, top.function) == ("MPI", "MPI_Allreduce"), answer.sentences
    assert "MPI_Allreduce (layer: MPI)" in answer.sentences[0]
    took = [one.measured[0, "H5Dwrite"][1] / WRITES for one in (alone, waiting)]
    assert answer.delta_ns == close_to(took[1] - took[0])
    assert top.delta_ns == close_to(waiting.measured[0, "MPI_Allreduce"][1] / WRITES)


def test_small_strided_writes_are_named_with_their_number(job: Callable[[str], Job]) -> None:
    """The same bytes take 1,024 calls in place of one, and the first line says so."""
    alone, strided = job("alone"), job("strided")
    answer = compared(alone, strided)
    assert "1,024 instead of 1 calls in each" in answer.sentences[0], answer.sentences
    top = answer.changes[0]
    assert top.function in ("MPI_File_write_at", "pwrite64")
    assert (top.a_calls, top.b_calls) == (1, PIECES)
    assert answer.delta_ns == close_to((strided.time("H5Dwrite") - alone.time("H5Dwrite")) / (RANKS * WRITES))
    explained = strided.explain("H5Dwrite")
    assert explained.spread.total_ns == close_to(strided.time("H5Dwrite"))
    with open_traces([str(strided.trace)]) as traces:
        inside = traces.database.execute("SELECT sum(ns), count(*) FROM calls WHERE name = 'pwrite64'").fetchall()[0]
    assert inside[1] == strided.watched.number("pwrite64")
    assert float(inside[0]) == close_to(strided.watched.time("pwrite64"))


def test_equal_writes_are_not_blamed_on_their_number(job: Callable[[str], Job]) -> None:
    """The control: both write contiguously. Whatever differs, it is no number of calls."""
    answer = compared(job("alone"), job("flushed"))
    assert "instead of 1 calls" not in answer.sentences[0], answer.sentences
    assert all(row.from_calls_ns == 0 for row in answer.changes if row.function in ("MPI_File_write_at", "pwrite64"))


def test_flushing_waits_for_the_device(job: Callable[[str], Job]) -> None:
    """H5Fflush is fsync's time, and below it the device's or the journal's where the kernel tells."""
    one = job("flushed")
    answer = one.explain("H5Fflush")
    assert answer.cause.function in ("fsync", "block_rq", "jbd2_commit"), answer.sentences
    assert answer.cause.function in answer.sentences[0] and answer.cause.layer in answer.sentences[0]
    assert answer.spread.calls == RANKS * WRITES
    assert answer.spread.total_ns == close_to(one.time("H5Fflush"))
    assert share(answer, "fsync").inclusive_ns == close_to(one.watched.time("fsync"))
    assert share(answer, "fsync").inclusive_ns > 0.5 * answer.spread.total_ns


def test_writes_that_nobody_flushes_do_not_wait_for_the_device(job: Callable[[str], Job]) -> None:
    """The control: the writes of the same run."""
    answer = job("flushed").explain("H5Dwrite")
    assert answer.cause.function not in ("fsync", "block_rq", "jbd2_commit"), answer.sentences
    assert all(row.function != "fsync" for row in answer.functions)
