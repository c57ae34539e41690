"""The node's clock: what makes moments of a calendar from the kernel's, and how far those may be from other nodes'."""

from __future__ import annotations

import time

from datacrumbs.runtime._native import ffi, lib


def epoch_ns() -> int:
    """CLOCK_REALTIME minus CLOCK_MONOTONIC in ns: the best of a few tries, since one may be interrupted in between."""
    tries = []
    for _ in range(5):
        before = time.monotonic_ns()
        real = time.time_ns()
        after = time.monotonic_ns()
        tries.append((after - before, real - (before + after) // 2))
    return min(tries)[1]


def step_us(epoch: int) -> int:
    """By how many microseconds the clock was set forward since `epoch_ns` was asked, which slewing does not change."""
    return round((epoch_ns() - epoch) / 1000)


def state() -> dict[str, bool | int]:
    """What the kernel says of its clock (adjtimex(2)), as members of a record; nothing where it does not say.

    The time service tells the kernel how far it may be off at most, and the kernel adds to that as time goes by.
    """
    told = ffi.new("struct timex *")
    if lib.adjtimex(told) < 0:
        return {}
    return {"clock_synchronized": not told.status & lib.STA_UNSYNC, "clock_max_error_us": int(told.maxerror)}
