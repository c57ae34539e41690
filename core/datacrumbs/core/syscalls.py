"""What is captured of each system call that does I/O, and the name that it has in the trace.

`_CALLS` reads like section 2 of the manual: a call's parameters in the kernel's order, each as one of

    fd          a descriptor of a file that the call is about
    dir         a descriptor of the folder where the next `path` starts
    path        a pointer to a path
    name:type   an integer to capture
    _           not captured

and `-> fd` where a successful call returns a descriptor. A word before a colon at the start is the name in the trace,
where that differs: readers of DFTracer traces know `open64`, but not `openat` (dfanalyzer, analyzer/constants.py).
Parameters as in Linux 6.18, include/linux/syscalls.h; flags and modes are shown in hexadecimal.
"""

from __future__ import annotations

from typing import Final, cast

from datacrumbs.core.errors import InternalError
from datacrumbs.core.probes import ARGUMENT_TYPES, RESULT, Argument, ArgumentType, Capture, FileRef

_CALLS: Final = {
    # data
    "read": "fd, _, count:u64",
    "write": "fd, _, count:u64",
    "pread64": "fd, _, count:u64, offset:i64",
    "pwrite64": "fd, _, count:u64, offset:i64",
    "readv": "fd, _, iovcnt:u64",
    "writev": "fd, _, iovcnt:u64",
    "preadv": "fd, _, iovcnt:u64, offset:i64",
    "pwritev": "fd, _, iovcnt:u64, offset:i64",
    "preadv2": "preadv: fd, _, iovcnt:u64, offset:i64, _, flags:hex",
    "pwritev2": "pwritev: fd, _, iovcnt:u64, offset:i64, _, flags:hex",
    "sendfile": "fd, fd, _, count:u64",
    "copy_file_range": "fd, _, fd, _, count:u64, flags:hex",
    "splice": "fd, _, fd, _, count:u64, flags:hex",
    "tee": "fd, fd, count:u64, flags:hex",
    "vmsplice": "fd, _, nr_segs:u64, flags:hex",
    # descriptors
    "open": "open64: path, flags:hex, mode:hex -> fd",
    "openat": "open64: dir, path, flags:hex, mode:hex -> fd",
    "openat2": "open64: dir, path -> fd",
    "creat": "open64: path, mode:hex -> fd",
    "close": "fd",
    "close_range": "first:u32, last:u32, flags:hex",
    "dup": "fd",
    "dup2": "fd, newfd:i32",
    "dup3": "fd, newfd:i32, flags:hex",
    "fcntl": "fd, cmd:u32, arg:u64",
    "ioctl": "fd, cmd:hex",
    "flock": "fd, operation:hex",
    "lseek": "fd, offset:i64, whence:u32",
    "pipe": "",
    "pipe2": "_, flags:hex",
    "memfd_create": "_, flags:hex -> fd",
    "name_to_handle_at": "dir, path, _, _, flags:hex",
    "open_by_handle_at": "fd, _, flags:hex -> fd",
    # status
    "stat": "path",
    "lstat": "stat: path",
    "fstat": "fd",
    "newfstatat": "stat: dir, path, _, flags:hex",
    "statx": "stat: dir, path, flags:hex, mask:hex",
    "statfs": "path",
    "fstatfs": "fd",
    "access": "path, mode:hex",
    "faccessat": "access: dir, path, mode:hex",
    "faccessat2": "access: dir, path, mode:hex, flags:hex",
    "readlink": "path, _, bufsiz:u64",
    "readlinkat": "readlink: dir, path, _, bufsiz:u64",
    # names; symlink's first parameter is a text, not a file
    "mkdir": "path, mode:hex",
    "mkdirat": "mkdir: dir, path, mode:hex",
    "rmdir": "path",
    "unlink": "path",
    "unlinkat": "unlink: dir, path, flags:hex",
    "rename": "path, path",
    "renameat": "rename: dir, path, dir, path",
    "renameat2": "rename: dir, path, dir, path, flags:hex",
    "link": "path, path",
    "linkat": "link: dir, path, dir, path, flags:hex",
    "symlink": "_, path",
    "symlinkat": "symlink: _, dir, path",
    "mknod": "path, mode:hex, dev:hex",
    "mknodat": "mknod: dir, path, mode:hex, dev:hex",
    "getdents": "readdir: fd, _, count:u32",
    "getdents64": "readdir: fd, _, count:u32",
    "chdir": "path",
    "fchdir": "fd",
    "chroot": "path",
    "getcwd": "_, size:u64",
    # attributes
    "chmod": "path, mode:hex",
    "fchmod": "fd, mode:hex",
    "fchmodat": "chmod: dir, path, mode:hex",
    "fchmodat2": "chmod: dir, path, mode:hex, flags:hex",
    "chown": "path, user:u32, group:u32",
    "fchown": "fd, user:u32, group:u32",
    "lchown": "path, user:u32, group:u32",
    "fchownat": "chown: dir, path, user:u32, group:u32, flags:hex",
    "utime": "path",
    "utimes": "path",
    "futimesat": "utimes: dir, path",
    "utimensat": "dir, path, _, flags:hex",
    "setxattr": "path, _, _, size:u64, flags:hex",
    "lsetxattr": "path, _, _, size:u64, flags:hex",
    "fsetxattr": "fd, _, _, size:u64, flags:hex",
    "getxattr": "path, _, _, size:u64",
    "lgetxattr": "path, _, _, size:u64",
    "fgetxattr": "fd, _, _, size:u64",
    "listxattr": "path, _, size:u64",
    "llistxattr": "path, _, size:u64",
    "flistxattr": "fd, _, size:u64",
    "removexattr": "path",
    "lremovexattr": "path",
    "fremovexattr": "fd",
    # space and cache
    "truncate": "path, length:i64",
    "ftruncate": "fd, length:i64",
    "fallocate": "fd, mode:hex, offset:i64, length:i64",
    "fadvise64": "fd, offset:i64, length:u64, advice:u32",
    "readahead": "fd, offset:i64, count:u64",
    "cachestat": "fd, _, _, flags:hex",
    "sync": "",
    "syncfs": "fd",
    "fsync": "fd",
    "fdatasync": "fd",
    "sync_file_range": "fd, offset:i64, length:i64, flags:hex",
    # memory
    "mmap": "_, length:u64, prot:hex, flags:hex, fd, offset:i64",
    "munmap": "_, length:u64",
    "msync": "_, length:u64, flags:hex",
    # asynchronous
    "io_setup": "nr_events:u32",
    "io_destroy": "",
    "io_submit": "_, nr:i64",
    "io_getevents": "_, min_nr:i64, nr:i64",
    "io_pgetevents": "_, min_nr:i64, nr:i64",
    "io_cancel": "",
    "io_uring_setup": "entries:u32 -> fd",
    "io_uring_enter": "fd, to_submit:u32, min_complete:u32, flags:hex",
    "io_uring_register": "fd, opcode:u32, _, nr_args:u32",
}

