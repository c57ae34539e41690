"""Asks the tables of opened traces for the summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis.reading import schema
from datacrumbs.analysis.reading.catalog import Process, ProcessKey
from datacrumbs.analysis.reading.columns import chunks
from datacrumbs.analysis.reading.completeness import judge
from datacrumbs.analysis.reading.spans import united
from datacrumbs.analysis.reading.trace import Traces
from datacrumbs.analysis.summing.gain import Busy, Spans, gain
from datacrumbs.analysis.summing.gather import QUANTILES, Gathered, of_traces
from datacrumbs.analysis.summing.summary import CategoryRow, FileRow, FunctionRow, Header, ProcessRow, Summary

if TYPE_CHECKING:
    import duckdb


def _words(texts: Iterable[str]) -> str:
    """SQL texts, separated by commas; there is always at least one, which matches nothing."""
    return ", ".join("'" + text.replace("'", "''") + "'" for text in ["", *sorted(texts)])


_TALLY: Final = """
    CREATE TABLE tally AS
    SELECT
        functions.cat, functions.name, threads.process, threads.host, threads.pid, threads.life,
        sums.function, sums.thread, sums.file,
        calls, errors, time, longest, first, last, moved
    FROM tally_of_calls AS sums
    JOIN functions ON functions.id = sums.function
    JOIN threads ON threads.id = sums.thread
    UNION ALL
    SELECT
        cat, name, process, host, pid, life, NULL, NULL, file, sum(calls), sum(errors), sum(ns), max(longest), min(ts),
        max(ts + dur), sum(moved)
    FROM profiles
    GROUP BY cat, name, process, host, pid, life, file
"""
"""One row for each function, thread and file: small, whatever the trace's size, and all tables can be made from it."""

_SUMS: Final = f"""
    sum(calls)::BIGINT AS calls, sum(errors)::BIGINT AS errors, sum(time)::HUGEINT AS time,
    coalesce(sum(moved) FILTER (name IN ({_words(layers.READS)})), 0) AS bytes_read,
    coalesce(sum(moved) FILTER (name IN ({_words(layers.WRITES)})), 0) AS bytes_written,
    coalesce(sum(moved) FILTER (name IN ({_words(layers.COPIES)})), 0) AS bytes_copied
"""

_CATEGORIES: Final = f"SELECT cat, {_SUMS} FROM tally GROUP BY cat ORDER BY time DESC, cat"

_FUNCTIONS: Final = f"""
    WITH spread AS (
        SELECT functions.cat, functions.name, [p50, p99] AS q
        FROM quantiles JOIN functions ON functions.id = function
        WHERE (functions.cat, functions.name) NOT IN (SELECT (cat, name) FROM profiles)
        UNION ALL
        SELECT cat, name, q FROM profiled_spread
    )
    SELECT
        cat, name, {_SUMS}, least(any_value(spread.q[1]), max(longest)), least(any_value(spread.q[2]), max(longest)),
        max(longest)
    FROM tally JOIN spread USING (cat, name)
    GROUP BY cat, name
    ORDER BY time DESC, cat, name
"""

_FILES: Final = f"""
    SELECT any_value(files.path), count(DISTINCT process), {_SUMS}
    FROM tally JOIN files ON files.id = tally.file
    WHERE file <> 0 AND cat IN (SELECT unnest(?))
    GROUP BY file
    ORDER BY time DESC, 1
"""

_PROCESSES: Final = f"""
    SELECT
        any_value(host) AS name_of_host, any_value(pid) AS id, any_value(life) AS number,
        greatest(1, count(DISTINCT thread)), {_SUMS}, process
    FROM tally
    WHERE cat IN (SELECT unnest(?))
    GROUP BY process
    ORDER BY time DESC, name_of_host, id, number
"""

_THREADS: Final = """
    SELECT coalesce(sum(greatest(1, threads)), 0)::BIGINT
    FROM (SELECT count(DISTINCT thread) AS threads FROM tally GROUP BY process)
"""
"""A process of which only profiles are known has one at least."""

_SPAN: Final = f"""
    SELECT min(first), max(last) FROM (
        SELECT first, last FROM tally
        UNION ALL
        SELECT ts, ts + dur FROM records WHERE kind = {schema.KIND_LIFE}
    )
"""


