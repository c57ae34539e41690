"""What files were used for, and where they lie: by use over the whole run, by place in each slice of time.

    report_uses     file, place, use, processes, got, put, time    each file on which calls are that the totals count
    report_places   rank, place, files                             those with the most time first

A place is a folder at the root, which on most systems is a file system of its own; what has no path is of its kind,
such as "pipe". Places beyond the limit have the number of the last one, which stands for all the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import duckdb
from datacrumbs.analysis import layers
from datacrumbs.analysis.report.codes import Codes
from datacrumbs.analysis.summing.patterns import FilePattern

USES: Final = ("read", "written", "both", "neither")
"""Whether bytes of a file were read, written, both, or neither: then it was opened or looked at."""
MOST_PLACES: Final = 11


def _words(texts: Iterable[str]) -> str:
    return ", ".join(f"'{text}'" for text in sorted(texts))


_USES: Final = f"""
    CREATE TABLE report_uses AS
    SELECT *, CASE WHEN got > 0 AND put > 0 THEN 'both' WHEN got > 0 THEN 'read' WHEN put > 0 THEN 'written'
        ELSE 'neither' END AS use
    FROM (
        SELECT
            file, count(DISTINCT process) AS processes, sum(time) AS time,
            CASE WHEN any_value(path) LIKE '/%' THEN regexp_extract(any_value(path), '^/[^/]*')
                ELSE split_part(any_value(path), ':', 1) END AS place,
            coalesce(sum(moved) FILTER (name IN ({_words(layers.READS)})), 0) AS got,
            coalesce(sum(moved) FILTER (name IN ({_words(layers.WRITES)})), 0) AS put
        FROM tally JOIN files ON files.id = tally.file
        WHERE file > 0 AND cat IN (SELECT unnest(?))
        GROUP BY file
    )
"""

_PLACES: Final = f"""
    CREATE TABLE report_places AS
    SELECT least(row_number() OVER (ORDER BY sum(time) DESC, place) - 1, {MOST_PLACES}) AS rank, place,
        count(*) AS files
    FROM report_uses
    GROUP BY place
"""


def tell(database: duckdb.DuckDBPyConnection, categories: Iterable[str]) -> None:
    """Makes the tables above, once, from the table `tally`. `categories`: those that the totals count."""
    database.execute(_USES, [sorted(categories)])
    database.execute(_PLACES)


def files(database: duckdb.DuckDBPyConnection, most: int) -> list[dict[str, Any]]:
    """The numbers of the first files, and how many processes used each; without those of no call that counts."""
    rows = database.execute("""
        SELECT code::BIGINT, processes FROM report_files JOIN report_uses ON report_uses.file = report_files.id
        WHERE code < ? ORDER BY code
    """, [most]).fetchall()  # fmt: skip
    return [{"file": code, "processes": processes} for code, processes in rows]


def uses(database: duckdb.DuckDBPyConnection, patterns: Mapping[int, FilePattern]) -> list[dict[str, Any]]:
    """A row for each of `USES` that there is.

    Args:
        database: with the tables above.
        patterns: of the files whose size is to be told, by their rows in the table `files`.
    """
    rows = database.execute("""
        SELECT use, count(*), count(*) FILTER (processes > 1), sum(got)::HUGEINT, sum(put)::HUGEINT
        FROM report_uses GROUP BY use
    """).fetchall()
    ends: dict[str, list[int]] = {}
    for file, use in database.execute("SELECT file, use FROM report_uses").fetchall():
        if file in patterns:
            ends.setdefault(use, []).append(patterns[file].extent)
    return [
        {"use": use, "files": files, "shared": shared, "read": int(got), "written": int(put),
         "sized": len(ends.get(use, [])), "size_sum": sum(ends.get(use, [])), "size_max": max(ends.get(use, [0]))}
        for use, files, shared, got, put in sorted(rows, key=lambda row: USES.index(row[0]))
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Places:
    """`names` of places, "" for all beyond the limit; how many `files` each has; `of`: the place of each file that has
    a number, a row of `names`.
    """

    names: tuple[str, ...]
    files: tuple[int, ...]
    of: tuple[int | None, ...]
    """None: no call on it is one that the totals count."""


def places(database: duckdb.DuckDBPyConnection, codes: Codes) -> Places:
    """The places of all files. `database`: with the tables above."""
    known = database.execute("""
        SELECT if(rank = ?, '', any_value(place)), sum(files)::BIGINT FROM report_places GROUP BY rank ORDER BY rank
    """, [MOST_PLACES]).fetchall()  # fmt: skip
    rank_of = dict(database.execute("""
        SELECT id, rank FROM report_files JOIN report_uses ON report_uses.file = report_files.id
        JOIN report_places USING (place)
    """).fetchall())  # fmt: skip
    return Places(
        tuple(name for name, _ in known), tuple(files for _, files in known),
        tuple(rank_of.get(id_) for id_ in codes.file_ids),
    )  # fmt: skip
