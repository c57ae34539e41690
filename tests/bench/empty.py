"""The floor: an empty pair of programs at the entry and the exit of system calls, attached for a while."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import HERE, Bench
from datacrumbs.runtime._native import ffi, lib


def compile_empty(bench: Bench) -> Path | None:
    """The object file; None where there is no clang."""
    target = bench.folder / "empty.bpf.o"
    include = f"/usr/include/{platform.machine()}-linux-gnu"
    command = [
        "clang",
        "-target",
        "bpf",
        "-O2",
        "-g",
        "-I",
        include,
        "-c",
        str(HERE / "empty.bpf.c"),
        "-o",
        str(target),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return target


@contextlib.contextmanager
def attached(path: Path) -> Iterator[None]:
    """Loads and attaches both programs for the length of the context."""
    lib.dc_log_capture()
    obj = lib.bpf_object__open_file(os.fsencode(path), ffi.NULL)
    links = []
    try:
        if obj == ffi.NULL or lib.bpf_object__load(obj):
            raise OSError(ffi.errno, "cannot load the empty programs")
        program = lib.bpf_object__next_program(obj, ffi.NULL)
        while program != ffi.NULL:
            links.append(lib.bpf_program__attach(program))
            program = lib.bpf_object__next_program(obj, program)
        yield
    finally:
        for link in links:
            if link != ffi.NULL:
                lib.bpf_link__destroy(link)
        if obj != ffi.NULL:
            lib.bpf_object__close(obj)