IO_CALLS: Final = tuple(_CALLS)
"""The system calls that have more than their time captured."""

MOVES: Final = frozenset(
    [
        "read", "pread64", "readv", "preadv", "preadv2", "recvfrom",
        "write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto",
        "sendfile", "copy_file_range", "splice", "tee", "vmsplice",
    ]
)  # fmt: skip
"""The system calls whose result is a number of bytes that they moved."""

KERNEL_NAMES: Final = {
    "newstat": "stat",
    "newlstat": "lstat",
    "newfstat": "fstat",
    "newuname": "uname",
    "sendfile64": "sendfile",
    "umount": "umount2",
}
"""The kernel's functions, and its per-call tracepoints, that are not named as the call that they implement."""


_MOVING: Final = frozenset(
    [
        "read",
        "write",
        "pread64",
        "pwrite64",
        "readv",
        "writev",
        "preadv",
        "pwritev",
        "preadv2",
        "pwritev2",
        "sendfile",
        "copy_file_range",
        "splice",
        "tee",
        "vmsplice",
    ]
)
"""System calls whose result is a number of bytes that were moved."""


def trace_name(call: str) -> str:
    """The name that a system call has in the trace: its own, unless readers know it under another."""
    name, colon, _ = _CALLS.get(call, "").partition(": ")
    return name if colon else call


def capture(call: str) -> Capture:
    """What to capture of a system call; of one that does no I/O only the return value."""
    _, _, signature = f": {_CALLS.get(call, '')}".rpartition(": ")
    parameters, _, result = signature.partition("->")
    arguments: list[Argument] = []
    files: list[FileRef] = []
    folder = -1
    for index, word in enumerate(filter(None, (word.strip() for word in parameters.split(",")))):
        match word:
            case "_":
                pass
            case "fd":
                files.append(FileRef(descriptor=index))
            case "dir":
                folder = index
            case "path":
                files.append(FileRef(path=index, directory=folder))
                folder = -1
            case _:
                arguments.append(_argument(word, index))
    if result.strip() == "fd":
        first = files[0] if files else FileRef()
        files[:1] = [FileRef(first.descriptor, first.path, first.directory, returned=True)]
    return Capture(tuple(arguments), tuple(files), "errno", (RESULT,) if call in _MOVING else ())


def _argument(word: str, index: int) -> Argument:
    name, _, kind = word.partition(":")
    if kind not in ARGUMENT_TYPES:
        raise InternalError(f"core/syscalls.py: '{word}' has no type")
    return Argument(name, index, cast("ArgumentType", kind))
