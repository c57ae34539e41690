"""Profile mode: the tables in which the kernel adds calls up, and what it counted besides."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from datacrumbs.core.errors import KernelError
from datacrumbs.core.probes import ProbeSet
from datacrumbs.runtime._native import ffi, lib
from datacrumbs.runtime.programs import SLOT, Programs, update

WINDOW_NS = 1 << 30
"""Mode auto counts calls in windows of this length: a shift finds them."""
MODES = {"trace": lib.DC_MODE_TRACE, "profile": lib.DC_MODE_PROFILE, "auto": lib.DC_MODE_AUTO}


@dataclass(frozen=True, slots=True)
class Tables:
    """Descriptors of a run's tables: two of each kind, of which the first is in use."""

    slots: int
    """The map that holds the tables in use; -1: nothing is profiled."""
    pair: tuple[int, int] = (-1, -1)
    overflow: tuple[int, int] = (-1, -1)
    """By function alone: what found no room in `pair`."""
    keys: int = 0
    functions: int = 0
    interval_ns: int = 0


@contextlib.contextmanager
def tables(programs: Programs, probes: ProbeSet, keys: int) -> Iterator[Tables]:
    """Makes the tables of a run and puts them into its slot.

    Args:
        programs: the loaded programs.
        probes: what is probed, and the mode.
        keys: how many processes, functions and files one interval has room for.

    Raises:
        KernelError: the kernel has not the memory.
    """
    if probes.mode == "trace":
        yield Tables(-1)
        return
    functions = len(probes.probes)
    with contextlib.ExitStack() as stack:
        made = [_table(stack, size) for size in (keys, keys, functions, functions)]
        slots = programs.map("profiles")
        for index, descriptor in enumerate((made[0], made[2])):
            update(slots, ffi.new("uint32_t *", 2 * SLOT + index), ffi.new("int *", descriptor))
        yield Tables(slots, (made[0], made[1]), (made[2], made[3]), keys, functions, probes.interval_ns)


def _table(stack: contextlib.ExitStack, keys: int) -> int:
    key, value = ffi.sizeof("struct dc_profile_key"), ffi.sizeof("struct dc_profile_value")
    descriptor: int = lib.bpf_map_create(lib.BPF_MAP_TYPE_HASH, b"dc_profile", key, value, keys, ffi.NULL)
    if descriptor < 0:
        raise KernelError(
            f"the kernel gives no table of {keys} keys for the profile: {os.strerror(-descriptor)}",
            "set a smaller profile_keys",
        )
    stack.callback(os.close, descriptor)
    return descriptor


def window_limit(probes: ProbeSet) -> int:
    """The rate limit in calls for each window of mode auto."""
    return max(1, min(probes.rate_limit * WINDOW_NS // 1_000_000_000, 2**32 - 1))


def profiled(programs: Programs, functions: int) -> list[int]:
    """The ids of the functions that passed the rate limit of mode auto."""
    rate = ffi.new("struct dc_rate *")
    found = []
    for fn in range(functions):
        lib.bpf_map_lookup_elem(programs.map("rates"), ffi.new("uint32_t *", fn), rate)
        if rate.profiled:
            found.append(fn)
    return found


def brief_calls(programs: Programs, functions: int) -> dict[int, tuple[int, int]]:
    """Calls shorter than min_duration, by probe id: how many, and their time in ns."""
    brief = ffi.new("struct dc_brief *")
    found = {}
    for fn in range(functions):
        lib.bpf_map_lookup_elem(programs.map("briefs"), ffi.new("uint32_t *", fn), brief)
        if brief.calls:
            found[fn] = (brief.calls, brief.time)
    return found
