"""Where a USDT probe is: a place in a file that its authors marked, with a semaphore that switches it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from datacrumbs.core.members import Members

MAX_ENDS: Final = 64
_LAST: Final = 2**62


@dataclass(frozen=True, slots=True)
class Mark:
    """One marked place: the file offset of its instruction, and of its semaphore (0: it has none), in bytes."""

    offset: int
    semaphore: int = 0


@dataclass(frozen=True, slots=True)
class Usdt:
    """A USDT probe of `ProbeSet.files[file]`. With `ends` it is a span, from its mark to any of those."""

    file: int
    provider: str
    name: str
    mark: Mark
    ends: tuple[Mark, ...] = ()
    switches: tuple[Mark, ...] = ()
    """Places of no interest whose semaphores must be on as well, for the program to come to its mark."""


def to_json(target: Usdt) -> dict[str, Any]:
    value: dict[str, Any] = {
        "file": target.file,
        "provider": target.provider,
        "mark": target.name,
        **_mark_to_json(target.mark),
    }
    for name, marks in (("ends", target.ends), ("switches", target.switches)):
        if marks:
            value[name] = [_mark_to_json(mark) for mark in marks]
    return value


def from_json(item: Members, files: int) -> Usdt:
    file, provider, name = item.integer("file", 0, files - 1), item.text("provider"), item.text("mark")
    mark = _mark_from_json(item)
    return Usdt(file, provider, name, mark, _marks_from_json(item, "ends"), _marks_from_json(item, "switches"))


def _marks_from_json(item: Members, name: str) -> tuple[Mark, ...]:
    found = []
    for part in item.items(name, MAX_ENDS, optional=True):
        found.append(_mark_from_json(part))
        part.finish()
    return tuple(found)


def _mark_to_json(mark: Mark) -> dict[str, int]:
    return {"offset": mark.offset} | ({"semaphore": mark.semaphore} if mark.semaphore else {})


def _mark_from_json(item: Members) -> Mark:
    return Mark(item.integer("offset", 0, _LAST), item.integer("semaphore", 0, _LAST, optional=True))
