"""What a trace says about itself: hosts, files, processes and the runs that it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from datacrumbs.analysis.reading import schema
from datacrumbs.analysis.reading.lifetimes import Births

if TYPE_CHECKING:
    import duckdb

_NAMES: Final = f"""
    INSERT INTO names
    SELECT name, key, min(text)
    FROM (  -- what has no host hash is of the host that its file names
        SELECT name, unnest(if(name = 'HH', [file, '#' || source], [file])) AS key, text FROM records
        WHERE kind = {schema.KIND_METADATA} AND name IN ('FH', 'HH', 'SH') AND text IS NOT NULL
    )
    GROUP BY name, key
"""
"""What hashes stand for. A hash is made of its text alone, so it means the same in all traces."""

_RUNS: Final = f"""
    SELECT source, note FROM records WHERE kind = {schema.KIND_METADATA} AND name = 'datacrumbs' ORDER BY source
"""

_PROCESSES: Final = f"""
    SELECT
        host, pid, ts, if(name = 'process_name', note->>'$.name', note->>'$.comm'), note->>'$.exec_hash',
        note->>'$.cmd', note->>'$.cmd_hash'
    FROM records
    WHERE kind = {schema.KIND_LIFE} AND name IN ('start', 'exec')
       OR kind = {schema.KIND_METADATA} AND name = 'process_name'
    ORDER BY coalesce(ts, 0), name = 'exec', source
"""
"""Programs in the order in which they ran, or else of their files. DFTracer has hashes in place of texts, and ";"
between arguments.

A record without a time, as `process_name` is, counts for the first life of its process id; later ones have a start.
"""


_LIVED: Final = f"SELECT min(ts), max(ts + dur) FROM records WHERE kind = {schema.KIND_LIFE}"


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
    lived: tuple[int, int] | None
    """From the first to the last start or end of a process, in microseconds since 1970; None: the traces have none."""


def read_catalog(
    database: duckdb.DuckDBPyConnection, counts: Mapping[int, int], paths: Sequence[Path], births: Births
) -> Catalog:
    """Reads the few records that describe others, and fills the table `names` (kind, key, text) of the hashes.

    Args:
        database: with the table `records`.
        counts: how many of them there are of each kind.
        paths: the traces.
        births: as lifetimes.py found them.
    """
    database.execute(_NAMES)
    lived = database.execute(_LIVED).fetchall()[0] if schema.KIND_LIFE in counts else None
    return Catalog(tuple(_runs(database, paths)), _processes(database, births), lived)


def names(database: duckdb.DuckDBPyConnection, kind: str, hashes: Sequence[str] | None = None) -> dict[str, str]:
    """What hashes stand for: of files ("FH"), hosts ("HH") or other texts ("SH").

    Args:
        database: whose table `names` is filled.
        kind: of the names.
        hashes: those that are asked for; None: all.
    """
    query = "SELECT key, text FROM names WHERE kind = ?"
    if hashes is None:
        return dict(database.execute(query, [kind]).fetchall())
    return dict(database.execute(f"{query} AND key IN (SELECT unnest(?))", [kind, hashes or [""]]).fetchall())


def _runs(database: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> list[Run]:
    found: dict[tuple[int, str], dict[str, Mapping[str, Any]]] = {}
    for source, note in database.execute(_RUNS).fetchall():
        args = json.loads(note or "{}") or {}
        if args.get("name") in ("run", "end"):
            found.setdefault((source, args.get("value") or ""), {})[args["name"]] = args
    return [
        Run(paths[source], run, parts.get("run", {}), parts.get("end", {})) for (source, run), parts in found.items()
    ]


def _processes(database: duckdb.DuckDBPyConnection, births: Births) -> dict[ProcessKey, Process]:
    """A process that ran several programs one after another (exec) is known by the last of them."""
    found: dict[ProcessKey, Process] = {}
    hosts, texts = names(database, "HH"), names(database, "SH")
    for host, pid, ts, name, name_hash, command, command_hash in database.execute(_PROCESSES).fetchall():
        life = 0 if ts is None else int(np.searchsorted(births.get((host, pid), ()), ts, side="right"))
        key = ProcessKey(hosts.get(host, ""), pid, life)
        before = found.get(key, Process())
        name = texts.get(name_hash, "") if name is None else name
        command = texts.get(command_hash, "").replace(";", " ") if command is None else command
        found[key] = Process(name or before.name, command or before.command)
    return found
