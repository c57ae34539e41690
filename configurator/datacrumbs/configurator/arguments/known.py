"""Functions whose arguments are known with what they mean: C streams, MPI-IO and HDF5. Data; see words.py.

Parameters as in stdio.h (POSIX.1-2017), mpi.h (MPI 4.0, chapter 14) and the HDF5 1.10 to 1.14 reference manuals.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from datacrumbs.configurator.arguments import words
from datacrumbs.core.probes import Capture

_STREAMS: Final = {
    "fopen fopen64": "path, mode:string -> stream",
    "freopen freopen64": "path, mode:string -> stream",
    "fdopen": "fd, mode:string -> pointer",
    "tmpfile tmpfile64": "-> stream",
    "popen": "command:string, type:string -> stream",
    "fclose fflush fileno fflush_unlocked pclose": "stream -> i32",
    "fseek fseeko fseeko64": "stream, offset:i64, whence:i32 -> i32",
    "ftell ftello ftello64": "stream -> i64",
    "fgetpos fgetpos64 fsetpos fsetpos64": "stream -> i32",
    "rewind setbuf": "stream",
    "setvbuf": "stream, _, mode:i32, size:u64 -> i32",
    "fread fread_unlocked fwrite fwrite_unlocked": "_, size:u64, nmemb:u64, stream -> u64; ret*size",
    "__fread_chk __fread_unlocked_chk": "_, _, size:u64, nmemb:u64, stream -> u64; ret*size",
    "fgets fgets_unlocked": "_, n:i32, stream -> pointer",
    "fputs fputs_unlocked": "_, stream -> i32",
    "fgetc getc fgetc_unlocked getc_unlocked": "stream -> i32",
    "fputc putc fputc_unlocked putc_unlocked": "c:i32, stream -> i32",
    "puts": "-> i32",
    "getline __getline": "_, _, stream -> i64; ret",
    "getdelim __getdelim": "_, _, delimiter:i32, stream -> i64; ret",
    "fprintf vfprintf": "stream, format:string -> i32; ret",
    "__fprintf_chk __vfprintf_chk": "stream, _, format:string -> i32; ret",
    "printf vprintf": "format:string -> i32; ret",
    "__printf_chk __vprintf_chk": "_, format:string -> i32; ret",
    "dprintf vdprintf": "fd, format:string -> i32; ret",
    "__dprintf_chk __vdprintf_chk": "fd, _, format:string -> i32; ret",
    "fscanf vfscanf __isoc99_fscanf __isoc99_vfscanf __isoc23_fscanf __isoc23_vfscanf": "stream, format:string -> i32",
}
_FILES: Final = {
    "read write __read __write": "fd, _, count:u64 -> i64; ret",
    "pread pread64 pwrite pwrite64": "fd, _, count:u64, offset:i64 -> i64; ret",
    "readv writev": "fd, _, iovcnt:i32 -> i64; ret",
    "preadv preadv64 pwritev pwritev64": "fd, _, iovcnt:i32, offset:i64 -> i64; ret",
    "preadv2 preadv64v2 pwritev2 pwritev64v2": "fd, _, iovcnt:i32, offset:i64, flags:hex -> i64; ret",
    "open open64 __open __open64": "path, flags:hex, mode:hex -> fd",
    "openat openat64": "dir, path, flags:hex, mode:hex -> fd",
    "creat creat64": "path, mode:hex -> fd",
    "close fsync fdatasync syncfs __close": "fd -> i32",
    "lseek lseek64 __lseek": "fd, offset:i64, whence:i32 -> i64",
    "ftruncate ftruncate64": "fd, length:i64 -> i32",
    "truncate truncate64": "path, length:i64 -> i32",
    "fallocate fallocate64": "fd, mode:hex, offset:i64, length:i64 -> i32",
    "posix_fallocate posix_fallocate64": "fd, offset:i64, length:i64 -> i32",
    "posix_fadvise posix_fadvise64": "fd, offset:i64, length:i64, advice:i32 -> i32",
    "lockf lockf64": "fd, cmd:i32, length:i64 -> i32",
    "stat lstat stat64 lstat64": "path -> i32",
    "fstat fstat64": "fd -> i32",
    "access euidaccess": "path, mode:hex -> i32",
    "mkdir": "path, mode:hex -> i32",
    "remove rmdir unlink": "path -> i32",
    "rename link": "path, path -> i32",
    "opendir": "path -> pointer",
    "fdopendir": "fd -> pointer",
    "readdir readdir64": "-> pointer",
    "closedir": "-> i32",
    "realpath canonicalize_file_name": "path -> string",
    "mkstemp mkstemp64": "path -> fd",
    "mkostemp mkostemp64": "path, flags:hex -> fd",
    "mkdtemp": "path -> string",
}
_HDF5: Final = {
    "H5Fcreate": "path, flags:hex, _, _ -> handle",
    "H5Fopen": "path, flags:hex, _ -> handle",
    "H5Fclose": "file:handle -> i32",
    "H5Fflush": "object:handle, scope:i32 -> i32",
    "H5Dcreate1 H5Dcreate2": "location:handle, name:string, type:i64, space:i64 -> handle",
    "H5Dopen1 H5Dopen2": "location:handle, name:string -> handle",
    "H5Dclose": "dataset:handle -> i32",
    "H5Dread H5Dwrite": "dataset:handle, type:i64, mem_space:i64, file_space:i64, transfer:i64 -> i32",
    "H5Dread_chunk": "dataset:handle, transfer:i64 -> i32",
    "H5Dwrite_chunk": "dataset:handle, transfer:i64, filters:hex, _, size:u64 -> i32; size",
    "H5Dset_extent H5Dextend": "dataset:handle -> i32",
    "H5Dflush H5Drefresh": "dataset:handle -> i32",
    "H5Gcreate1 H5Gcreate2 H5Gopen1 H5Gopen2": "location:handle, name:string -> handle",
    "H5Gclose": "group:handle -> i32",
    "H5Oopen": "location:handle, name:string -> handle",
    "H5Oclose": "object:handle -> i32",
    "H5Acreate1 H5Acreate2": "location:handle, name:string, type:i64, space:i64 -> handle",
    "H5Aopen H5Aopen_name": "location:handle, name:string -> handle",
    "H5Aread H5Awrite": "attribute:handle, type:i64 -> i32",
    "H5Aclose": "attribute:handle -> i32",
    "H5FD_read H5FD_write": "_, type:i32, offset:u64, size:u64 -> i32; size",
    "H5FDread H5FDwrite": "_, type:i32, _, offset:u64, size:u64 -> i32; size",
}
_MPI_MOVES: Final = {
    "read write read_all write_all read_shared write_shared read_ordered write_ordered": "fh:handle, _, COUNT",
    "iread iwrite iread_all iwrite_all iread_shared iwrite_shared": "fh:handle, _, COUNT",
    "read_all_begin write_all_begin read_ordered_begin write_ordered_begin": "fh:handle, _, COUNT",
    "read_at write_at read_at_all write_at_all": "fh:handle, OFFSET, COUNT",
    "iread_at iwrite_at iread_at_all iwrite_at_all": "fh:handle, OFFSET, COUNT",
    "read_at_all_begin write_at_all_begin": "fh:handle, OFFSET, COUNT",
}
_MPI: Final = {
    "open": "comm:hex, path, amode:hex, _, fh:handle@ -> i32",
    "close": "fh:handle* -> i32",
    "delete": "path -> i32",
    "sync get_atomicity": "fh:handle -> i32",
    "set_size preallocate": "fh:handle, size:i64 -> i32",
    "get_size": "fh:handle, size:i64@ -> i32",
    "seek seek_shared": "fh:handle, offset:i64, whence:i32 -> i32",
    "get_position get_position_shared": "fh:handle, offset:i64@ -> i32",
    "set_view": "fh:handle, displacement:i64, _, _, representation:string -> i32",
    "set_atomicity": "fh:handle, flag:i32 -> i32",
    "read_all_end write_all_end read_ordered_end write_ordered_end": "fh:handle -> i32",
    "read_at_all_end write_at_all_end": "fh:handle -> i32",
}
_TYPE_SIZE: Final = {"open mpi": "count:i32, type_size:u64*24 -> i32; count*type_size"}
"""By implementation, the words for count and type. Open MPI: `size` in struct opal_datatype_t since 1.7."""
_UNKNOWN_TYPE_SIZE: Final = "count:i32, type:hex -> i32"


@dataclass(frozen=True, slots=True)
class _Family:
    """Functions that belong together."""

    handle: str
    """The kind of their handles; see core.probes.FileRef."""
    files: re.Pattern[str]
    """Names of the files that have them."""
    lines: Mapping[str, str]


def _mpi(implementation: str) -> dict[str, str]:
    count = _TYPE_SIZE.get(implementation, _UNKNOWN_TYPE_SIZE)
    moves = {
        names: line.replace("OFFSET", "offset:i64, _").replace("COUNT", count) for names, line in _MPI_MOVES.items()
    }
    return {
        " ".join(f"{prefix}MPI_File_{name}" for name in names.split() for prefix in ("", "P")): line
        for names, line in {**moves, **_MPI}.items()
    }


@functools.cache
def _families() -> tuple[_Family, ...]:
    return (
        _Family("", re.compile(r"libc[.-]|libpthread[.-]"), {**_STREAMS, **_FILES}),
        _Family("hdf5", re.compile(r"libhdf5"), _HDF5),
        _Family("mpi", re.compile(r"libmpi(_\w+)?\.so\.(20|40|80)|libopen-rte"), _mpi("open mpi")),
        _Family("mpi", re.compile(r"libp?mpi"), _mpi("")),
    )


@functools.lru_cache(maxsize=256)
def captures(file: str) -> Mapping[str, Capture]:
    """What to capture of the functions of a file, by their symbols.

    Args:
        file: its name without folders, such as `libhdf5.so.310`.
    """
    family = next((family for family in _families() if family.files.match(file)), None)
    if family is None:
        return {}
    return {name: words.parse(line, family.handle) for names, line in family.lines.items() for name in names.split()}
