"""What a trace adds up to, be its calls events of their own or rows of a profile."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from datacrumbs.core import syscalls
from tracing import Run

MOVES = frozenset(map(syscalls.trace_name, syscalls.MOVES))


@dataclass
class Sums:
    """Calls of one function on one file."""

    calls: int = 0
    errors: int = 0
    bytes: int = 0
    time: int = 0

    def exact(self) -> tuple[int, int, int]:
        """What must be the same in both modes."""
        return self.calls, self.errors, self.bytes


def rows(run: Run, category: str = "POSIX") -> list[dict[str, Any]]:
    """The rows of the profile."""
    return [event for event in run.events(category) if "profile" in event["args"]]


def sums(run: Run, category: str = "POSIX") -> dict[tuple[str, str | None], Sums]:
    """By function and path; rows without room for their file under the path "(overflow)"."""
    result: dict[tuple[str, str | None], Sums] = defaultdict(Sums)
    for event in run.events(category):
        args = event["args"]
        row = args.get("profile")
        path = "(overflow)" if row and "overflow" in row else event["path"]
        found = result[event["name"], path]
        found.time += args["dur_ns"]
        ret = args.get("ret", 0)
        if row:
            assert sum(row["log2_ns"].values()) == row["calls"] > 0
            assert row["min_ns"] * row["calls"] <= args["dur_ns"] <= row["max_ns"] * row["calls"]
            found.calls += row["calls"]
            found.errors += row["errors"]
            found.bytes += row["bytes"]
        else:
            found.calls += 1
            found.errors += -4095 <= ret < 0
            found.bytes += max(0, ret) if event["name"] in MOVES else 0
    return dict(result)


def by_name(found: dict[tuple[str, str | None], Sums]) -> dict[str, Sums]:
    """The same by function alone."""
    result: dict[str, Sums] = defaultdict(Sums)
    for (name, _), more in found.items():
        for member in ("calls", "errors", "bytes", "time"):
            setattr(result[name], member, getattr(result[name], member) + getattr(more, member))
    return dict(result)
