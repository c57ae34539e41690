"""Workers that add up what they read, each to a part (parts.py).

What adds up needs numpy. It is asked for when there are calls to add: reading begins while others still import it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final

from datacrumbs.analysis.reading.parser import Parser
from datacrumbs.analysis.reading.room import Shelf

if TYPE_CHECKING:
    from datacrumbs.analysis.reading.columns import Worker
    from datacrumbs.analysis.summing.parts import Adder, Part

_AT_ONCE: Final = 1 << 17
"""Calls that are added up at once, at least: their columns are still in the processor's cache."""


class PartWorker:
    """Takes the calls of a part apart and adds them up as they come."""

    def __init__(self, shelf: Shelf) -> None:
        self.parser = Parser()
        self._shelf = shelf
        self._made: Adder | None = None

    def taken(self, source: int, offset: int) -> None:
        """Adds up what is there, if it is much."""
        if self.parser.size >= _AT_ONCE:
            self.end_part(source, offset)

    def end_part(self, source: int, offset: int) -> None:
        """Adds up what is there."""
        self._adder().add(self.parser, source, offset)
        self.parser.forget()

    def part(self) -> Part:
        """All of it, once."""
        return self._adder().part(self.parser)

    def _adder(self) -> Adder:
        if self._made is None:
            from datacrumbs.analysis.summing.parts import Adder

            self._made = Adder(self._shelf)
        return self._made


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
