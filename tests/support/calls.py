"""The events that tests/bpf/programs/calls.c and paths.c must leave in a trace, and nothing else.

A call is compared in full: name, paths, return value or errno, and every captured argument. The events of one thread
are compared in their order. A return value that is a descriptor is compared as FD, since threads share the numbers.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

FD = "descriptor"
Call = tuple[str, str | None, str | None, Any, dict[str, Any]]

_NOT_COMPARED = {"hhash", "fhash", "fhash2", "dur_ns", "syscall", "ret", "errno"}
_RETURN_DESCRIPTORS = {"open64", "dup"}
_OF_DESCRIPTOR = {"flags": "0x1000"}
"""newfstatat with AT_EMPTY_PATH."""


def seen(event: dict[str, Any]) -> Call:
    """An event as it is compared."""
    args = event["args"]
    result: Any = args.get("errno", args.get("ret"))
    if event["name"] in _RETURN_DESCRIPTORS and isinstance(result, int) and result >= 0:
        result = FD
    assert ("errno" in args) == (args.get("ret", 0) < 0), event
    name, values = event["name"], {k: v for k, v in args.items() if k not in _NOT_COMPARED}
    if name == "stat" and values == _OF_DESCRIPTOR:  # fstat(3), as glibc 2.33 to 2.38 calls it
        name, values = "fstat", {}
    return name, event["path"], event["path2"], result, values


def below(events: list[dict[str, Any]], folder: str | Path) -> list[dict[str, Any]]:
    """Events on a folder or on anything below it."""
    root = str(folder)
    return [e for e in events if any(p and (p == root or p.startswith(f"{root}/")) for p in (e["path"], e["path2"]))]


def by_thread(events: list[dict[str, Any]]) -> dict[tuple[int, int], list[Call]]:
    """What each thread, as (pid, tid), did."""
    threads: dict[tuple[int, int], list[Call]] = defaultdict(list)
    for event in events:
        threads[event["pid"], event["tid"]].append(seen(event))
    return dict(threads)


def said(output: str) -> dict[tuple[int, int], list[Call]]:
    """What the workers that said so on stdout must have done, by (pid, tid)."""
    threads: dict[tuple[int, int], list[Call]] = defaultdict(list)
    for line in output.splitlines():
        pid, tid, folder = line.split()
        threads[int(pid), int(tid)] += work(folder)
    return dict(threads)


def work(folder: str | Path) -> list[Call]:
    """What the function work in calls.c calls."""
    data, other, deep = f"{folder}/data", f"{folder}/other", f"{folder}/deep"
    moved, missing = f"{deep}/moved", f"{folder}/missing"
    return [
        ("open64", data, None, FD, {"flags": "0x242", "mode": "0x1a0"}),
        ("write", data, None, 4096, {"count": 4096}),
        ("write", data, None, 100, {"count": 100}),
        ("pwrite64", data, None, 512, {"count": 512, "offset": 8192}),
        ("pread64", data, None, 704, {"count": 1000, "offset": 8000}),
        ("lseek", data, None, 4000, {"offset": 4000, "whence": 0}),
        ("read", data, None, 96, {"count": 96}),
        ("writev", data, None, 30, {"iovcnt": 2}),
        ("readv", data, None, 30, {"iovcnt": 2}),
        ("preadv", data, None, 4, {"iovcnt": 1, "offset": 8700}),
        ("pwritev", data, None, 30, {"iovcnt": 2, "offset": 100}),
        ("pwritev", data, None, 10, {"iovcnt": 1, "offset": 9000, "flags": "0x2"}),
        ("fsync", data, None, 0, {}),
        ("fstat", data, None, 0, {}),
        ("dup", data, None, FD, {}),
        ("write", data, None, 7, {"count": 7}),
        ("close", data, None, 0, {}),
        ("close", data, None, 0, {}),
        ("stat", data, None, 0, {"flags": "0x0"}),
        ("stat", missing, None, "ENOENT", {"flags": "0x0"}),
        ("open64", missing, None, "ENOENT", {"flags": "0x0", "mode": "0x0"}),
        ("mkdir", deep, None, 0, {"mode": "0x1e8"}),
        ("rename", data, moved, 0, {}),
        ("open64", moved, None, FD, {"flags": "0x0", "mode": "0x0"}),
        ("open64", other, None, FD, {"flags": "0x41", "mode": "0x180"}),
        ("sendfile", other, moved, 100, {"count": 100}),
        ("copy_file_range", moved, other, 50, {"count": 50, "flags": "0x0"}),
        ("close", moved, None, 0, {}),
        ("unlink", other, None, 0, {}),
        ("write", other, None, 3, {"count": 3}),
        ("close", other, None, 0, {}),
        ("open64", moved, None, FD, {"flags": "0x401", "mode": "0x0"}),
        ("write", moved, None, 5, {"count": 5}),
        ("close", moved, None, 0, {}),
        ("unlink", moved, None, 0, {}),
        ("rmdir", deep, None, 0, {}),
    ]


def path_work(folder: str | Path) -> list[Call]:
    """The calls of paths.c below its folder; its stdin is the folder's file "in"."""

    def at(name: str) -> str:
        return f"{folder}/{name}"

    return [
        ("chdir", str(folder), None, 0, {}),
        ("open64", at("rel"), None, FD, {"flags": "0x41", "mode": "0x180"}),
        ("close", at("rel"), None, 0, {}),
        ("mkdir", at("sub"), None, 0, {"mode": "0x1c0"}),
        ("stat", at("rel"), None, 0, {"flags": "0x0"}),
        ("open64", at("sub"), None, FD, {"flags": "0x10000", "mode": "0x0"}),
        ("open64", at("sub/inner"), None, FD, {"flags": "0x41", "mode": "0x180"}),
        ("unlink", at("sub/inner"), None, 0, {"flags": "0x0"}),
        ("write", at("sub/inner"), None, 1, {"count": 1}),
        ("close", at("sub/inner"), None, 0, {}),
        ("mkdir", at("sub/low"), None, 0, {"mode": "0x1c0"}),
        ("fchdir", at("sub"), None, 0, {}),
        ("open64", at("missing"), None, "ENOENT", {"flags": "0x0", "mode": "0x0"}),
        ("rename", at("sub/low"), at("high"), 0, {}),
        ("chdir", str(folder), None, 0, {}),
        ("chdir", at("high"), None, 0, {}),
        ("access", at("high/nothing"), None, "ENOENT", {"mode": "0x4"}),
        ("chdir", str(folder), None, 0, {}),
        ("close", at("sub"), None, 0, {}),
        ("open64", at("out"), None, FD, {"flags": "0x441", "mode": "0x180"}),
        ("dup2", at("out"), None, 1, {"newfd": 1}),
        ("close", at("out"), None, 0, {}),
        ("write", at("out"), None, 6, {"count": 6}),
        ("read", at("in"), None, 3, {"count": 3}),
        ("open64", at("before"), None, FD, {"flags": "0x42", "mode": "0x180"}),
        ("rename", at("before"), at("after"), 0, {}),
        # The descriptor keeps the name that it was opened by; who opens the file again sees the new one.
        ("write", at("before"), None, 1, {"count": 1}),
        ("close", at("before"), None, 0, {}),
        ("open64", at("after"), None, FD, {"flags": "0x0", "mode": "0x0"}),
        ("read", at("after"), None, 1, {"count": 1}),
        ("close", at("after"), None, 0, {}),
        ("symlink", at("soft"), None, 0, {}),
        ("link", at("after"), at("hard"), 0, {}),
        ("open64", at("after"), None, FD, {"flags": "0x0", "mode": "0x0"}),
        ("close", at("after"), None, 0, {}),
    ]


def pipe_work(inode: int) -> list[Call]:
    """The calls of paths.c on its pipe."""
    pipe = f"pipe:[{inode}]"
    return [
        ("fstat", pipe, None, 0, {}),
        ("write", pipe, None, 4, {"count": 4}),
        ("read", pipe, None, 4, {"count": 4}),
        ("close", pipe, None, 0, {}),
        ("close", pipe, None, 0, {}),
    ]
