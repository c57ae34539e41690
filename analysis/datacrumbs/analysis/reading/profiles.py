"""What profiles add up, as tables. They are made after those of tables.py, and go on with its processes and files.

profiles         cat, name, host, pid (none: calls for which there was no room), life (of the pid, when the
                 row begins), process, file, ts, dur, ns, calls, errors, moved (bytes), longest (ns), spread (JSON:
                 calls by powers of two of their durations)
profiled_spread  cat, name, q: about the median and the 99th percentile of each function that was profiled, from all its
                 calls, the traced ones included: the middle of the power of two that they fall into
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from datacrumbs.analysis.reading import lifetimes, schema

if TYPE_CHECKING:
    import duckdb

MAX_COUNT: Final = 1 << 53
"""Numbers above this are a mistake: sums of them could overflow."""


def _number(name: str) -> str:
    number = f"try_cast(note->>'$.{name}' AS BIGINT)"
    return f"if({number} BETWEEN 0 AND {MAX_COUNT}, {number}, 0)"


_PROFILES: Final = f"""
    INSERT INTO profiles BY NAME
    WITH rows AS (
        SELECT
            cat, name, coalesce(hosts.text, '') AS host, if(note->>'$.overflow' IS NULL, pid, NULL) AS pid,
            {lifetimes.life_of("records")} AS life,
            if(file = '', '', coalesce(paths.text, file)) AS path, ts, dur, ns, {_number("calls")} AS calls,
            {_number("errors")} AS errors, {_number("bytes")} AS moved, {_number("max_ns")} AS longest,
            note->'$.log2_ns' AS spread
        FROM records
        LEFT JOIN names AS hosts ON hosts.kind = 'HH' AND hosts.key = records.host
        LEFT JOIN names AS paths ON paths.kind = 'FH' AND 'h' || paths.key = records.file
        WHERE records.kind = {schema.KIND_PROFILE}
    ),
    processes AS (
        SELECT
            host, pid, life,
            coalesce(
                min(process),
                (SELECT coalesce(max(process), 0) FROM threads) + dense_rank() OVER (ORDER BY host, pid, life)
            ) AS process
        FROM (SELECT DISTINCT host, pid, life FROM rows) LEFT JOIN threads USING (host, pid, life)
        GROUP BY host, pid, life
    ),
    places AS (
        SELECT
            path,
            coalesce(min(id), (SELECT coalesce(max(id), 0) FROM files) + dense_rank() OVER (ORDER BY path)) AS file
        FROM (SELECT DISTINCT path FROM rows WHERE path <> '') LEFT JOIN files USING (path)
        GROUP BY path
    )
    SELECT rows.* EXCLUDE path, rows.path, process, coalesce(file, 0) AS file
    FROM rows
    JOIN processes
        ON processes.host = rows.host AND processes.pid IS NOT DISTINCT FROM rows.pid AND processes.life = rows.life
    LEFT JOIN places USING (path)
"""

_MORE_FILES: Final = """
    INSERT INTO files
    SELECT DISTINCT file, path FROM profiles WHERE file <> 0 AND file NOT IN (SELECT id FROM files)
"""

_SPREAD: Final = f"""
    INSERT INTO profiled_spread
    WITH buckets AS (
        SELECT cat, name, bucket, sum(calls) AS calls
        FROM (
            SELECT
                cat, name, try_cast(power AS INTEGER) AS bucket,
                try_cast(json_extract_string(spread, '$."' || power || '"') AS BIGINT) AS calls
            FROM (SELECT cat, name, spread, unnest(json_keys(spread)) AS power FROM profiles)
            UNION ALL
            SELECT functions.cat, functions.name, power, calls
            FROM powers JOIN functions ON functions.id = function
            WHERE (functions.cat, functions.name) IN (SELECT (cat, name) FROM profiles)
        )
        WHERE bucket BETWEEN 0 AND 62 AND calls BETWEEN 1 AND {MAX_COUNT}
        GROUP BY ALL
    )
    SELECT cat, name, [min(value) FILTER (reached >= 0.5 * total), min(value) FILTER (reached >= 0.99 * total)] AS q
    FROM (
        SELECT
            cat, name, (power(2, bucket) * 1.5)::BIGINT AS value, sum(calls) OVER (PARTITION BY cat, name) AS total,
            sum(calls) OVER (PARTITION BY cat, name ORDER BY bucket) AS reached
        FROM buckets
    )
    GROUP BY cat, name
"""


def make(database: duckdb.DuckDBPyConnection) -> None:
    """Fills the tables; nobody need ask for it where there is no record of this kind.

    There is a table or view `powers`: how many calls of a function have durations of 2^power nanoseconds and more.
    """
    database.execute(_PROFILES)
    database.execute(_MORE_FILES)
    database.execute(_SPREAD)
