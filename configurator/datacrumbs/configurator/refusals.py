"""The reports of runs (runtime/report.py), as far as they say what to leave out next time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from datacrumbs.configurator.resolve import Resolution
from datacrumbs.core import jsontext
from datacrumbs.core.errors import DataError
from datacrumbs.core.files import read_regular
from datacrumbs.core.probes import REPORT_VERSION, place_of

MOST_BYTES: Final = 32 << 20
_LISTED: Final = 8

Refusals = frozenset[tuple[str, str]]
"""Kind and place of each probe that was refused."""


def read(path: Path) -> Refusals:
    """What a run's report says was refused.

    Raises:
        NoInputError: it cannot be read.
        DataError: it is no such report.
    """
    value = jsontext.parse(read_regular(path, MOST_BYTES), str(path), most_bytes=MOST_BYTES)
    rows = value.get("refused") if isinstance(value, dict) else None
    if not isinstance(value, dict) or value.get("datacrumbs_report") != REPORT_VERSION or not isinstance(rows, list):
        raise DataError(f"{path} is no report of a run", "name the file ….probes.json that lies beside the trace")
    found = set()
    for row in rows:
        kind, place = (row.get("kind"), row.get("place")) if isinstance(row, dict) else (None, None)
        if not isinstance(kind, str) or not isinstance(place, str):
            raise DataError(f"{path} is damaged: a refused probe has no kind or place", "run the trace again")
        found.add((kind, place))
    return frozenset(found)


def dropped(resolution: Resolution, refusals: Refusals) -> Resolution:
    """A resolution without what was refused; what it leaves out, the trace will say.

    Raises:
        DataError: nothing is left.
    """
    probes = resolution.probes
    keep = [i for i, p in enumerate(probes.probes) if (p.kind, place_of(p, probes.files)) not in refusals]
    gone = [p.name for p in probes.probes if (p.kind, place_of(p, probes.files)) in refusals]
    if not gone:
        return resolution
    if not keep:
        raise DataError("every function was refused in that run", "see the reasons in the report")
    names = ", ".join(gone[:_LISTED]) + (f" and {len(gone) - _LISTED} more" if len(gone) > _LISTED else "")
    note = f"{names}: refused in an earlier run"
    return replace(
        resolution,
        probes=replace(probes, probes=tuple(probes.probes[i] for i in keep), excluded=(*probes.excluded, note)),
        origins=tuple(resolution.origins[i] for i in keep),
    )
