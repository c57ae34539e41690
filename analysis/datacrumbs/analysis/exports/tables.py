"""Parquet, and CSV with the counters of Darshan."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from datacrumbs.analysis import layers
from datacrumbs.analysis.exports.copy import copy
from datacrumbs.analysis.reading.trace import Traces


def parquet(traces: Traces, path: Path) -> None:
    """The view `calls`, a row for each call."""
    copy(traces.database, "SELECT * FROM calls", path, "FORMAT parquet, COMPRESSION zstd")


def _words(texts: Iterable[str]) -> str:
    return ", ".join(f"'{text}'" for text in sorted(texts))


_READS: Final = f"functions.name IN ({_words(layers.READS)})"
_WRITES: Final = f"functions.name IN ({_words(layers.WRITES)})"
_SIZES: Final = (
    (0, 100, "0_100"), (100, 1 << 10, "100_1K"), (1 << 10, 10 << 10, "1K_10K"), (10 << 10, 100 << 10, "10K_100K"),
    (100 << 10, 1 << 20, "100K_1M"), (1 << 20, 4 << 20, "1M_4M"), (4 << 20, 10 << 20, "4M_10M"),
    (10 << 20, 100 << 20, "10M_100M"), (100 << 20, 1 << 30, "100M_1G"), (1 << 30, 1 << 62, "1G_PLUS"),
)  # fmt: skip
"""Darshan's classes of sizes (darshan-util, "POSIX_SIZE_READ_*")."""

_COUNTERS: Final[dict[str, str]] = {
    "POSIX_OPENS": "count(*) FILTER (functions.name IN ('open', 'open64', 'openat', 'creat', 'creat64') AND ret >= 0)",
    "POSIX_READS": f"count(*) FILTER ({_READS} AND ret >= 0)",
    "POSIX_WRITES": f"count(*) FILTER ({_WRITES} AND ret >= 0)",
    "POSIX_SEEKS": "count(*) FILTER (functions.name IN ('lseek', 'lseek64'))",
    "POSIX_STATS": "count(*) FILTER (functions.name IN ('stat', 'fstat', 'lstat', 'statx'))",
    "POSIX_FSYNCS": "count(*) FILTER (functions.name = 'fsync')",
    "POSIX_FDSYNCS": "count(*) FILTER (functions.name = 'fdatasync')",
    "POSIX_BYTES_READ": f"coalesce(sum(ret) FILTER ({_READS} AND ret > 0), 0)",
    "POSIX_BYTES_WRITTEN": f"coalesce(sum(ret) FILTER ({_WRITES} AND ret > 0), 0)",
    **{
        f"POSIX_SIZE_{kind}_{name}": f"count(*) FILTER ({test} AND ret >= {low} AND ret < {high})"
        for kind, test in (("READ", _READS), ("WRITE", _WRITES))
        for low, high, name in _SIZES
    },
    "POSIX_F_READ_TIME": f"coalesce(sum(ns) FILTER ({_READS}), 0) / 1e9",
    "POSIX_F_WRITE_TIME": f"coalesce(sum(ns) FILTER ({_WRITES}), 0) / 1e9",
    "POSIX_F_META_TIME": f"coalesce(sum(ns) FILTER (NOT {_READS} AND NOT {_WRITES}), 0) / 1e9",
}


def darshan(traces: Traces, path: Path) -> None:
    """A line for each counter of each process and file, with the columns of darshan-parser.

    The rank is the number of the process, in the order in which the trace has them.
    """
    names, values = _words_in_order(_COUNTERS), ", ".join(f"({value})::DOUBLE" for value in _COUNTERS.values())
    query = f"""
        SELECT
            'POSIX' AS module, process AS rank, hash(path) AS "record id", counter,
            if(value = round(value), printf('%d', value::BIGINT), printf('%.9f', value)) AS value, path AS "file name"
        FROM (
            SELECT process, path, unnest([{names}]) AS counter, unnest([{values}]) AS value
            FROM (SELECT threads.process, files.path, functions.name, ret, ns
                  FROM raw_calls
                  JOIN functions ON functions.id = function
                  JOIN threads ON threads.id = thread
                  JOIN files ON files.id = file
                  WHERE file <> 0 AND layer = 'system calls') AS functions
            GROUP BY process, path
        )
        ORDER BY rank, "file name", counter
    """
    copy(traces.database, query, path, 'FORMAT csv, HEADER true, FORCE_QUOTE ("file name")')


def _words_in_order(texts: Iterable[str]) -> str:
    return ", ".join(f"'{text}'" for text in texts)
