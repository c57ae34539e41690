"""A summary as JSON. The names are those of the fields in summary.py and completeness.py."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final, TextIO

from datacrumbs.analysis.summary import Summary

VERSION: Final = 1
"""Of the form; names are only ever added to it."""
_TABLES: Final = ("categories", "functions", "files", "processes")


def to_json(summary: Summary, *, top: int = 0) -> dict[str, Any]:
    """The summary as plain JSON values, with the first `top` rows of each table; 0: all rows."""
    value = {"version": VERSION, **asdict(summary)}
    facts = summary.completeness
    value["completeness"] |= {"complete": facts.complete, "missing": facts.missing}
    if top:
        for table in _TABLES:
            value[table] = value[table][:top]
    return value


def write(summary: Summary, out: TextIO, *, top: int = 0) -> None:
    """Writes the JSON form; only ASCII, so that no text of a trace can do anything to a terminal."""
    json.dump(to_json(summary, top=top), out, indent=2, ensure_ascii=True)
    out.write("\n")
    out.flush()
