"""Where the schedulers' components and those who ask for jobs meet: entry points, since no component imports another.

A component offers its package under the entry point group `datacrumbs.schedulers` in pyproject.toml, with two modules
in it: `jobs`, which finds jobs, and `setup`, which puts the scheduler's side on a node:

    [project.entry-points."datacrumbs.schedulers"]
    slurm = "datacrumbs.slurm"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

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


@dataclass(frozen=True, slots=True)
class Scheduler:
    """What a scheduler's component does for the others; its modules are imported when they are asked."""

    package: str

    def find_job(self, job: str) -> list[JobPart]:
        """The parts of a job; empty where the scheduler does not know it, or is not here."""
        parts: list[JobPart] = import_module(f"{self.package}.jobs").find_job(job)
        return parts

    def set_up(self, stage: str, prefix: Path, record: Record) -> list[str]:
        """Puts a stage (`scheduler-hooks`, `plugin` or `all`) of the scheduler's side on this node.

        Returns:
            What an administrator should know or do, one sentence each.
        """
        notes: list[str] = import_module(f"{self.package}.setup").set_up(stage, prefix, record)
        return notes

    def reload(self) -> list[str]:
        """Lets the scheduler's daemons on this node read what was set up, or taken away; notes as in `set_up`."""
        notes: list[str] = import_module(f"{self.package}.setup").reload()
        return notes

    def check(self, prefix: Path) -> dict[str, str]:
        """What of the scheduler's side is on this node: names and states."""
        states: dict[str, str] = import_module(f"{self.package}.setup").check(prefix)
        return states


def find_schedulers() -> Mapping[str, Scheduler]:
    """The schedulers that this installation knows, by name."""
    return {point.name: Scheduler(point.value) for point in entry_points(group=GROUP)}
