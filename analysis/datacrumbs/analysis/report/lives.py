"""Which process started which, when it ran, and how it ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import duckdb
from datacrumbs.analysis.reading import lifetimes, schema
from datacrumbs.analysis.reading.catalog import ProcessKey

MOST: Final = 4000
"""Processes whose lives are told."""

_LIVES: Final = f"""
    SELECT coalesce(names.text, ''), r.pid, {lifetimes.life_of("r")}, r.name, r.ts, r.note
    FROM records r LEFT JOIN names ON names.kind = 'HH' AND names.key = r.host
    WHERE r.kind = {schema.KIND_LIFE} AND r.name IN ('start', 'exec', 'end')
    ORDER BY r.ts, r.name = 'end', r.name = 'exec'
    LIMIT {4 * MOST}
"""


@dataclass(slots=True)
class Life:
    """A process, from its start or its first program to its end; what the trace does not say is None.

    Times are microseconds since 1970. `parent` is a process id.
    """

    parent: int | None = None
    started_us: int | None = None
    ended_us: int | None = None
    exit_status: int | None = None
    signal: int | None = None
    programs: int = 0
    """Programs that it ran one after another."""


def lives(database: duckdb.DuckDBPyConnection) -> dict[ProcessKey, Life]:
    """The lives of all processes whose start, exec or end the trace has, in the order in which they began."""
    found: dict[ProcessKey, Life] = {}
    for host, pid, number, kind, ts, note in database.execute(_LIVES).fetchall():
        life = found.setdefault(ProcessKey(host, pid, number), Life())
        args: dict[str, Any] = json.loads(note or "{}") or {}
        if kind == "end":
            life.ended_us, life.exit_status, life.signal = ts, args.get("exit"), args.get("signal")
            continue
        life.programs += 1
        life.parent = args.get("ppid") if life.parent is None else life.parent
        life.started_us = ts if life.started_us is None else life.started_us
    return found
