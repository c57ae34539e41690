"""An explanation as sentences and tables."""

from __future__ import annotations

from typing import Final, TextIO

from datacrumbs.analysis.explaining.explanation import Explanation, TreeRow
from datacrumbs.analysis.reporters.tables import Column, Sheet, number, write_to
from datacrumbs.analysis.units import count, duration, moment, size

_LAYERS: Final = (
    Column("layer", lambda row: row.layer, name=True),
    Column("own time", lambda row: duration(row.exclusive_ns)),
    Column("share", lambda row: f"{100 * row.share:.1f} %"),
)
_FUNCTIONS: Final = (
    Column("function", lambda row: row.function + (" (elsewhere)" if row.caused else ""), name=True),
    Column("layer", lambda row: row.layer, name=True),
    Column("calls", lambda row: count(row.calls)),
    Column("with inner", lambda row: duration(row.inclusive_ns)),
    Column("own time", lambda row: duration(row.exclusive_ns)),
    Column("share", lambda row: f"{100 * row.share:.1f} %"),
    Column("more when slow", lambda row: _signed(row.slow_excess_ns)),
)
_TREE: Final = (
    Column("per call", lambda row: "  " * row.depth + row.function + (" (elsewhere)" if row.caused else ""), name=True),
    Column("layer", lambda row: row.layer, name=True),
    Column("typical: calls", lambda row: _calls(row.typical_calls)),
    Column("time", lambda row: number(row.typical_ns, duration)),
    Column("own", lambda row: number(row.typical_exclusive_ns, duration)),
    Column("slow: calls", lambda row: _calls(row.slow_calls)),
    Column("time", lambda row: number(row.slow_ns, duration)),
    Column("own", lambda row: number(row.slow_exclusive_ns, duration)),
)
_SLOWEST: Final = (
    Column("time", lambda row: duration(row.ns)),
    Column("began", lambda row: f"{moment(row.start_us)[11:19]}.{row.start_us % 1_000_000:06}"),
    Column("pid", lambda row: "" if row.pid is None else str(row.pid)),
    Column("tid", lambda row: "" if row.tid is None else str(row.tid)),
    Column("result", lambda row: "-" if row.ret is None else str(row.ret)),
    Column("mostly", lambda row: _mostly(row.layers), name=True),
    Column("file", lambda row: row.path, name=True),
)
_PARTS: Final = (
    Column("calls", lambda row: count(row.calls)),
    Column("time", lambda row: duration(row.ns)),
    Column("bytes", lambda row: size(row.bytes) if row.bytes else "-"),
    Column("", lambda row: row.name, name=True),
)
_DURATIONS: Final = (
    Column("from", lambda row: duration(1 << int(row[0]) if int(row[0]) else 0)),
    Column("to below", lambda row: duration(2 << int(row[0]))),
    Column("calls", lambda row: count(row[1])),
)
_ROWS: Final = 40


def write(answer: Explanation, out: TextIO) -> None:
    """Writes the explanation; a terminal gets lines and colours."""
    write_to(out, lambda sheet: _write(sheet, answer))


def _write(sheet: Sheet, answer: Explanation) -> None:
    first, *others = answer.sentences
    sheet.text(first, "bold")
    for sentence in others:
        sheet.text(sentence)
    spread = answer.spread
    sheet.text()
    calls = f"{count(spread.calls)} in {count(spread.processes)} processes, {count(spread.files)} files"
    sheet.line("calls", calls + (f", {size(spread.bytes)}" if spread.bytes else ""))
    times = f"p25 {duration(spread.p25_ns)}, p50 {duration(spread.p50_ns)}, p75 {duration(spread.p75_ns)}"
    sheet.line(
        "durations",
        f"{duration(spread.min_ns)} to {duration(spread.max_ns)}, {times}, p99 {duration(spread.p99_ns)}",
    )  # fmt: skip
    if not answer.completeness.complete:
        sheet.line("complete", "not known to be: see the summary", "yellow")
    sheet.table("By layer", _LAYERS, answer.layers, 0)
    sheet.table("By function", _FUNCTIONS, answer.functions, _ROWS)
    if len(answer.tree) > 1:
        title = f"Typical ({count(answer.typical.calls)} calls) and slow ({count(answer.slow.calls)} calls)"
        sheet.table(title, _TREE, _important(answer.tree), _ROWS)
    if answer.added_up:
        for title, rows in (("file", answer.added_up.by_file), ("process", answer.added_up.by_process)):
            sheet.table(f"Added up, by {title}", _PARTS, rows, 0)
        sheet.table("Added up, by duration", _DURATIONS, tuple(answer.added_up.log2_ns.items()), 0)
    sheet.table("Slowest calls", _SLOWEST, answer.slowest, 0)


def _important(rows: tuple[TreeRow, ...]) -> list[TreeRow]:
    """Without functions that take less than a thousandth of a call; what is above a shown one takes more than it."""
    least = max(rows[0].typical_ns, rows[0].slow_ns) / 1000
    return [row for row in rows if max(row.typical_ns, row.slow_ns) >= least]


def _signed(ns: int) -> str:
    return f"+{duration(ns)}" if ns > 0 else f"-{duration(-ns)}" if ns else "-"


def _calls(number_of: float) -> str:
    return "-" if not number_of else f"{number_of:.1f}".removesuffix(".0")


def _mostly(by_layer: dict[str, int]) -> str:
    if not by_layer:
        return "-"
    layer = max(by_layer, key=lambda one: by_layer[one])
    return f"{100 * by_layer[layer] / max(1, sum(by_layer.values())):.0f} % {layer}"
