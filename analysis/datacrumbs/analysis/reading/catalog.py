"""What a trace says about itself: hosts, files, processes and the runs that it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from datacrumbs.analysis.reading import lifetimes, schema

if TYPE_CHECKING:
    import duckdb

_NAMES: Final = f"""
    CREATE TABLE names AS
    SELECT kind, key, min(text) AS text
    FROM (
        SELECT name AS kind, file AS key, text FROM records
        WHERE kind = {schema.KIND_METADATA} AND name IN ('FH', 'HH', 'SH')
        UNION ALL  -- what has no host hash is of the host that its file names
        SELECT 'HH', '#' || source, text FROM records
        WHERE kind = {schema.KIND_METADATA} AND name = 'HH'
    )
    WHERE text IS NOT NULL
    GROUP BY kind, key
"""
"""What hashes stand for. A hash is made of its text alone, so it means the same in all traces."""

_RUNS: Final = f"""
    SELECT source, note FROM records WHERE kind = {schema.KIND_METADATA} AND name = 'datacrumbs' ORDER BY source
"""

_PROCESSES: Final = f"""
    SELECT
        coalesce(host.text, ''), r.pid, {lifetimes.life_of("r")},
        coalesce(if(r.name = 'process_name', r.note->>'$.name', r.note->>'$.comm'), program.text, ''),
        coalesce(r.note->>'$.cmd', replace(line.text, ';', ' '), '')
    FROM records r
    LEFT JOIN names host ON host.kind = 'HH' AND host.key = r.host
    LEFT JOIN names program ON program.kind = 'SH' AND program.key = r.note->>'$.exec_hash'
    LEFT JOIN names line ON line.kind = 'SH' AND line.key = r.note->>'$.cmd_hash'
    WHERE r.kind = {schema.KIND_LIFE} AND r.name IN ('start', 'exec')
       OR r.kind = {schema.KIND_METADATA} AND r.name = 'process_name'
    ORDER BY coalesce(r.ts, 0), r.name = 'exec', r.source
"""
"""Programs in the order in which they ran, or else of their files. DFTracer has hashes in place of texts, and ";"
between arguments.

A record without a time, as `process_name` is, counts for the first life of its process id; later ones have a start.
"""


class ProcessKey(NamedTuple):
    """A process: its host's name, its id, and how many processes with that id had ended before it."""

    host: str
    pid: int | None
    life: int = 0

    @property
    def id(self) -> str:
        """The process id as answers show it: "701", and "701 (2)" for the second process that had it."""
        if self.pid is None:
            return ""
        return f"{self.pid} ({self.life + 1})" if self.life else str(self.pid)


@dataclass(frozen=True, slots=True)
class Process:
    """What is known of a process besides its calls; texts are empty where the trace does not say."""

    name: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One runtime's own records in one file: what it was asked to do, and what became of it.

    `opening` and `closing` are the records' `args`; an empty one is missing from the file.
    """

    source: Path
    run_id: str
    opening: Mapping[str, Any] = field(default_factory=dict)
    closing: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The names of everything. `runs` lists only what our own runtime wrote."""

    runs: tuple[Run, ...]
    processes: Mapping[ProcessKey, Process]


def read_catalog(database: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> Catalog:
    """Reads the few records that describe others, and makes the table `names` (kind, key, text) of the hashes.

    The table `births` exists (lifetimes.py).
    """
    database.execute(_NAMES)
    return Catalog(tuple(_runs(database, paths)), _processes(database))


def _runs(database: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> list[Run]:
    found: dict[tuple[int, str], dict[str, Mapping[str, Any]]] = {}
    for source, note in database.execute(_RUNS).fetchall():
        args = json.loads(note or "{}") or {}
        if args.get("name") in ("run", "end"):
            found.setdefault((source, args.get("value") or ""), {})[args["name"]] = args
    return [
        Run(paths[source], run, parts.get("run", {}), parts.get("end", {})) for (source, run), parts in found.items()
    ]


def _processes(database: duckdb.DuckDBPyConnection) -> dict[ProcessKey, Process]:
    """A process that ran several programs one after another (exec) is known by the last of them."""
    found: dict[ProcessKey, Process] = {}
    for host, pid, life, name, command in database.execute(_PROCESSES).fetchall():
        key = ProcessKey(host, pid, life)
        before = found.get(key, Process())
        found[key] = Process(name or before.name, command or before.command)
    return found
