"""Answers as JSON. The names are those of the fields of the dataclasses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, TextIO

from datacrumbs.analysis.summing.findings import Finding
from datacrumbs.analysis.summing.summary import Summary

VERSION: Final = 1
"""Of the form; names are only ever added to it."""
_TABLES: Final = ("categories", "functions", "files", "processes")


def to_json(summary: Summary, *, top: int = 0) -> dict[str, Any]:
    """The summary as plain JSON values, with the first `top` rows of each table; 0: all rows."""
    value = plain(summary)
    if top:
        for table in _TABLES:
            value[table] = value[table][:top]
    return value


def plain(answer: Any) -> dict[str, Any]:
    """Any answer as plain JSON values; where it has a completeness, with the verdict."""
    value = {"version": VERSION, **asdict(answer)}
    facts = getattr(answer, "completeness", None)
    if facts is not None:
        value["completeness"] |= {"complete": facts.complete, "missing": facts.missing}
    return value


def write_plain(answer: Any, out: TextIO) -> None:
    """Writes the JSON form of any answer; only ASCII."""
    _dump(plain(answer), out)


def write(summary: Summary, out: TextIO, *, top: int = 0, findings: Sequence[Finding] = ()) -> None:
    """Writes the JSON form; only ASCII, so that no text of a trace can do anything to a terminal."""
    _dump(to_json(summary, top=top) | {"findings": [asdict(finding) for finding in findings]}, out)


def _dump(value: dict[str, Any], out: TextIO) -> None:
    json.dump(value, out, indent=2, ensure_ascii=True)
    out.write("\n")
    out.flush()
