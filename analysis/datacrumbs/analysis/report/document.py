"""The report's content as one JSON value, with the names that analysis/web/ reads.

docs/reading-reports.md describes the page that shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from datacrumbs.analysis import layers
from datacrumbs.analysis.explaining.nest import nest
from datacrumbs.analysis.progress import Steps, unseen
from datacrumbs.analysis.reading.catalog import Process, ProcessKey, Run
from datacrumbs.analysis.reading.clocks import sentence
from datacrumbs.analysis.reading.machine import started_pool
from datacrumbs.analysis.reading.trace import Traces
from datacrumbs.analysis.report import cubes, lanes, spans, tally, usage
from datacrumbs.analysis.report.codes import Codes
from datacrumbs.analysis.report.explanations import explanations
from datacrumbs.analysis.report.kinds import KINDS, kind_of
from datacrumbs.analysis.report.lives import Life, lives
from datacrumbs.analysis.report.numbers import numbered
from datacrumbs.analysis.summing import findings, patterns
from datacrumbs.analysis.summing.partial import Sums
from datacrumbs.analysis.summing.summary import FunctionRow, Summary

VERSION: Final = 1
LAYERS: Final = layers.LAYERS
"""From the application down."""
_LONGEST_PATH: Final = 4096
_LONGEST_COMMAND: Final = 600
_SHORT_PATH: Final = 160
"""Characters of a path that only single calls name."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Rows that the parts of a report may have: together they make its size."""

    cells: int = 60_000
    lanes: int = 240_000
    spans: int = 40_000
    paths: int = 2000

    def halved(self) -> Budget:
        """For a report that came out too large."""
        return Budget(self.cells // 2, self.lanes // 2, self.spans // 2, self.paths // 2)


Maker = Callable[[Budget], dict[str, Any]]


STEPS: Final = ("nesting", "numbering", "explaining functions and files", "slices of time", "single calls", "timeline")
"""What is done one after another, the last three for each budget."""


def prepare(
    traces: Traces, sums: Sums, summary: Summary, asked: tuple[spans.Range, ...] = (), step: Steps = unseen
) -> Maker:
    """Numbers everything once, and returns what makes the document within a budget.

    Args:
        traces: opened traces.
        sums: of all their calls.
        summary: what `summarise` says of them.
        asked: parts of the run of which every call should be shown.
        step: is told of each of `STEPS`.
    """
    database = traces.database
    step(STEPS[0])
    nested = nest(traces.calls, traces.layers)
    step(STEPS[1])
    tally.make(database, sums)
    numbers = numbered(traces, nested)
    codes = numbers.codes
    usage.tell(database, summary.header.total_categories)
    places = usage.places(database, codes)
    step(STEPS[2])
    with started_pool(1, "datacrumbs-patterns") as pool:  # numpy leaves room for both
        patterns_of = pool.submit(patterns.find, traces, codes.file_ids, summary.header.total_categories)
        explained = explanations(traces, codes, nested, codes.start_us)
        known = patterns_of.result()
    found = findings.find(summary, {path: known[file] for path, file in zip(codes.paths, codes.file_ids, strict=True)
                                    if file in known})  # fmt: skip
    uses = usage.uses(database, known)
    lifes = lives(database)

    def make(budget: Budget) -> dict[str, Any]:
        layer_of = [LAYERS.index(layers.layer_of(function.category)) for function in codes.functions]
        totals = set(summary.header.total_categories)
        counted = [fn for fn, function in enumerate(codes.functions) if function.category in totals]
        step(STEPS[3])
        slices = cubes.slice_up(numbers, budget.cells, counted, places.of)
        step(STEPS[4])
        calls = spans.pick(numbers, slices.grid, budget.spans, asked)
        step(STEPS[5])
        return {
            "version": VERSION,
            "header": asdict(summary.header),
            "completeness": _completeness(summary),
            "clocks": sentence(summary.clocks)[0],
            "runs": [_run(run) for run in traces.catalog.runs[:20]],
            "profiled": max(0, sum(row.calls for row in summary.functions) - codes.calls),
            "sources": [_shorten(str(path), _LONGEST_PATH) for path in traces.sources[:100]],
            "grid": {
                "start_us": codes.start_us, "span_us": codes.span_us, "bins": slices.grid.bins,
                "width_us": slices.grid.width_us,
            },
            "layers": [{"name": layer} for layer in LAYERS],
            "kinds": list(KINDS),
            "functions": _functions(codes, summary, layer_of),
            "with_calls": len(codes.processes),
            "with_io": len(summary.processes),
            "processes": _processes(codes, summary, traces.catalog.processes, lifes),
            "lanes": {"process": [t.process for t in codes.threads], "tid": [t.tid for t in codes.threads],
                      "left_out": codes.dropped_threads},
            "files": usage.files(database, cubes.FILES),
            "places": asdict(places) | {"names": [_shorten(name, 100) for name in places.names]},
            "uses": uses,
            "paths": _paths(codes, budget.paths),
            "cells": slices.cells,
            "file_cells": slices.files,
            "latency": slices.latency,
            "sizes": slices.sizes,
            "tree": {"parent": codes.tree_parent, "fn": codes.tree_fn,
                     "elsewhere": list(numbers.waits.nodes) if numbers.waits else [], **slices.tree},
            "findings": [_finding(finding) for finding in found],
            "patterns": [
                asdict(known[file]) | {"file": code, "word": known[file].word}
                for code, file in enumerate(codes.file_ids[: cubes.FILES])
                if file in known
            ],
            "explanations": explained,
            "timeline": lanes.fill(numbers, layer_of, budget.lanes),
            "calls": calls,
        }  # fmt: skip

    return make


def _run(run: Run) -> dict[str, Any]:
    """What a runtime was asked to do, as far as its trace says."""
    return {"version": _shorten(run.opening.get("version") or "", 40), "probes": run.opening.get("probes")}


def _finding(finding: findings.Finding) -> dict[str, Any]:
    return {name: _shorten(text, 1000) if isinstance(text, str) else text for name, text in asdict(finding).items()}


def _completeness(summary: Summary) -> dict[str, Any]:
    facts = summary.completeness
    value = asdict(facts) | {"complete": facts.complete, "missing": facts.missing}
    value["lost_by_function"] = dict(list(facts.lost_by_function.items())[:30])
    for texts in ("refused", "unclosed", "notes"):
        value[texts] = [_shorten(text, 400) for text in value[texts][:50]]
    return value


def _functions(codes: Codes, summary: Summary, layer_of: list[int]) -> list[dict[str, Any]]:
    known = {(row.category, row.function): row for row in summary.functions}
    counted = set(summary.header.total_categories)
    found = []
    for function, layer in zip(codes.functions, layer_of, strict=True):
        row = known.get((function.category, function.name))
        found.append(
            {
                "name": _shorten(function.name, 200),
                "category": _shorten(function.category, 100),
                "layer": layer,
                "kind": KINDS.index(kind_of(function.name)),
                "counted": function.category in counted,
            }
            | (_durations(row) if row else {})
        )
    return found


def _durations(row: FunctionRow) -> dict[str, Any]:
    return {"calls": row.calls, "p50": row.p50_ns, "p99": row.p99_ns, "max": row.max_ns, "mean": row.mean_ns}


def _processes(codes: Codes, summary: Summary, known: Any, lifes: dict[ProcessKey, Life]) -> list[dict[str, Any]]:
    """Those with calls first, in the order of their numbers; then those that made none."""
    rows = {row.key: row for row in summary.processes}
    found: list[dict[str, Any]] = []
    for key in [*codes.processes, *(key for key in lifes if key not in set(codes.processes))]:
        if key is None:
            found.append({"others": True, "count": max(1, len(summary.processes) - len(codes.processes) + 1)})
            continue
        who: Process = known.get(key, Process())
        life = lifes.get(key, Life())
        row = rows.get(key)
        found.append(
            {
                "host": key.host,
                "pid": key.pid,
                "life": key.life,
                "name": _shorten(who.name, 200),
                "command": _shorten(who.command, _LONGEST_COMMAND),
                "parent": life.parent,
                "start": _since(codes, life.started_us),
                "end": _since(codes, life.ended_us),
                "exit": life.exit_status,
                "signal": life.signal,
                "programs": life.programs,
                "threads": row.threads if row else 0,
                "busy": row.busy_ns if row else 0,
            }
        )
    return found


def _since(codes: Codes, us: int | None) -> int | None:
    return None if us is None else us - codes.start_us


def _paths(codes: Codes, most: int) -> list[str]:
    """Files of the tables have their whole paths, the others what fits on a line."""
    return [
        _shorten(path, _LONGEST_PATH if code < cubes.FILES else _SHORT_PATH)
        for code, path in enumerate(codes.paths[: max(most, cubes.FILES)])
    ]


def _shorten(text: str, most: int) -> str:
    """The text with an ellipsis in its middle where it is longer than `most` characters."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def source_names(sources: tuple[Path, ...]) -> str:
    """What the traces are called, for a page's title."""
    first = sources[0].name if sources else ""
    return first if len(sources) < 2 else f"{first} and {len(sources) - 1} more"
