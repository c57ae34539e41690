"""Adds calls up in C (native/reduce.c), for one of the threads that read.

Needs nothing but the C: what was added up becomes columns later (partial.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.reading.parser import no_memory
from datacrumbs.analysis.reading.room import Shelf

_SPANS: Final = 1 << 22
"""Calls after which the spans of lanes are put on the shelf: each has one at most."""


class Times(NamedTuple):
    """When a thread was in calls of a category: begins and ends as in `partial.Lane`, still as C has them."""

    thread: int
    category: int
    begin: memoryview
    end: memoryview


class Reducer:
    """Adds up calls; frees what it holds when nobody has it any more.

    Args:
        shelf: where the spans of lanes are kept, which may be as many as calls.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.native = ffi.gc(lib.dc_reducer_create(), lib.dc_reducer_destroy)
        """A struct dc_reducer."""
        if self.native == ffi.NULL:
            raise no_memory()
        self._shelf = shelf
        self._times: list[Times] = []
        self._calls = 0

    def add(self, calls: Any, categories: Sequence[int]) -> None:
        """Adds calls in the form of C.

        Args:
            calls: a struct dc_calls.
            categories: a number for each function.

        Raises:
            BusyError: memory is short.
        """
        if lib.dc_reducer_add(self.native, calls, ffi.new("uint32_t[]", [*categories])):
            raise no_memory()
        self._calls += calls.size
        if self._calls >= _SPANS:
            self._cut()

    def times(self) -> list[Times]:
        """When threads were in calls, once: their lanes begin anew. Spans on both sides of a cut may overlap."""
        self._cut()
        times, self._times = self._times, []
        return times

    def _cut(self) -> None:
        self._calls = 0
        lanes = ffi.cast("struct dc_lane *", self.native.lanes.rows)
        for number in range(self.native.lanes.count):
            lane = lanes[number]
            if lane.count:
                columns = (taken(ffi.addressof(lane, name), 8 * lane.count) for name in ("begin", "end"))
                begin, end = map(self._shelf.keep, columns)
                self._times.append(Times(int(lane.thread), int(lane.category), begin, end))
                lane.count = lane.room = 0


def taken(memory: Any, size: int) -> memoryview:
    """Takes rows or a lane's times out of what C holds, without a copy.

    Args:
        memory: where C has the pointer to it.
        size: bytes; at least one.

    Raises:
        BusyError: memory is short.
    """
    pointer = ffi.gc(lib.dc_take(ffi.cast("void **", memory), size), lib.dc_taken_free)
    if pointer == ffi.NULL:
        raise no_memory()
    return memoryview(ffi.buffer(pointer, size))
