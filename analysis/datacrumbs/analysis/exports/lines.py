"""Calls as JSON objects: for Perfetto and Chrome in an array, for DFTracer's tools one a line.

DuckDB writes them; every text goes through its `to_json`, so that no name can leave its quotes.
"""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Final

import duckdb
from datacrumbs.analysis.exports.copy import copy
from datacrumbs.analysis.reading.trace import Traces

_MANY: Final = "(SELECT count(DISTINCT host) > 1 FROM threads)"

_PID: Final = f"if({_MANY} OR (SELECT max(life) > 0 FROM threads), threads.process + 1, coalesce(threads.pid, 0))"
"""Viewers tell processes apart by their ids alone, and two may have the same: then they are counted anew."""

_CALLS: Final = f"""
    SELECT
        '{{"name":' || to_json(functions.name) || ',"cat":' || to_json(functions.cat) || ',"ph":"X","pid":' || {_PID}
        || ',"tid":' || coalesce(threads.tid, threads.pid, 0) || ',"ts":' || ts || ',"dur":' || dur || ',"args":{{'
        || '"hhash":"' || hash(threads.host) || '"'
        || if(file = 0, '', ',"fhash":"' || hash(files.path) || '","path":' || to_json(files.path))
        || if(ret = {{null}}, '', ',"ret":' || ret)
        || if("offset" = {{null}}, '', ',"offset":' || "offset")
        || if(count = {{null}}, '', ',"count":' || count)
        || ',"dur_ns":' || ns || '}}}}' AS line
    FROM raw_calls
    JOIN functions ON functions.id = function
    JOIN threads ON threads.id = thread
    JOIN files ON files.id = file
"""

_NAMES: Final = f"""
    SELECT DISTINCT
        '{{"name":"process_name","ph":"M","pid":' || {_PID} || ',"tid":0,"args":{{"name":'
        || to_json(coalesce(programs.name, 'pid ' || threads.pid) || if({_MANY}, ' on ' || threads.host, '')) || '}}}}'
    FROM threads LEFT JOIN programs USING (host, pid, life)
"""

_HASHES: Final = """
    SELECT '{"name":"FH","cat":"dftracer","ph":"M","pid":1,"tid":1,"args":{"name":' || to_json(path) || ',"value":"'
        || hash(path) || '"}}'
    FROM files WHERE path <> ''
    UNION ALL
    SELECT DISTINCT '{"name":"HH","cat":"dftracer","ph":"M","pid":1,"tid":1,"args":{"name":' || to_json(host)
        || ',"value":"' || hash(host) || '"}}'
    FROM threads
"""

_PLAIN: Final = "FORMAT csv, HEADER false, DELIMITER E'\\x01', QUOTE '', ESCAPE ''"
"""Lines as they are: JSON text has no control character."""


def perfetto(traces: Traces, path: Path) -> None:
    """One JSON array, which Perfetto, Chrome and Speedscope open."""
    _programs(traces)
    calls = _CALLS.replace("{null}", "(-9223372036854775808)")
    query = f"SELECT line || ',' FROM ({_NAMES} UNION ALL {calls}) AS all_lines(line)"
    with path.open("wb") as out:
        out.write(b"[\n")
        out.flush()
        _append(traces.database, query, path, out.name)
    with path.open("ab") as out:
        out.write(b'{"name":"end of trace","ph":"M","pid":0,"tid":0,"args":{}}]\n')


def dftracer(traces: Traces, path: Path) -> None:
    """Lines in gzip members, which DFTracer's tools and dfanalyzer read: one file, however many there were."""
    _programs(traces)
    calls = _CALLS.replace("{null}", "(-9223372036854775808)")
    beside = path.with_name(path.name + ".lines")
    try:
        copy(traces.database, f"{_HASHES} UNION ALL {_NAMES} UNION ALL {calls}", beside, _PLAIN + ", COMPRESSION gzip")
        with path.open("wb") as out, beside.open("rb") as lines:
            out.write(gzip.compress(b"[\n"))
            shutil.copyfileobj(lines, out, 1 << 20)
    finally:
        beside.unlink(missing_ok=True)


def _append(database: duckdb.DuckDBPyConnection, query: str, path: Path, name: str) -> None:
    beside = path.with_name(Path(name).name + ".lines")
    try:
        copy(database, query, beside, _PLAIN)
        with path.open("ab") as out, beside.open("rb") as lines:
            shutil.copyfileobj(lines, out, 1 << 20)
    finally:
        beside.unlink(missing_ok=True)


def _programs(traces: Traces) -> None:
    """The table `programs`: what processes are called."""
    traces.database.execute("CREATE OR REPLACE TABLE programs (host VARCHAR, pid INTEGER, life UINTEGER, name VARCHAR)")
    known = [[*key, who.name] for key, who in traces.catalog.processes.items() if who.name]
    if known:
        traces.database.executemany("INSERT INTO programs VALUES (?, ?, ?, ?)", known)
