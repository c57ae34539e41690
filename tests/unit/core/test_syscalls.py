"""What is captured of system calls: the table is whole, fits the format, and agrees with the kernel's prototypes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from datacrumbs.core.probes import MAX_ARGUMENTS, MAX_PATHS, FileRef
from datacrumbs.core.syscalls import IO_CALLS, capture, trace_name

TRACEPOINTS = Path("/sys/kernel/tracing/events/syscalls")
KERNEL = {"stat": "newstat", "lstat": "newlstat", "fstat": "newfstat", "sendfile": "sendfile64"}
FD_NAMES = {"fd", "fildes", "oldfd", "out_fd", "in_fd", "fd_in", "fd_out", "fdin", "fdout", "mountdirfd"}


@pytest.mark.parametrize("call", IO_CALLS)
def test_every_capture_fits_the_format(call: str) -> None:
    taken = capture(call)
    assert len(taken.arguments) <= MAX_ARGUMENTS
    assert len(taken.files) <= MAX_PATHS
    assert len({argument.name for argument in taken.arguments}) == len(taken.arguments)
    assert taken.returns


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("openat", "open64"),
        ("newfstatat", "stat"),
        ("statx", "stat"),
        ("unlinkat", "unlink"),
        ("getdents64", "readdir"),
        ("renameat2", "rename"),
        ("read", "read"),
        ("getpid", "getpid"),
    ],
)
def test_names_are_those_that_trace_readers_know(call: str, name: str) -> None:
    assert trace_name(call) == name


def test_captures_say_which_file() -> None:
    assert capture("openat").files == (FileRef(path=1, directory=0, returned=True),)
    assert capture("renameat2").files == (FileRef(path=1, directory=0), FileRef(path=3, directory=2))
    assert capture("sendfile").files == (FileRef(descriptor=0), FileRef(descriptor=1))
    assert capture("symlinkat").files == (FileRef(path=2, directory=1),)
    assert capture("memfd_create").files == (FileRef(returned=True),)
    assert capture("mmap").files == (FileRef(descriptor=4),)
    assert [(a.name, a.index) for a in capture("pread64").arguments] == [("count", 2), ("offset", 3)]


def test_an_unknown_call_has_its_result_only() -> None:
    taken = capture("getpid")
    assert (taken.arguments, taken.files, taken.returns) == ((), (), "errno")


@pytest.mark.skipif(not TRACEPOINTS.is_dir(), reason="tracefs is not mounted, or not ours to read")
@pytest.mark.parametrize("call", IO_CALLS)
def test_indices_agree_with_the_running_kernel(call: str) -> None:
    """The kernel's own prototypes: where we see a descriptor or a path it has an fd, a dfd or a user's string."""
    path = TRACEPOINTS / f"sys_enter_{KERNEL.get(call, call)}" / "format"
    if not path.exists():
        pytest.skip("this kernel does not have the call")
    fields = re.findall(r"field:(.+?)(\w+);\s+offset:(\d+)", path.read_text())
    prototype = [(kind.strip(), name) for kind, name, offset in fields if int(offset) >= 16]
    taken = capture(call)
    for ref in taken.files:
        if ref.path >= 0:
            assert "char *" in prototype[ref.path][0], prototype
        if ref.directory >= 0:
            assert prototype[ref.directory][1] in {"dfd", "olddfd", "newdfd", "dirfd"}, prototype
        if ref.descriptor >= 0:
            assert prototype[ref.descriptor][1] in FD_NAMES, prototype
    for argument in taken.arguments:
        assert "*" not in prototype[argument.index][0] or call == "io_submit", prototype
