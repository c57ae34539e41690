"""What this kernel can do, found by making a link and closing it: neither version numbers nor loads tell."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from datacrumbs.core.errors import KernelError
from datacrumbs.runtime._native import ffi, lib
from datacrumbs.runtime.plan import EventLinks, Features, FunctionLinks, KernelLinks
from datacrumbs.runtime.programs import Programs
from datacrumbs.runtime.providers import kernel_functions

_MARKS: Final = ("dc_mark", "dc_mark_end")
_EXITS: Final = {"dc_function_enter": lib.DC_UPROBE_MULTI, "dc_function_leave": lib.DC_UPROBE_MULTI}
PROGRAMS: Final[dict[FunctionLinks, dict[str, int]]] = {
    "session": {"dc_function_session": lib.DC_UPROBE_SESSION, **_EXITS},
    "multi": {"dc_function_return": lib.DC_UPROBE_MULTI, **_EXITS},
    "perf": {"dc_function_enter": 0, "dc_function_return": 0},
}
"""The programs for user functions, by the kind of link, with the attach types that they are loaded with."""
MARKS: Final[dict[FunctionLinks, dict[str, int]]] = {
    "session": dict.fromkeys(_MARKS, lib.DC_UPROBE_MULTI),
    "multi": dict.fromkeys(_MARKS, lib.DC_UPROBE_MULTI),
    "perf": dict.fromkeys(_MARKS, 0),
}
"""The same for USDT probes."""


def find_features(wanted: FunctionLinks | None) -> Features:
    """Tries the ways to attach user functions, best first.

    Args:
        wanted: use this way and no other.
    """
    ways: tuple[FunctionLinks, ...] = (wanted,) if wanted else ("session", "multi")
    for way in ways:
        if way == "perf" or _works(way):
            return Features(way)
    return Features(None if wanted else "perf")


def find_event_links() -> EventLinks:
    """How tracepoints can be attached here: tried on one that every kernel has."""
    try:
        programs = Programs({"events": {"dc_event": 0}}, {})
    except KernelError:
        return "fixed"
    with programs:
        link = lib.dc_link_tracepoint(lib.bpf_program__fd(programs.program("dc_event")), b"sched_process_exit", 1)
        if link < 0:
            return "fixed"
        os.close(link)
        return "cookie"


def find_kernel_links(address: int, symbol: str) -> KernelLinks | None:
    """The best way to attach kernel functions: tried on one of those that are wanted."""
    ways: tuple[KernelLinks, ...] = ("session", "multi")
    for way in ways:
        try:
            programs = Programs({kernel_functions.OBJECT: kernel_functions.PROGRAMS[way]}, {})
        except KernelError:
            continue
        with programs:
            links = kernel_functions.try_links(programs, way, [address], [0])
            for link in links or ():
                os.close(link)
            if links:
                return way
    with Programs({}, {}) as programs:
        made = kernel_functions.try_trampoline(programs, symbol, 1)
        for trampoline in made or ():
            lib.bpf_link__destroy(trampoline)
        return "trampoline" if made else None


def _works(way: FunctionLinks) -> bool:
    """Whether a link of this kind can be made: tried on a function of the C core itself."""
    try:
        programs = Programs({"functions": PROGRAMS[way]}, {})
    except KernelError:
        return False
    with programs:
        path, offset = _own_function()
        program = programs.program(next(iter(PROGRAMS[way])))
        link = lib.dc_link_functions(
            lib.bpf_program__fd(program),
            PROGRAMS[way][next(iter(PROGRAMS[way]))],
            os.fsencode(path),
            ffi.new("unsigned long[]", [offset]),
            ffi.new("unsigned long long[]", [0]),
            1,
            False,
        )
        if link < 0:
            return False
        os.close(link)
        return True


def _own_function() -> tuple[str, int]:
    """A file and an offset in it that holds code: where this module's own native half is mapped."""
    address = int(ffi.cast("uintptr_t", ffi.addressof(lib, "dc_link_functions")))
    with Path("/proc/self/maps").open(encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            span, _, offset, _, _, *name = line.split(maxsplit=5)
            first, last = (int(part, 16) for part in span.split("-"))
            if first <= address < last:
                return name[0].rstrip("\n"), address - first + int(offset, 16)
    raise KernelError("cannot read /proc/self/maps", "mount /proc")


def machine() -> str:
    """The machine's architecture, as `uname -m` has it."""
    return os.uname().machine
