"""The table `records`: what is kept of lines that native/parse.c does not take, and how it is read from them.

Those are all that name or describe something, and calls of an unusual form, which become rows of the columns like all
others (columns.py) and are then taken out of the table.

    source   which file, an index into Traces.sources        kind     one of the KIND_ numbers below
    name     function, or the metadata record's name         cat      category
    pid, tid                                                 ts, dur  microseconds since 1970; microseconds
    ns, sub, ret, offset, count, key                         as in columns.py; NULL where there is none
    host     hash of the host's name                         file     "h" and a hash, "p" and a path, or nothing
    text     of FH, HH and SH records: what the hash names
    note     of the few records that describe runs and processes: their `args` as JSON; of profiles: what they add up

The tables `births` (lifetimes.py), `names` (catalog.py) and `profiles` (profiles.py) are made from it, and are empty
where there is nothing for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

KIND_BROKEN: Final = 0
"""A line that is not JSON, or whose name, time or duration makes no sense."""
KIND_CALL: Final = 1
"""A function call or a region of a program."""
KIND_METADATA: Final = 2
"""A record that names or describes something."""
KIND_LIFE: Final = 3
"""A process started, began another program, or ended."""
KIND_OTHER: Final = 4
"""A sound record of a form that no question here is about, such as a counter."""
KIND_PROFILE: Final = 5
"""Calls of one process, function, file and interval, added up: `ns` is their time, `ret` the bytes that they moved."""

_NULL: Final = "(-9223372036854775808)"
"""columns.NULL; written so, since the number without its sign is too large."""

TABLES: Final = """
    CREATE TABLE records (
        source UINTEGER, kind UTINYINT, name VARCHAR, cat VARCHAR, pid INTEGER, tid INTEGER, ts BIGINT, dur BIGINT,
        ns BIGINT, sub USMALLINT, ret BIGINT, "offset" BIGINT, count BIGINT, key VARCHAR, host VARCHAR, file VARCHAR,
        text VARCHAR, note VARCHAR
    );
    CREATE TABLE births (host VARCHAR, pid INTEGER, moment BIGINT);
    CREATE TABLE names (kind VARCHAR, key VARCHAR, text VARCHAR);
    CREATE TABLE profiles (
        cat VARCHAR, name VARCHAR, host VARCHAR, pid INTEGER, life BIGINT, ts BIGINT, dur BIGINT, ns BIGINT,
        calls BIGINT, errors BIGINT, moved BIGINT, longest BIGINT, spread JSON, path VARCHAR, process BIGINT,
        file BIGINT
    );
    CREATE TABLE profiled_spread (cat VARCHAR, name VARCHAR, q BIGINT[]);
"""

ODD_NUMBERS: Final = f"""
    SELECT
        ts, dur, ns, coalesce(sub, 65535)::USMALLINT AS sub, coalesce(ret, {_NULL}) AS ret,
        coalesce("offset", {_NULL}) AS "offset", coalesce(count, {_NULL}) AS count
    FROM records WHERE kind = {KIND_CALL}
    ORDER BY rowid
"""
"""Calls of an unusual form, as in columns.py."""
ODD_TEXTS: Final = f"""
    SELECT name, cat, host, pid, tid, file, key FROM records WHERE kind = {KIND_CALL} ORDER BY rowid
