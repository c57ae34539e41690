"""Where the schedulers' components and those who ask for jobs meet: entry points, since no component imports another.

A component offers an object of `Scheduler` under the entry point group `datacrumbs.schedulers` in pyproject.toml:

    [project.entry-points."datacrumbs.schedulers"]
    slurm = "datacrumbs.slurm.scheduler:SLURM"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, Protocol

from datacrumbs.core.setup import Record
from datacrumbs.core.users import User

GROUP: Final = "datacrumbs.schedulers"


@dataclass(frozen=True, slots=True)
class JobPart:
    """What one allocation of a job is: a job has one, a job array or a heterogeneous job one for each of its parts."""

    run_id: str
    """The id that its traces bear."""
    user: User | None
    """The owner; None: not told."""
    nodes: tuple[str, ...]
    """Where it ran, as far as it is told."""


class Scheduler(Protocol):
    """What a scheduler's component does for the others."""

    def find_job(self, job: str) -> list[JobPart]:
        """The parts of a job; empty where the scheduler does not know it, or is not here."""

    def set_up(self, stage: str, prefix: Path, record: Record) -> list[str]:
        """Puts a stage (`scheduler-hooks`, `plugin` or `all`) of the scheduler's side on this node.

        Returns:
            What an administrator should know or do, one sentence each.
        """

    def reload(self) -> list[str]:
        """Lets the scheduler's daemons on this node read what was set up, or taken away; notes as in `set_up`."""

    def check(self, prefix: Path) -> dict[str, str]:
        """What of the scheduler's side is on this node: names and states."""


def find_schedulers() -> Mapping[str, Scheduler]:
    """The schedulers that this installation knows, by name."""
    return {point.name: point.load() for point in entry_points(group=GROUP)}
