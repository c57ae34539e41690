"""Which calls move bytes, and from which layer a trace's totals come. Pure.

A trace may hold several layers of the same work: a program calls `fwrite`, and the C library calls `write`. Totals take
each byte once, so they come from the lowest layer that a program itself calls and that the trace has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

_MPI_WAYS: Final = (
    "", "_all", "_at", "_at_all", "_shared", "_ordered", "_all_begin", "_at_all_begin", "_ordered_begin",
)  # fmt: skip


def _mpi_io(verb: str) -> list[str]:
    return [f"{first}MPI_File_{start}{verb}{way}" for first in ("", "P") for start in ("", "i") for way in _MPI_WAYS]


READS: Final = frozenset(
    [
        "read", "pread", "pread64", "readv", "preadv", "preadv64", "preadv2", "preadv64v2", "recvfrom",
        "fread", "fread_unlocked", "H5FD_read", "H5FDread", *_mpi_io("read"),
    ]
)  # fmt: skip
"""Calls that say how many bytes came in: by what they return (`fread` items; schema.py multiplies), or as `bytes`."""
WRITES: Final = frozenset(
    [
        "write", "pwrite", "pwrite64", "writev", "pwritev", "pwritev64", "pwritev2", "pwritev64v2", "sendto",
        "fwrite", "fwrite_unlocked", "H5FD_write", "H5FDwrite", *_mpi_io("write"),
    ]
)  # fmt: skip
"""Calls that say how many bytes went out."""
COPIES: Final = frozenset(["sendfile", "sendfile64", "copy_file_range", "splice"])
"""Calls that move bytes inside the kernel: neither read nor written by the program, and reported apart.

Of system calls and the C library, the three sets together are those whose bytes dfanalyzer counts, so that both tools
agree.
"""

SYNCS: Final = frozenset(["fsync", "fdatasync", "sync", "syncfs", "msync", "sync_file_range"])
"""Calls that wait until data is on the device."""

PATHS: Final = frozenset(
    [
        "open", "open64", "openat", "openat2", "creat", "creat64", "stat", "stat64", "lstat", "lstat64", "statx",
        "newfstatat", "fstatat", "fstatat64", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "statfs",
        "getxattr", "lgetxattr", "listxattr", "llistxattr", "fopen", "fopen64", "opendir", "name_to_handle_at",
    ]
)  # fmt: skip
"""Calls that look for a file by its path: that it is not there is an answer."""
METADATA: Final = PATHS | frozenset(
    [
        "close", "close_range", "lseek", "lseek64", "llseek", "_llseek", "fstat", "fstat64", "fstatfs", "readdir",
        "getdents", "getdents64", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2",
        "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat", "chdir", "fchdir", "getcwd", "chmod", "fchmod",
        "fchmodat", "chown", "fchown", "lchown", "fchownat", "utime", "utimes", "utimensat", "setxattr", "lsetxattr",
        "fsetxattr", "fgetxattr", "flistxattr", "removexattr", "lremovexattr", "fremovexattr", "truncate", "ftruncate",
        "fclose", "freopen", "fdopen", "fseek", "fseeko", "ftell", "ftello", "rewind", "closedir", "remove",
    ]
)  # fmt: skip
"""Calls about files and not about what is in them."""

APPLICATION: Final = "application"
LIBRARIES: Final = "libraries"
MPI: Final = "MPI"
C_LIBRARY: Final = "C library"
SYSTEM_CALLS: Final = "system calls"
PAGE_CACHE: Final = "VFS and page cache"
FILE_SYSTEM: Final = "file system"
BLOCK_DEVICE: Final = "block device"
LAYERS: Final = (
    APPLICATION, LIBRARIES, MPI, C_LIBRARY, SYSTEM_CALLS, PAGE_CACHE, FILE_SYSTEM, BLOCK_DEVICE,
)  # fmt: skip
"""From the highest to the lowest: from the program down to the device."""

_CATEGORIES: Final[Mapping[str, tuple[str, ...]]] = {
    LIBRARIES: ("hdf5", "h5", "vol", "netcdf", "pnetcdf", "adios", "adios2"),
    MPI: ("mpi", "mpiio", "mpi-io", "romio"),
    C_LIBRARY: ("c", "libc", "stdio"),
    SYSTEM_CALLS: ("posix", "syscall", "syscalls", "sys"),
    PAGE_CACHE: (
        "vfs", "filemap", "pagemap", "readahead", "writeback", "vmscan", "page_cache", "os_page_cache", "mm",
        "filelock", "fs_dax", "iov_iter",
    ),
    FILE_SYSTEM: (
        "ext4", "jbd2", "xfs", "btrfs", "f2fs", "iomap", "nfs", "nfs4", "sunrpc", "fuse", "9p", "ceph", "cifs", "smb",
        "lustre", "gfs2", "ocfs2", "erofs", "overlayfs", "tmpfs", "shmem",
    ),
    BLOCK_DEVICE: ("block", "blk", "bio", "nvme", "scsi", "ufs", "mmc", "dm", "md", "bcache", "loop"),
}  # fmt: skip
"""The categories (in small letters) of each layer. The kernel's are its subsystems; all others are `APPLICATION`."""
_LAYER_OF: Final = {word: layer for layer, words in _CATEGORIES.items() for word in words}

_TOTALS: Final = (
    SYSTEM_CALLS, C_LIBRARY, MPI, LIBRARIES, APPLICATION, PAGE_CACHE, FILE_SYSTEM, BLOCK_DEVICE,
)  # fmt: skip
"""Where totals come from: the first that a trace has. What the kernel does below its calls is nobody's request."""

FLAT: Final = frozenset([SYSTEM_CALLS])
"""Layers whose calls are never inside one another: a thread makes one system call at a time."""

MISSES: Final = frozenset(
    [
        "mm_filemap_add_to_page_cache", "page_cache_sync_ra", "page_cache_sync_readahead", "page_cache_ra_unbounded",
        "page_cache_ra_order", "force_page_cache_ra", "ondemand_readahead", "filemap_add_folio", "filemap_read_folio",
        "read_pages", "ext4_mpage_readpages", "mpage_readahead", "iomap_readahead", "xfs_vm_readahead",
        "ext4_readahead",
    ]
)  # fmt: skip
"""Functions and tracepoints inside a call that show that what it read was not in the page cache."""


def layer_of(category: str) -> str:
    """The layer that a category belongs to, one of `LAYERS`."""
    return _LAYER_OF.get(category.lower(), APPLICATION)


def rank(layer: str) -> int:
    """A layer's place: 0 is the program, lower layers have higher numbers."""
    return LAYERS.index(layer)


def totals(categories: Iterable[str], *, from_kernel: bool) -> frozenset[str]:
    """The categories whose calls make up a trace's totals.

    Args:
        categories: those that the trace has.
        from_kernel: whether the trace saw all system calls of its processes. A preloaded tracer such as DFTracer sees a
            program's own calls alone: what `fwrite` writes is not among its `write` calls, so both count there.

    Returns:
        Those of the lowest layer above the kernel that is there; of a preloaded tracer's, the C library's as well.
    """
    present: dict[str, set[str]] = {}
    for category in categories:
        present.setdefault(layer_of(category), set()).add(category)
    lowest = next((layer for layer in _TOTALS if layer in present), APPLICATION)
    chosen = set(present.get(lowest, ()))
    if not from_kernel and lowest == SYSTEM_CALLS:
        chosen |= present.get(C_LIBRARY, set())
    return frozenset(chosen)
