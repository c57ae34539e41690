"""A generated trace of a job as one meets it: ranks compute, read their input through HDF5, and write checkpoints.

One rank is slow at writing, and one read in seven is not in the page cache, so that there is something to find.

    python tests/support/simulation.py /tmp/simulation.pfw.gz
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Final

from tracegen import EPOCH_NS, Process, TraceWriter

RANKS: Final = 12
STEPS: Final = 40
SLOW_RANK: Final = 5


def write(path: Path) -> None:
    """Writes the trace; the same each time."""
    rng = random.Random(3)
    with TraceWriter(path, host="node17", run_id="4711") as trace:
        trace.opening(user="maria")
        parent = trace.process(900, "mpirun", cmd=f"mpirun -n {RANKS} ./simulate --steps {STEPS}")
        ranks = [
            trace.process(1000 + rank, "simulate", ppid=900, cmd=f"./simulate --steps {STEPS} --rank {rank}",
                          start_ns=EPOCH_NS + rank * 10**6)
            for rank in range(RANKS)
        ]  # fmt: skip
        now = EPOCH_NS + 20 * 10**6
        for step in range(STEPS):
            ends = [_step(trace, rng, step, rank, process, now + 1000 * rank) for rank, process in enumerate(ranks)]
            now = max(ends)
        for rank, process in enumerate(ranks):
            trace.exit(process, now + rank * 10**5, exit=0)
        trace.exit(parent, now + 2 * 10**6, exit=0)
        trace.closing(ended=now // 1000 + 3000)


def _step(trace: TraceWriter, rng: random.Random, step: int, rank: int, process: Process, now: int) -> int:
    """One step of one rank, which ends at the time that is returned."""
    length = int(rng.uniform(20e6, 32e6))
    trace.call(process, "compute", now, length, cat="region")
    now += length
    forcing = trace.file("/lustre/project/climate/input/forcing.nc")
    for number in range(20):
        now = _read(trace, rng, process, forcing, 65_536 * (step * 20 + number), now)
    if step % 5 == 4:
        name = f"/lustre/project/climate/run-2031/checkpoint-{step // 5:04}.h5"
        now = _checkpoint(trace, rng, process, trace.file(name), 3 if rank == SLOW_RANK else 1, rank * 30 << 20, now)
    if rng.random() < 0.3:
        log = trace.file("/home/maria/run/log.txt")
        trace.call(process, "open64", now, 9000, fhash=log, ret=-2 if rng.random() < 0.5 else 5)
        now += 12_000
    return now


def _read(trace: TraceWriter, rng: random.Random, process: Process, file: str, offset: int, now: int) -> int:
    cold = rng.random() < 0.15
    length = int(rng.lognormvariate(11, 0.5)) * (12 if cold else 1)
    trace.call(process, "H5Dread", now, length + 9000, cat="HDF5")
    trace.call(process, "pread64", now + 4000, length + 2000, fhash=file, ret=65_536, count=65_536, offset=offset)
    trace.call(process, "vfs_read", now + 4500, length + 1000, cat="vfs")
    if cold:
        trace.call(process, "ext4_mpage_readpages", now + 4800, length - 3000, cat="ext4")
        trace.call(process, "block_rq", now + 5200, length - 6000, cat="block")
    return now + length + 9000 + int(rng.uniform(1000, 60_000))


def _checkpoint(
    trace: TraceWriter, rng: random.Random, process: Process, file: str, slow: int, offset: int, now: int
) -> int:
    begin, now = now, now + 5000
    for number in range(30):
        length = int(rng.lognormvariate(11.5, 0.4)) * slow
        trace.call(process, "MPI_File_write_at_all", now, length + 20_000, cat="MPI")
        trace.call(process, "pwrite64", now + 8000, length, fhash=file, ret=1 << 20, count=1 << 20,
                   offset=offset + (number << 20))  # fmt: skip
        trace.call(process, "vfs_write", now + 8300, length - 600, cat="vfs")
        trace.call(process, "ext4_file_write_iter", now + 8500, length - 1200, cat="ext4")
        now += length + 24_000
    sync = int(rng.uniform(4e6, 9e6)) * slow
    trace.call(process, "fsync", now, sync, fhash=file, ret=0)
    trace.call(process, "ext4_sync_file", now + 1000, sync - 3000, cat="ext4")
    trace.call(process, "block_rq", now + 200_000, sync - 400_000, cat="block")
    now += sync + 2000
    trace.call(process, "H5Dwrite", begin, now - begin, cat="HDF5")
    return now + 3000


if __name__ == "__main__":
    write(Path(sys.argv[1]))
