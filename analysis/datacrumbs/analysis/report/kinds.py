"""What a function does to files, in the few words that colours are given to where all calls are of one layer."""

from __future__ import annotations

import re
from typing import Final

from datacrumbs.analysis import layers

KINDS: Final = ("read", "write", "sync", "metadata", "other")
_LIBRARY: Final = re.compile(r"^(?:mpi_file_|h5fd_|h5[a-z]|ncmpi_|nc_|adios2_)", re.ASCII)
"""What libraries put before the words that the C library uses too."""
_SYNCS: Final = frozenset(["fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync", "fflush", "flush"])
_METADATA: Final = (
    "open", "creat", "close", "stat", "lstat", "fstat", "access", "rename", "unlink", "rmdir", "mkdir", "link",
    "readlink", "symlink", "chmod", "chown", "utime", "truncate", "readdir", "getdents", "seek", "lseek", "getxattr",
    "setxattr", "listxattr", "statfs", "cntl", "dup", "allocate",
)  # fmt: skip
"""How such functions' names begin, with or without an `f` before."""


def kind_of(function: str) -> str:
    """One of `KINDS`."""
    name = _LIBRARY.sub("", function.lower())
    if name in _SYNCS:
        return "sync"
    if function in layers.READS or ("read" in name and "dir" not in name and "link" not in name):
        return "read"
    if function in layers.WRITES or "write" in name:
        return "write"
    return "metadata" if name.startswith(_METADATA) or name.removeprefix("f").startswith(_METADATA) else "other"
