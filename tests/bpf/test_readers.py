"""What others make of our traces: the tools of the DFTracer project and Perfetto, on a real trace of real programs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import readers
from tracing import BIN, Run, Site, binary, function_probes, syscall_probes

pytestmark = pytest.mark.ebpf

MOVES = ("read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev")
IGNORED = ("/dev/", "/etc/", "/lib/python", "/proc/", "/sys/", "/usr/lib")
"""What dfanalyzer leaves out of its totals: the parts of its IGNORED_FILE_PATTERNS that exist here."""
LIBC = ("fopen", "fread", "fwrite", "fflush", "fclose")


def libc() -> Path:
    """The C library that programs here are linked with."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    return Path(next(line.split()[-1] for line in maps if "libc.so.6" in line))


@pytest.fixture(scope="module")
def stdio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that writes and reads a file through the C library."""
    folder = tmp_path_factory.mktemp("readers")
    source, program = folder / "stdio.c", folder / "stdio"
    source.write_text(
        "#include <stdio.h>\nint main(int count, char **arguments) { char buffer[5000]; FILE *file;\n"
        'for (int i = 0; count > 1 && i < 300; i++) { file = fopen(arguments[1], i ? "a" : "w");\n'
        "fwrite(buffer, 1, sizeof(buffer), file); fflush(file); fclose(file); }\n"
        'file = fopen(arguments[1], "r"); while (fread(buffer, 1, sizeof(buffer), file)); return fclose(file); }\n'
    )
    subprocess.run(["gcc", "-O1", "-w", "-o", program, source], check=True)
    return program


@pytest.fixture(scope="module")
def traced(stdio: Path) -> Iterator[Run]:
    """A finished trace of the program: system calls and the C library above them."""
    with Site() as site:
        probes = [*syscall_probes(("openat", "close", "lseek", *MOVES)), *function_probes(libc(), LIBC)]
        with site.run(site.sign(probes, [binary(libc())]), "readers") as run:
            run.command([stdio, site.folder / "data"])
        yield run


def test_dftracer_accepts_the_trace_and_counts_what_we_count(traced: Run) -> None:
    """dftracer_validate finds no fault; dftracer_event_count finds our calls and process events."""
    readers.dftracer_validate(traced.trace)
    events = [line for line in traced.lines() if line["ph"] == "X"]
    assert readers.dftracer_count(traced.trace) == len(events)


def test_dfanalyzer_finds_the_same_calls_and_bytes(traced: Run) -> None:
    """Its POSIX layer holds our system calls and their bytes, once: the C library's above them are not added."""
    totals = readers.dfanalyzer_totals(traced.trace)
    seen = [e for e in traced.events("POSIX") if not any(part in (e["path"] or "") for part in IGNORED)]
    assert totals.calls == len(seen)
    assert totals.bytes == sum(e["args"]["ret"] for e in seen if e["name"] in MOVES and e["args"]["ret"] > 0)
    assert totals.bytes == 2 * 300 * 5000


def test_perfetto_drops_no_slice_and_nests_as_the_calls_did(traced: Run) -> None:
    """Every span is a slice, no error counter is above zero, and each write lies inside the fflush that caused it.

    But for those that begin and end in one microsecond: in the last one of the fflush, they are shown behind it.
    """
    events = [line for line in traced.lines() if line["ph"] == "X"]
    slices = readers.perfetto_slices(traced.trace)
    assert slices.problems == {}
    assert slices.slices == len(events)
    rows = readers.perfetto_query(
        traced.trace,
        "SELECT parent.name, count(*) FROM slice JOIN slice AS parent ON slice.parent_id = parent.id"
        " WHERE slice.name = 'write' AND slice.dur > 0 GROUP BY parent.name ORDER BY parent.name",
    )
    assert dict(rows).keys() <= {"fflush", "fwrite"}
    writes = [event for event in traced.events("POSIX") if event["name"] == "write" and event["dur"] > 0]
    assert sum(count for _, count in rows) == len(writes) >= 300


def test_our_own_summary_agrees(traced: Run) -> None:
    """datacrumbs_analyze says what the trace holds: each byte once, complete, none lost."""
    done = subprocess.run(
        [BIN / "datacrumbs_analyze", "summary", "--json", traced.trace], check=True, capture_output=True, text=True
    )
    summary = json.loads(done.stdout)
    posix = traced.events("POSIX")
    assert summary["header"]["bytes_written"] == 300 * 5000
    assert summary["header"]["calls"] == len(posix)
    assert summary["completeness"]["captured"] == len(posix) + len(traced.events("C"))
    assert summary["completeness"]["lost"] == 0
