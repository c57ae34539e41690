"""Flux, as the other components see a scheduler: see core/datacrumbs/core/schedulers.py."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from datacrumbs.core.schedulers import JobPart, Scheduler
from datacrumbs.core.setup import Record


class Flux:
    """Flux."""

    def find_job(self, job: str) -> list[JobPart]:
        """See `Scheduler`."""
        from datacrumbs.flux.jobs import find_job

        return find_job(job)

    def set_up(self, stage: str, prefix: Path, record: Record) -> list[str]:
        """See `Scheduler`."""
        from datacrumbs.flux.setup import set_up

        return set_up(stage, prefix, record)

    def reload(self) -> list[str]:
        """See `Scheduler`."""
        from datacrumbs.flux.setup import reload

        return reload()

    def check(self, prefix: Path) -> dict[str, str]:
        """See `Scheduler`."""
        from datacrumbs.flux.setup import check

        return check(prefix)


FLUX: Final[Scheduler] = Flux()