"""
FORGET_ODD: Final = f"DELETE FROM records WHERE kind = {KIND_CALL}"

MAX_TIME: Final = 1 << 53
"""Times and durations in microseconds are below this (the year 2255), so sums of them cannot overflow."""

_ARGS: Final = {
    # of calls
    "hhash": "VARCHAR", "fhash": "VARCHAR", "fname": "VARCHAR", "ret": "BIGINT", "dur_ns": "BIGINT", "size": "BIGINT",
    "ts_ns": "BIGINT", "bytes": "BIGINT", "count": "BIGINT", "offset": "BIGINT", "flags": "VARCHAR", "cause": "VARCHAR",
    "thread": "BIGINT",
    "profile": "JSON",
    # of metadata
    "name": "VARCHAR", "value": "VARCHAR",
    # of processes; the hashes are DFTracer's
    "comm": "VARCHAR", "cmd": "VARCHAR", "exec_hash": "VARCHAR", "cmd_hash": "VARCHAR",
    "ppid": "INTEGER", "exit": "INTEGER", "signal": "INTEGER",
    # of the run
    "version": "VARCHAR", "probes": "BIGINT", "user": "VARCHAR", "host": "VARCHAR",
    "min_duration_ns": "BIGINT", "refused_count": "BIGINT", "refused": "VARCHAR[]",
    "captured": "BIGINT", "lost": "BIGINT", "lost_by_function": "MAP(VARCHAR, BIGINT)",
    "missed_returns": "BIGINT", "unnamed": "BIGINT", "unwritten": "BIGINT",
    "brief": "BIGINT", "brief_ns": "BIGINT", "overflowed": "BIGINT", "profiled": "VARCHAR[]",
    "clock_synchronized": "BOOLEAN", "clock_max_error_us": "BIGINT", "clock_step_us": "BIGINT",
}  # fmt: skip

_COLUMNS: Final = {
    "name": "VARCHAR", "cat": "VARCHAR", "ph": "VARCHAR", "pid": "INTEGER", "tid": "INTEGER", "ts": "BIGINT",
    "dur": "BIGINT", "args": "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in _ARGS.items()) + ")",
}  # fmt: skip

_IS_METADATA: Final = "ph IN ('M', '4')"
"""Chrome's letter, or the number that DFTracer 2 writes in its place."""
_IS_SPAN: Final = "ph IN ('X', '1')"
_IS_SOUND: Final = f"name IS NOT NULL AND ts BETWEEN 0 AND {MAX_TIME} AND coalesce(dur, 0) BETWEEN 0 AND {MAX_TIME}"
_DUR: Final = f"if(dur BETWEEN 0 AND {MAX_TIME}, dur, 0)"
_IS_LIFE: Final = "cat = 'dftracer'"
_IS_PROFILE: Final = "args.profile IS NOT NULL"
_NAMES_A_HASH: Final = "name IN ('FH', 'HH', 'SH')"


def insert(sources: Mapping[str, int], max_object: int) -> str:
    """The statement that reads JSON lines into `records`.

    DuckDB's reader makes NULL of a value of the wrong type and a row of NULLs of a line that is not JSON.

    Args:
        sources: files with the lines, names of our own making, and the number of the trace file that each comes from.
        max_object: longest line in bytes; none is longer.
    """
    files = [f"'{name}'" for name in sources]
    numbers = ", ".join(f"{name}: {source}" for name, source in zip(files, sources.values(), strict=True))
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in _COLUMNS.items())
    return f"""
        INSERT INTO records
        SELECT
            source,
            CASE
                WHEN {_IS_METADATA} THEN {KIND_METADATA}
                WHEN {_IS_SPAN} AND {_IS_SOUND} AND {_IS_LIFE} THEN {KIND_LIFE}
                WHEN {_IS_SPAN} AND {_IS_SOUND} THEN if({_IS_PROFILE}, {KIND_PROFILE}, {KIND_CALL})
                WHEN ph IS NULL OR {_IS_SPAN} THEN {KIND_BROKEN}
                ELSE {KIND_OTHER}
            END,
            name, coalesce(cat, ''), pid, tid, ts, {_DUR},
            if(args.dur_ns BETWEEN 0 AND {1000 * MAX_TIME}, args.dur_ns, 1000 * {_DUR}),
            if(args.ts_ns BETWEEN 0 AND 999, args.ts_ns, NULL),
            CASE
                WHEN args.bytes IS NOT NULL AND coalesce(args.ret, 0) >= 0 THEN args.bytes
                WHEN args.size > 1 THEN try_cast(args.ret * args.size::HUGEINT AS BIGINT)
                ELSE args.ret
            END,
            args."offset", coalesce(args.count, try_cast(args.flags AS BIGINT)),
            if(args.cause <> '', args.cause || ' ' || coalesce(args.thread, 0), ''),
            coalesce(args.hhash, '#' || source),
            CASE
                WHEN {_IS_METADATA} THEN args.value
                WHEN args.fhash <> '' THEN 'h' || args.fhash
                WHEN args.fname <> '' THEN 'p' || args.fname
                ELSE ''
            END,
            if({_IS_METADATA}, args.name, NULL),
            CASE
                WHEN {_IS_METADATA} AND NOT {_NAMES_A_HASH} OR {_IS_LIFE} THEN to_json(args)
                WHEN {_IS_PROFILE} THEN args.profile
            END
        FROM (
            SELECT *, (MAP {{{numbers}}})[filename] AS source
            FROM read_json(
                [{", ".join(files)}], filename = true, format = 'newline_delimited', columns = {{{columns}}},
                ignore_errors = true, maximum_object_size = {max_object}
            )
        )
    """
