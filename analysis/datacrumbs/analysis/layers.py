"""Which calls move bytes, and from which layer a trace's totals come. Pure.

A trace may hold several layers of the same work: a program calls `fwrite`, and the C library calls `write`. Totals take
each byte once, so they come from the lowest layer that a trace has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

READS: Final = frozenset(
    [
        "read", "pread", "pread64", "readv", "preadv", "preadv64", "preadv2", "preadv64v2", "recvfrom",
        "fread", "fread_unlocked",
    ]
)  # fmt: skip
"""Calls whose return value is a number of bytes that came in (`fread`'s is items; schema.py multiplies)."""
WRITES: Final = frozenset(
    [
        "write", "pwrite", "pwrite64", "writev", "pwritev", "pwritev64", "pwritev2", "pwritev64v2", "sendto",
        "fwrite", "fwrite_unlocked",
    ]
)  # fmt: skip
"""Calls whose return value is a number of bytes that went out."""
COPIES: Final = frozenset(["sendfile", "sendfile64", "copy_file_range", "splice"])
"""Calls that move bytes inside the kernel: neither read nor written by the program, and reported apart.

The three sets together are the calls whose bytes dfanalyzer counts, so that both tools agree.
"""

APPLICATION: Final = "application"
_LAYERS: Final[Mapping[str, tuple[str, ...]]] = {
    "system calls": ("posix", "syscall", "sys"),
    "C library": ("c", "libc", "stdio"),
    "MPI": ("mpi", "mpiio", "mpi-io", "romio"),
    "libraries": ("hdf5", "h5", "vol", "netcdf", "pnetcdf", "adios", "adios2"),
}
"""From the lowest to the highest: the categories (in small letters) of each. All other categories are `APPLICATION`."""
LAYERS: Final = (*_LAYERS, APPLICATION)


def layer_of(category: str) -> str:
    """The layer that a category belongs to, one of `LAYERS`."""
    word = category.lower()
    return next((layer for layer, words in _LAYERS.items() if word in words), APPLICATION)


def totals(categories: Iterable[str], *, from_kernel: bool) -> frozenset[str]:
    """The categories whose calls make up a trace's totals.

    Args:
        categories: those that the trace has.
        from_kernel: whether the trace saw all system calls of its processes. A preloaded tracer such as DFTracer sees a
            program's own calls alone: what `fwrite` writes is not among its `write` calls, so both count there.

    Returns:
        Those of the lowest layer that is there; of a preloaded tracer's, the C library's as well.
    """
    present: dict[str, set[str]] = {}
    for category in categories:
        present.setdefault(layer_of(category), set()).add(category)
    lowest = next((layer for layer in LAYERS if layer in present), APPLICATION)
    chosen = set(present.get(lowest, ()))
    if not from_kernel and lowest == "system calls":
        chosen |= present.get("C library", set())
    return frozenset(chosen)
