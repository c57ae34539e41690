"""Workers that add up what they read, each to a part (parts.py), and keep of every call what a second question may ask.

All of it is done in C. Columns are made of it when all is read: workers need not wait until numpy is imported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.reading.parser import BETWEEN, Parser, no_memory
from datacrumbs.analysis.reading.room import Shelf
from datacrumbs.analysis.summing.reducer import Reducer

if TYPE_CHECKING:
    from datacrumbs.analysis.reading.columns import Worker
    from datacrumbs.analysis.summing.parts import Part

_AT_ONCE: Final = 1 << 17
"""Calls that are added up at once, at least: their columns are still in the processor's cache."""


class Kept(NamedTuple):
    """Calls of one stretch of a file, which begins at `offset`, in its order."""

    source: int
    offset: int
    native: Any
    """A struct dc_kept: how its columns lie in `block`."""
    block: memoryview


class PartWorker:
    """Takes the calls of a part apart and adds them up as they come."""

    def __init__(self, shelf: Shelf) -> None:
        self.parser = Parser()
        self._shelf = shelf
        self._reducer = Reducer(shelf)
        self._kept: list[Kept] = []
        self._categories: dict[str, int] = {}
        self._category: list[int] = []
        """Of each function."""

    def taken(self, source: int, offset: int) -> None:
        """Adds up what is there, if it is much."""
        if self.parser.size >= _AT_ONCE:
            self.end_part(source, offset)

    def end_part(self, source: int, offset: int) -> None:
        """Adds up what is there."""
        with self.parser.held() as native:
            if native is None or not native.calls.size:
                return
            if len(self._category) < native.functions.count:
                self._category = [self._number(word) for word in self.parser.words("function")]
            self._reducer.add(ffi.addressof(native, "calls"), self._category)
            self._kept.append(kept(native.calls, source, offset, self._shelf))
            native.calls.size = 0

    def _number(self, word: str) -> int:
        return self._categories.setdefault(word.partition(BETWEEN)[2], len(self._categories))

    def part(self) -> Part:
        """All of it, once."""
        from datacrumbs.analysis.summing import partial, parts

        words = {name: tuple(self.parser.words(name)) for name in ("function", "thread", "file")}
        return parts.read(words | {"category": tuple(self._categories)}, partial.sums_in(self._reducer), self._kept)


def kept(calls: Any, source: int, offset: int, shelf: Shelf) -> Kept:
    """Keeps a copy of calls, of which there is at least one.

    Args:
        calls: a struct dc_calls.
        source: the number of the file that they are from.
        offset: where their stretch of it begins.
        shelf: where they are kept.

    Raises:
        BusyError: memory is short.
    """
    native, size = ffi.new("struct dc_kept *"), ffi.new("size_t *")
    block = ffi.gc(lib.dc_kept_copy(ffi.addressof(calls), native, size), lib.dc_kept_free)
    if block == ffi.NULL:
        raise no_memory()
    return Kept(source, offset, native, shelf.keep(memoryview(ffi.buffer(block, size[0]))))


@dataclass(slots=True)
class Parts:
    """A sink that makes a part of what each worker reads."""

    shelf: Shelf
    _workers: list[PartWorker] = field(default_factory=list)

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self._workers:
            worker.parser.close()

    def worker(self) -> Worker:
        """One more worker."""
        worker = PartWorker(self.shelf)
        self._workers.append(worker)
        return worker

    def finish(self) -> list[Part]:
        """What the workers read."""
        return [worker.part() for worker in self._workers]
