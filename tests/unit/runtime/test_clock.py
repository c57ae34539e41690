"""What a trace says of its node's clock is what the kernel says."""

from __future__ import annotations

import ctypes

import pytest
from datacrumbs.runtime import clock

STA_UNSYNC = 0x40


class Timex(ctypes.Structure):
    """The beginning of struct timex (adjtimex(2)), and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("rest", ctypes.c_long * 32),
    )  # fmt: skip


def test_its_bound_is_the_kernels() -> None:
    told = Timex()
    assert ctypes.CDLL(None).adjtimex(ctypes.byref(told)) >= 0
    state = clock.state()
    assert state["clock_synchronized"] is not bool(told.status & STA_UNSYNC)
    assert state["clock_max_error_us"] == pytest.approx(told.maxerror, abs=1000)  # it grows by 500 every second


@pytest.mark.parametrize("seconds", [-2, 0, 3])
def test_a_step_is_what_the_clock_was_set_by(seconds: int) -> None:
    before = clock.epoch_ns() - seconds * 1_000_000_000  # as if it had been set since
    assert clock.step_us(before) == pytest.approx(seconds * 1_000_000, abs=500)
