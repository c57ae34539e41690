#!/usr/bin/env python3
"""Traces a small job of four processes, from its own regions down to the device: docs/images shows it.

All of them read their input, compute, and write checkpoints of small records. One waits after each record until it is
safe, the others once for each checkpoint. Needs root, and a kernel with tracepoints of ext4.

example_job.py TRACE.pfw.gz
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
from datacrumbs.configurator import gather, resolve, spec
from tracing import Site

HOST: Final = """
capture_probes:
  - {name: io, probe: syscalls, category: POSIX, regex: "p?(read|write)(64|v)?|open(at)?|close|fsync|fdatasync|lseek"}
  - {name: cache, probe: tracepoint, category: filemap, regex: "filemap:mm_filemap_add_to_page_cache"}
  - {name: ext4, probe: tracepoint, category: ext4, regex: "ext4:ext4_(da_write_(begin|end)|sync_file_(enter|exit))"}
  - {name: block, probe: tracepoint, category: block, regex: "block:block_rq_(issue|complete)"}
"""
PROGRAM: Final = """
import os, sys, time
from datacrumbs.client import region

folder, ranks, steps, records = sys.argv[1], 4, 8, 24
for rank in range(ranks):
    if os.fork() == 0:
        break
else:
    for _ in range(ranks):
        os.wait()
    sys.exit()
source = os.open(f"{folder}/input/forcing.nc", os.O_RDONLY)
for step in range(steps):
    with region("read input", step=step):
        for piece in range(6):
            os.pread(source, 65536, (step * 6 + piece) * 65536)
    with region("compute", step=step):
        end = time.monotonic() + 0.006 + 0.001 * rank
        while time.monotonic() < end:
            pass
    with region("checkpoint", step=step):
        file = os.open(f"{folder}/run/rank{rank}-step{step}.dat", os.O_WRONLY | os.O_CREAT)
        for record in range(records):
            os.write(file, bytes(8192))
            if rank == 2:
                os.fsync(file)
        os.fsync(file)
        os.close(file)
"""


def main() -> int:
    """Writes the trace; its folder is called /scratch/ada there, and the machine node1."""
    out = Path(sys.argv[1])
    wishes = spec.parse(HOST.encode(), "host.yaml")
    found = resolve.resolve(wishes, gather.gather(wishes), arch=os.uname().machine, most=10_000)
    with Site() as site:
        folder = site.folder / "scratch"
        for name in ("input", "run"):
            (folder / name).mkdir(parents=True)
        data = folder / "input" / "forcing.nc"
        data.write_bytes(os.urandom(48 * 65536))
        with data.open("rb") as file:  # what is clean is dropped from the page cache
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        program = folder / "simulate.py"
        program.write_text(PROGRAM)
        with site.run(site.sign(found.probes.probes, found.probes.files), "4711") as run:
            run.command([sys.executable, "-I", program, folder])
        text = gzip.decompress(run.trace.read_bytes())
        for real, shown in (
            (f"{sys.executable} -I {folder}/", "python3 "), (str(folder), "/scratch/ada"), (sys.prefix, "/usr/local"),
            (f'"{os.uname().nodename}"', '"node1"'),
        ):  # fmt: skip
            text = text.replace(real.encode(), shown.encode())
        out.write_bytes(gzip.compress(text))
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except subprocess.CalledProcessError as failed:
        raise SystemExit(f"example_job: {failed}\n{failed.stderr}") from failed
