"""A comparison as sentences and a table."""

from __future__ import annotations

from typing import Final, TextIO

from datacrumbs.analysis.comparing.comparison import Comparison, Side
from datacrumbs.analysis.reporters.tables import Column, Sheet, number, write_to
from datacrumbs.analysis.units import count, duration

_CHANGES: Final = (
    Column("function", lambda row: row.function + (" (elsewhere)" if row.caused else ""), name=True),
    Column("layer", lambda row: row.layer, name=True),
    Column("change", lambda row: _signed(row.delta_ns)),
    Column("part", lambda row: f"{100 * row.contribution:.1f} %"),
    Column("of calls", lambda row: _signed(row.from_calls_ns)),
    Column("of duration", lambda row: _signed(row.from_duration_ns)),
    Column("calls in a", lambda row: _calls(row.a_calls)),
    Column("in b", lambda row: _calls(row.b_calls)),
    Column("mean in a", lambda row: number(row.a_mean_ns, duration)),
    Column("in b", lambda row: number(row.b_mean_ns, duration)),
    Column("p", lambda row: "-" if row.p is None else f"{row.p:.2g}", optional=True),
)


def write(answer: Comparison, out: TextIO, *, top: int) -> None:
    """Writes the comparison with its first `top` rows (0: all)."""
    write_to(out, lambda sheet: _write(sheet, answer, top))


def _write(sheet: Sheet, answer: Comparison, top: int) -> None:
    first, *others = answer.sentences
    sheet.text(first, "bold")
    for sentence in others:
        sheet.text(sentence)
    sheet.text()
    sheet.line("a", _side(answer.a))
    sheet.line("b", _side(answer.b))
    sheet.table("What changed, in own time", _CHANGES, answer.changes, top)


def _side(side: Side) -> str:
    return f"{side.name}: {count(side.calls)} outermost calls, {duration(side.total_ns)}, {duration(side.mean_ns)} each"


def _signed(ns: int) -> str:
    return f"+{duration(ns)}" if ns > 0 else f"-{duration(-ns)}" if ns else "-"


def _calls(amount: float) -> str:
    return "-" if not amount else count(round(amount)) if amount == round(amount) else f"{amount:.2f}"
