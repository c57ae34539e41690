"""A flame graph for speedscope (https://www.speedscope.app): exclusive time by path of calls, for each process.

The form is speedscope's own, "sampled": a stack for each node of the tree of paths, weighted with its nanoseconds
(https://github.com/jlfwong/speedscope/blob/main/src/lib/file-format-spec.ts).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from datacrumbs.analysis.explaining.nest import NO_PARENT, Nest, nest
from datacrumbs.analysis.reading.catalog import ProcessKey
from datacrumbs.analysis.reading.columns import chunks
from datacrumbs.analysis.reading.trace import Traces

SCHEMA: Final = "https://www.speedscope.app/file-format-schema.json"
_MOST: Final = 200
"""Processes with a profile of their own: those with the most time."""


def speedscope(traces: Traces, path: Path) -> None:
    """Writes all processes together first, then those with the most time one by one."""
    calls = traces.calls
    swept = nest(calls, traces.layers)
    stacks = _stacks(swept)
    process_of = np.array(
        [row[0] for row in traces.database.execute("SELECT process FROM threads ORDER BY id").fetchall()] or [0]
    )
    table = np.zeros((int(process_of.max()) + 1, len(stacks)), np.int64)
    for some in chunks(len(calls)):
        process = process_of[calls.thread[swept.order[some]]]
        np.add.at(table, (process, swept.node[some]), swept.exclusive[some])
    order = np.argsort(-table.sum(axis=1), kind="stable")[:_MOST]
    names = _names(traces)
    profiles = [_profile("all processes", stacks, table.sum(axis=0))]
    profiles += [_profile(names.get(int(one), f"process {one}"), stacks, table[one]) for one in order]
    frames = [
        {"name": function.name, "file": layer} for function, layer in zip(calls.functions, traces.layers, strict=True)
    ]
    value = {
        "$schema": SCHEMA, "exporter": "datacrumbs_analyze", "name": "DataCrumbs", "shared": {"frames": frames},
        "profiles": profiles,
    }  # fmt: skip
    with path.open("w", encoding="ascii") as out:
        json.dump(value, out, separators=(",", ":"))


def _stacks(swept: Nest) -> list[list[int]]:
    stacks: list[list[int]] = []
    for parent, function in zip(swept.node_parent.tolist(), swept.node_function.tolist(), strict=True):
        stacks.append([*(stacks[parent] if parent != NO_PARENT else []), function])
    return stacks


def _profile(name: str, stacks: list[list[int]], weights: Any) -> dict[str, Any]:
    used = np.flatnonzero(weights).tolist()
    return {
        "type": "sampled", "name": name, "unit": "nanoseconds", "startValue": 0, "endValue": int(weights.sum()),
        "samples": [stacks[node] for node in used], "weights": [int(weights[node]) for node in used],
    }  # fmt: skip


def _names(traces: Traces) -> dict[int, str]:
    names = {}
    rows = traces.database.execute("SELECT DISTINCT process, host, pid, life FROM threads").fetchall()
    for process, *key in rows:
        who = ProcessKey(*key)
        known = traces.catalog.processes.get(who)
        names[process] = f"{known.name if known else 'process'} {who.id} on {who.host}"
    return names
