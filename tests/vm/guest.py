"""What runs inside the emulated kernel: traces a program on an ext4 of its own, and leaves the trace for the tests.

guest.py SHARED PROGRAM FUNCTIONS: SHARED gets result.json and trace.pfw.gz; PROGRAM is tests/bpf/programs/disk.c;
FUNCTIONS is how many kernel functions to attach.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from datacrumbs.configurator.sources import ksym, tracepoint
from datacrumbs.configurator.spec import parse
from datacrumbs.core import btf
from datacrumbs.core.probes import Probe
from datacrumbs.runtime.ksyms import addresses
from tracing import Site, syscall_probes

FUNCTIONS = (
    "vfs_read|vfs_write|vfs_fsync_range|ext4_file_read_iter|ext4_file_write_iter|ext4_buffered_write_iter|"
    "generic_perform_write|ext4_sync_file|file_write_and_wait_range|filemap_read|filemap_get_pages"
)
MANY = "(ext4|vfs|filemap|generic|jbd2|iomap|file|inode|dentry|d|blk|bio|submit|mpage|block|writeback|wb|folio|page)_.*"
EVENTS = "ext4:ext4_sync_file|jbd2:jbd2_commit|block:block_rq"


def probes_on(kind: str, regex: str) -> list[Probe]:
    spec = parse(f"capture_probes: [{{name: kernel, probe: {kind}, regex: '{regex}'}}]".encode(), "h.yaml")
    find = ksym.find if kind == "kprobe" else tracepoint.find
    return [item.probe for item in find(spec.entries[0]).probes if not item.problem]


def functions(count: int) -> list[Probe]:
    """Those that the tests look at, and others up to this number that the kernel lets be traced."""
    chosen = {probe.name: probe for probe in probes_on("kprobe", FUNCTIONS)}
    if count > len(chosen):
        more = probes_on("kprobe", MANY)
        places = addresses([probe.target for probe in more])
        chosen |= {probe.name: probe for probe in more if isinstance(places[probe.target], int)}
    return list(chosen.values())[:count]


def mounted() -> Path:
    image, folder = Path("/tmp/image"), Path("/tmp/mounted")
    with image.open("wb") as file:
        file.truncate(64 << 20)
    folder.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    return folder


def main() -> None:
    shared, program, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    for module in ("loop", "ext4"):
        subprocess.run(["modprobe", module], check=True)
    if not Path("/sys/kernel/tracing/events").exists():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/var/lib/datacrumbs-tests"], check=True)
    folder = mounted()
    chosen = functions(count)
    calls = syscall_probes(["pwrite64", "fsync", "read"])
    with Site() as site:
        signed = site.sign([*calls, *chosen, *probes_on("tracepoint", EVENTS)], kernel=btf.fingerprint())
        with site.run(signed, "kernel") as run:
            run.command([program, folder / "data", "5", "4096", "sync"])
            run.command(["dd", f"if={folder / 'data'}", "of=/dev/null", "bs=4096", "status=none"])
        shown = site.start(signed, "plan", "--dry-run", stdout=subprocess.PIPE)
        plan = shown.communicate()[0]
        shutil.copy(run.trace, shared / "trace.pfw.gz")
    links = sorted({line.split("\t")[3] for line in plan.splitlines() if line.startswith("kernel\t")})
    result = {"functions": len(chosen), "output": run.output, "links": links, "path": str(folder / "data")}
    (shared / "result.json").write_text(json.dumps(result))


main()