def summarise(traces: Traces | Gathered) -> Summary:
    """The whole summary of opened traces; cutting its tables to the top N is the reporter's work."""
    whole = of_traces(traces) if isinstance(traces, Traces) else traces
    database = whole.database
    database.execute(_TALLY)
    categories = _categories(database)
    chosen = layers.totals((row.category for row in categories), from_kernel=bool(whole.catalog.runs))
    busy = whole.busy(sorted(chosen))
    processes = _processes(database, chosen, whole.catalog.processes, busy)
    files = _files(database, chosen)
    header = _header(whole, [row for row in categories if row.category in chosen], processes, files, busy)
    functions = _functions(whole)
    return Summary(
        header=header,
        completeness=judge(whole),
        categories=tuple(categories),
        functions=tuple(functions),
        files=tuple(files),
        processes=tuple(processes),
        insight=gain(whole, header, functions, processes, busy),
    )


def _categories(database: duckdb.DuckDBPyConnection) -> list[CategoryRow]:
    return [
        CategoryRow(category, layers.layer_of(category), *sums)
        for category, *sums in database.execute(_CATEGORIES).fetchall()
    ]


def _functions(whole: Gathered) -> list[FunctionRow]:
    spread = np.array(whole.quantiles(), np.int64).reshape(-1, len(QUANTILES))
    columns = {"function": np.arange(len(spread)), "p50": spread[:, 0].copy(), "p99": spread[:, 1].copy()}
    whole.database.register("quantiles", columns)
    return [
        FunctionRow(category, name, calls, errors, time, round(time / calls), p50, p99, longest, read, written, copied)
        for category, name, calls, errors, time, read, written, copied, p50, p99, longest in whole.database.execute(
            _FUNCTIONS
        ).fetchall()
    ]


def _files(database: duckdb.DuckDBPyConnection, chosen: frozenset[str]) -> list[FileRow]:
    return [FileRow(*row) for row in database.execute(_FILES, [sorted(chosen)]).fetchall()]


def _processes(
    database: duckdb.DuckDBPyConnection, chosen: frozenset[str], known: Mapping[ProcessKey, Process], busy: Busy
) -> list[ProcessRow]:
    rows = []
    for host, pid, life, threads, calls, errors, time, *moved, number in database.execute(
        _PROCESSES, [sorted(chosen)]
    ).fetchall():
        who = known.get(ProcessKey(host, pid, life), Process())
        spent = time, _length(busy.get(number))
        rows.append(ProcessRow(host, pid, life, who.name, who.command, threads, calls, errors, *spent, *moved))
    return rows


def _length(spans: Spans | None) -> int:
    """What spans that do not overlap, in microseconds, are together, in nanoseconds."""
    if not spans:
        return 0
    begin, end = spans
    return 1000 * sum(int((end[some] - begin[some]).sum()) for some in chunks(len(end)))


def _header(
    traces: Gathered, totals: list[CategoryRow], processes: list[ProcessRow], files: list[FileRow], busy: Busy
) -> Header:
    runs = traces.catalog.runs
    first, last = traces.database.execute(_SPAN).fetchall()[0]
    started, wall = (first, 1000 * (last - first)) if first is not None else (0, 0)
    in_io = sum(row.busy_ns for row in processes)
    io_wall = _length(united(list(busy.values()), traces.room)) if busy else 0
    moved = sum(row.bytes_read + row.bytes_written for row in totals)
    known = traces.catalog.processes.keys() | {row.key for row in processes}
    hosts = {key.host for key in known}
    return Header(
        runs=_distinct(run.run_id for run in runs),
        hosts=tuple(sorted(hosts - {""})) or _distinct(str(run.opening.get("host") or "") for run in runs),
        users=_distinct(str(run.opening.get("user") or "") for run in runs),
        started_us=started,
        wall_ns=wall,
        processes=len(known),
        threads=traces.database.execute(_THREADS).fetchall()[0][0],
        files=len(files),
        calls=sum(row.calls for row in totals),
        total_categories=tuple(sorted(row.category for row in totals)),
        bytes_read=sum(row.bytes_read for row in totals),
        bytes_written=sum(row.bytes_written for row in totals),
        bytes_copied=sum(row.bytes_copied for row in totals),
        io_time_ns=sum(row.time_ns for row in totals),
        io_busy_ns=in_io,
        io_wall_ns=io_wall,
        bytes_per_s_io=_per_second(moved, io_wall),
        bytes_per_s_wall=_per_second(moved, wall),
    )


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _per_second(amount: int, time_ns: int) -> float:
    return amount * 1e9 / time_ns if time_ns else 0.0
