"""What profiles say of a function's calls: sums by file, process and interval, and how long calls took.

Calls that were added up in the kernel (docs/profile.md) are in no column: nothing is known of any one of them, nor of
what was inside them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from datacrumbs.analysis.explaining.explanation import (
    AddedUp,
    AddedUpPart,
    Cause,
    Explanation,
    Group,
    LayerShare,
    Outcome,
    Share,
    Spread,
)
from datacrumbs.analysis.explaining.parted import Parted
from datacrumbs.analysis.explaining.selection import Matcher, Selection, is_process
from datacrumbs.analysis.layers import layer_of
from datacrumbs.analysis.reading.catalog import ProcessKey
from datacrumbs.analysis.reading.completeness import judge
from datacrumbs.analysis.units import count, duration, size

_PARTS: Final = 5
"""Files, processes and intervals that are listed."""


@dataclass(frozen=True, slots=True)
class Row:
    """Calls of one process, function, file and interval."""

    category: str
    function: str
    who: ProcessKey
    path: str
    start_us: int
    ns: int
    calls: int
    errors: int
    bytes: int
    longest_ns: int
    spread: str
    """JSON: calls by powers of two of their nanoseconds."""


def rows(traces: Parted, function: str, which: Selection) -> list[Row]:
    """The rows of a function (empty: of all), as far as a selection goes.

    An interval belongs to the time in which its first call began. Calls for which there was no room have neither
    process nor file, and are in no selection by these.
    """
    found = traces.database.execute(
        "SELECT cat, name, host, pid, life, path, ts, ns, calls, errors, moved, longest, coalesce(spread, '{}')"
        " FROM profiles WHERE (? = '' OR name = ?) AND calls > 0 ORDER BY rowid",
        [function, function],
    ).fetchall()
    made = [
        Row(category, name, ProcessKey(host, pid, life), path, start, int(ns), int(calls), int(errors), int(moved),
            int(longest), spread)
        for category, name, host, pid, life, path, start, ns, calls, errors, moved, longest, spread in found
    ]  # fmt: skip
    if which.all:
        return made
    matches, first = Matcher(which.file), traces.first_us
    begin, end = which.time or (0.0, float("inf"))
    return [
        row
        for row in made
        if (not which.file or (row.path and matches(row.path)))
        and is_process(traces, which, row.who)
        and begin * 1e6 <= row.start_us - first < end * 1e6
    ]


def powers(spread: str | None) -> Iterator[tuple[int, int]]:
    """Powers of two of nanoseconds, from 0 to 62, and how many calls took so long; whatever the text is."""
    try:
        found = json.loads(spread or "{}")
    except (ValueError, RecursionError):
        return
    for power, number in found.items() if isinstance(found, dict) else ():
        if re.fullmatch("[0-9]{1,2}", power) and isinstance(number, int) and 0 < number < 1 << 53:
            yield min(int(power), 62), number


def add_up(found: Sequence[Row]) -> AddedUp | None:
    """The rows' sums; None where there are none."""
    calls = sum(row.calls for row in found)
    if not calls:
        return None
    spread: Counter[int] = Counter()
    for row in found:
        for power, number in powers(row.spread):
            spread[power] += number
    longest = max(row.longest_ns for row in found)
    return AddedUp(
        calls=calls,
        errors=sum(row.errors for row in found),
        total_ns=sum(row.ns for row in found),
        mean_ns=round(sum(row.ns for row in found) / calls),
        p50_ns=min(_quantile(spread, 0.5), longest),
        p99_ns=min(_quantile(spread, 0.99), longest),
        max_ns=longest,
        bytes=sum(row.bytes for row in found),
        log2_ns={str(power): spread[power] for power in sorted(spread)},
        processes=len({row.who for row in found}),
        files=len({row.path for row in found} - {""}),
        by_file=_parts((row.path, row) for row in found if row.path),
        by_process=_parts((f"{row.who.id} on {row.who.host}", row) for row in found if row.who.pid is not None),
        by_second=_parts((str(row.start_us // 1_000_000), row) for row in found),
    )


def _quantile(spread: Counter[int], part: float) -> int:
    """About: the middle of the power of two that it falls into."""
    reached, total = 0, sum(spread.values())
    for power in sorted(spread):
        reached += spread[power]
        if reached >= part * total:
            return 3 * (1 << power) // 2
    return 0


def _parts(named: Iterable[tuple[str, Row]]) -> tuple[AddedUpPart, ...]:
    sums: dict[str, list[int]] = {}
    for name, row in named:
        total = sums.setdefault(name, [0, 0, 0])
        total[0] += row.calls
        total[1] += row.ns
        total[2] += row.bytes
    ordered = sorted(sums.items(), key=lambda item: (-item[1][1], item[0]))
    return tuple(AddedUpPart(name, *total) for name, total in ordered[:_PARTS])


def beside(function: str, added: AddedUp) -> str:
    """A sentence on calls that were added up where others were traced."""
    return (
        f"{count(added.calls)} more calls of {function} were only added up: {duration(added.total_ns)} in all, "
        f"{duration(added.mean_ns)} each; all else here is of the traced ones."
    )


def explain(traces: Parted, function: str, found: Sequence[Row], added: AddedUp) -> Explanation:
    """What can be said of a function none of whose calls was traced one by one."""
    category = max(found, key=lambda row: (row.ns, row.category)).category
    layer = layer_of(category)
    text = (
        f"{duration(added.total_ns)} in {count(added.calls)} calls of {function} (layer: {layer}), "
        f"{duration(added.mean_ns)} each: they were only added up (mode: profile), so what inside them took the time "
        "is not known."
    )
    nothing = Outcome("", False, 0, 0, added.calls, added.total_ns)
    group = Group(0, 0, 0, 0)
    least = min((1 << int(power) for power in added.log2_ns), default=0)
    quartiles = [_quantile(Counter({int(p): n for p, n in added.log2_ns.items()}), part) for part in (0.25, 0.75)]
    spread = Spread(
        function, layer, added.calls, 0, added.total_ns, added.mean_ns, least, min(quartiles[0], added.max_ns),
        added.p50_ns, min(quartiles[1], added.max_ns), added.p99_ns, added.max_ns, added.processes, 0, added.files,
        added.bytes,
    )  # fmt: skip
    share = Share(layer, category, function, False, added.calls, added.total_ns, added.total_ns, 1.0, 0)
    return Explanation(
        cause=Cause(layer, function, True, added.total_ns, 1.0, text),
        sentences=(text, *_sentences(added, traces.first_us)), spread=spread,
        layers=(LayerShare(layer, added.total_ns, 1.0),), functions=(share,), typical=group, slow=group, tree=(),
        childless=nothing, page_cache=nothing, device=nothing, afterwards=(), slowest=(), added_up=added,
        completeness=judge(traces),
    )  # fmt: skip


def _sentences(added: AddedUp, first_us: int) -> list[str]:
    half, most = duration(added.p50_ns), duration(added.p99_ns)
    lines = [f"Half of them took up to about {half}, 99 % up to about {most}, the longest {duration(added.max_ns)}."]
    if added.errors:
        lines.append(f"{count(added.errors)} of them failed.")
    if added.by_file and added.files > 1:
        lines.append(f"{_most(added.by_file[0], added)} on {added.by_file[0].name}, one of {count(added.files)} files.")
    if added.by_process and added.processes > 1:
        lines.append(f"{_most(added.by_process[0], added)} in process {added.by_process[0].name}.")
    top = added.by_second[0]
    since = int(top.name) - first_us // 1_000_000
    if len(added.by_second) > 1:
        lines.append(f"{_most(top, added)} in the intervals that begin in second {since} of the run.")
    return lines


def _most(part: AddedUpPart, added: AddedUp) -> str:
    moved = f", {size(part.bytes)}" if part.bytes else ""
    share = 100 * part.ns / max(1, added.total_ns)
    return f"{share:.0f} % of the time ({count(part.calls)} calls{moved}) is"
