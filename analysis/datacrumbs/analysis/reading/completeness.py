"""What is missing from a trace: nothing is lost silently, so every answer comes with this."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from datacrumbs.analysis.reading import schema
from datacrumbs.analysis.reading.catalog import Run
from datacrumbs.analysis.reading.trace import Reading


@dataclass(frozen=True, slots=True)
class Completeness:
    """What the runtimes counted, and what the files hold.

    `captured` and `lost` are None for traces of other tools, which do not say.
    """

    read: int
    """Events in the files."""
    captured: int | None
    lost: int | None
    lost_by_function: dict[str, int]
    missed_returns: int
    unwritten: int
    unnamed: int
    """Calls whose file had no name any more when it was asked for."""
    refused: tuple[str, ...]
    """Probes that could not be attached, each with the reason."""
    refused_count: int
    min_duration_ns: int
    """Calls shorter than this were not written."""
    brief: int
    """How many calls those were."""
    brief_ns: int
    """The time of all of them."""
    profiled: int
    """Events that were added up in the kernel; `read` counts them, too."""
    profiled_functions: tuple[str, ...]
    """Functions that were called so often that their runtime changed from tracing to profiling them."""
    overflowed: int
    """Profiled calls for whose process and file there was no room."""
    unclosed: tuple[str, ...]
    """Traces without a closing record: their runtime still runs, or it was killed."""
    broken_lines: int
    other_records: int
    notes: tuple[str, ...]
    """What could not be read, file by file."""

    @property
    def complete(self) -> bool:
        """Whether nothing is known to be missing: the runtimes said so, and all that they wrote was read."""
        gaps = (self.lost, self.missed_returns, self.unwritten, self.refused_count, self.broken_lines, self.missing)
        return self.captured is not None and not any(gaps) and not self.unclosed and not self.notes

    @property
    def missing(self) -> int:
        """Events that a closed trace's runtime wrote and that are not in the files."""
        return 0 if self.captured is None or self.unclosed else max(0, self.captured - self.unwritten - self.read)


def judge(traces: Reading) -> Completeness:
    """Adds up what all runs of the traces say about themselves, and compares it with what was read."""
    runs = traces.catalog.runs
    profiled = 0
    if schema.KIND_PROFILE in traces.counts:
        profiled = traces.database.execute("SELECT sum(calls)::BIGINT FROM profiles").fetchall()[0][0]
    switched = (str(name) for run in runs for name in run.closing.get("profiled") or ())
    lost: Counter[str] = Counter()
    for run in runs:
        lost.update({name: n or 0 for name, n in (run.closing.get("lost_by_function") or {}).items()})
    refused = [reason for run in runs for reason in run.opening.get("refused") or ()]
    return Completeness(
        read=traces.events + profiled,
        captured=_total(runs, "captured") if runs else None,
        lost=_total(runs, "lost") if runs else None,
        lost_by_function=dict(lost.most_common()),
        missed_returns=_total(runs, "missed_returns"),
        unwritten=_total(runs, "unwritten"),
        unnamed=_total(runs, "unnamed"),
        refused=tuple(dict.fromkeys(str(reason) for reason in refused)),
        refused_count=max(sum(run.opening.get("refused_count") or 0 for run in runs), len(refused)),
        min_duration_ns=max((run.opening.get("min_duration_ns") or 0 for run in runs), default=0),
        brief=_total(runs, "brief"),
        brief_ns=_total(runs, "brief_ns"),
        profiled=profiled,
        profiled_functions=tuple(dict.fromkeys(switched)),
        overflowed=_total(runs, "overflowed"),
        unclosed=tuple(str(run.source) for run in runs if not run.closing),
        broken_lines=traces.counts.get(schema.KIND_BROKEN, 0),
        other_records=traces.counts.get(schema.KIND_OTHER, 0),
        notes=tuple(f"{note.path}: {note.text}" for note in traces.notes),
    )


def _total(runs: tuple[Run, ...], counter: str) -> int:
    return sum(run.closing.get(counter) or 0 for run in runs)
