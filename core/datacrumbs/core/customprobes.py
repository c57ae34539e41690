"""Custom probes: BPF C that a site wrote, and where its events keep what the trace shows of them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final

from datacrumbs.core.errors import DataError
from datacrumbs.core.members import Members

MAX_PROGRAMS: Final = 16
MAX_SOURCE: Final = 256 << 10
"""Characters of one program."""
HEAD_BYTES: Final = 64
"""What each event begins with: struct datacrumbs_event."""
MAX_EVENT: Final = 4096
"""Bytes of an event."""
START_EVENT: Final = 100_000
"""The number of a program's first event, unless the host YAML says another: upstream's."""

_INCLUDE: Final = re.compile(r"^[ \t]*(?:#|%:|\?\?=)[ \t]*(include\w*|import|embed|line)\b[ \t]*(.*)$", re.MULTILINE)
_ALLOWED: Final = re.compile(r"<[a-z0-9_][a-z0-9_/-]*\.h>\s*(?://.*|/\*.*)?\Z")


@dataclass(frozen=True, slots=True)
class CustomProgram:
    """A program: its whole text is signed, so nothing else is ever compiled."""

    name: str
    source: str

    @property
    def digest(self) -> str:
        """What a site's policy names it by: "sha256:" and the hash of its text."""
        return "sha256:" + hashlib.sha256(self.source.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Custom:
    """One kind of event of a program. `offsets` and `sizes` have a member for each captured argument."""

    program: int
    """Index into `ProbeSet.programs`."""
    event: int
    """The number that the program gives it."""
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    path: int = 0
    """Where a path is that names the file; 0: nowhere."""
    path_size: int = 0


def check_source(source: str, name: str) -> None:
    """Refuses what would compile more than the text itself and the system's headers.

    Raises:
        DataError: naming the line's content.
    """
    for match in _INCLUDE.finditer(source.replace("\\\n", "")):
        if match[1] != "include" or not _ALLOWED.match(match[2].strip()):
            raise DataError(
                f"{name}: '{match[0].strip()[:80]}' is not allowed in a custom probe",
                "put everything into one file, and include only headers such as <linux/fs.h>",
            )
    if re.search(r"\.\s*inc(bin|lude)|__has_(include|embed)|_Pragma|#\s*pragma", source):
        raise DataError(f"{name}: other files cannot be taken into a custom probe", "put everything into one file")


def program_to_json(program: CustomProgram) -> dict[str, Any]:
    """A program as plain JSON values."""
    return {"name": program.name, "source": program.source}


def program_from_json(item: Members) -> CustomProgram:
    """Reads what `program_to_json` makes.

    Raises:
        DataError: it makes no sense, or takes in other files.
    """
    program = CustomProgram(item.text("name"), item.text("source", MAX_SOURCE))
    check_source(program.source, program.name)
    item.finish()
    return program


def to_json(target: Custom) -> dict[str, Any]:
    """A kind of event as plain JSON values."""
    value: dict[str, Any] = {"program": target.program, "event": target.event}
    value |= {"offsets": list(target.offsets), "sizes": list(target.sizes)}
    return value | ({"path": target.path, "path_size": target.path_size} if target.path_size else {})


def from_json(item: Members, programs: int, arguments: int) -> Custom:
    """Reads what `to_json` makes; `arguments` is how many the probe captures at most."""
    target = Custom(
        item.integer("program", 0, programs - 1),
        item.integer("event", 0, 2**31),
        item.integers("offsets", arguments, HEAD_BYTES),
        item.integers("sizes", arguments, 1),
        item.integer("path", 0, MAX_EVENT, optional=True),
        item.integer("path_size", 0, MAX_EVENT, optional=True),
    )
    ends = [a + b for a, b in zip((*target.offsets, target.path), (*target.sizes, target.path_size), strict=True)]
    if len(target.offsets) != len(target.sizes) or max(ends) > MAX_EVENT:
        raise DataError(f"probes file: {item.at('offsets')} leaves the event", "make the file again")
    return target
