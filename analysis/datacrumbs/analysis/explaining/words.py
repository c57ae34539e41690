"""An explanation in words: each sentence with the numbers that it rests on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from datacrumbs.analysis.explaining.explanation import Afterwards, Cause, Group, Outcome, Share, Spread
from datacrumbs.analysis.units import count, duration, size

_EXPLAINS: Final = 0.1
"""A function's own time is what nothing traced explains: such a part that something does explain goes before it."""
_FACTOR: Final = 2.0
"""Slow calls that take less than this many times as long as typical ones need no explanation."""


def tell(
    spread: Spread, shares: Sequence[Share], groups: tuple[Group, Group], outcomes: tuple[Outcome, Outcome, Outcome],
    afterwards: Sequence[Afterwards],
) -> tuple[Cause, tuple[str, ...]]:  # fmt: skip
    """The cause, and the sentences, of which the first is the cause's text."""
    cause = _cause(spread, shares)
    sentences = [cause.text, *_slow(spread, shares, groups)]
    childless, page_cache, device = outcomes
    if childless.without_calls and childless.with_calls:
        sentences.append(
            f"{_part(childless)} had no traced call inside and took {_mean(childless.with_ns, childless.with_calls)} "
            f"each, the others {_mean(childless.without_ns, childless.without_calls)}."
        )
    sentences += [_with(outcome) for outcome in (page_cache, device) if outcome.known]
    sentences += [
        f"Afterwards, within {duration(row.window_ns)}, the kernel did {row.function} ({row.layer}) "
        f"{_times(row.spans)} on their files, {duration(row.ns)} in all"
        + (f", {size(row.bytes)}" if row.bytes else "")
        + f"; joined by {row.cause}."
        for row in afterwards
    ]
    return cause, tuple(sentences)


def _cause(spread: Spread, shares: Sequence[Share]) -> Cause:
    top = next((row for row in shares if not _is_own(spread, row)), shares[0])
    rest = sum(row.share for row in shares if _is_own(spread, row))
    if top.share < min(_EXPLAINS, rest):
        top = shares[0]
    own = _is_own(spread, top)
    calls = f"{count(spread.calls)} {'call' if spread.calls == 1 else 'calls'} of {spread.function}"
    part = f"{_percent(top.share)} of the {duration(spread.total_ns)} in {calls}"
    if not own:
        how = "was under way at the" if top.caused else "is the time of"
        what = f"{top.layer}: {top.function}" if top.caused else f"{top.function} itself (layer: {top.layer})"
        text = f"{part} {how} {what}, {_times(top.calls)}, {_mean(top.exclusive_ns, top.calls)} each"
        text += f"; {_percent(rest)} is {spread.function}'s own, which no traced call explains." if rest > 0.1 else "."
    elif len(shares) == 1:
        text = f"{part} is its own (layer: {top.layer}): the trace has no call inside it that could tell more."
    else:
        text = f"{part} is its own (layer: {top.layer}), not that of any traced call inside it."
    return Cause(top.layer, top.function, own, top.exclusive_ns, top.share, text)


def _is_own(spread: Spread, row: Share) -> bool:
    return row.function == spread.function and not row.caused


def _slow(spread: Spread, shares: Sequence[Share], groups: tuple[Group, Group]) -> list[str]:
    typical, slow = groups
    if slow.mean_ns < _FACTOR * typical.mean_ns or not slow.mean_ns or spread.calls < 2:
        most = f"half of them take at most {duration(spread.p50_ns)}, 99 % at most {duration(spread.p99_ns)}"
        return [f"The calls are alike: {most}."]
    more = slow.mean_ns - typical.mean_ns
    top = max(shares, key=lambda row: row.slow_excess_ns)
    factor = slow.mean_ns / max(1, typical.mean_ns)
    times = f"{factor:.1f}" if factor < 100 else count(round(factor))
    part = _percent(top.slow_excess_ns / more) if top.slow_excess_ns < more else "all"  # others may have been quicker
    who, each = (f"slowest {count(slow.calls)}", " each") if slow.calls > 1 else ("slowest", "")
    head = f"The {who} took {duration(slow.mean_ns)}{each}, {times} times as long as typical ones"
    why = f"{part} of the difference is {top.function} (layer: {top.layer})"
    return [f"{head} ({duration(typical.mean_ns)}); {why}."]


def _with(outcome: Outcome) -> str:
    if not outcome.with_calls:
        return f"None of the calls had {outcome.what}."
    rest = f", the others {_mean(outcome.without_ns, outcome.without_calls)}" if outcome.without_calls else ""
    return f"{_part(outcome)} had {outcome.what} and took {_mean(outcome.with_ns, outcome.with_calls)} each{rest}."


def _part(outcome: Outcome) -> str:
    total = outcome.with_calls + outcome.without_calls
    return f"{count(outcome.with_calls)} of {count(total)} calls ({_percent(outcome.with_calls / total)})"


def _mean(ns: int, calls: int) -> str:
    return duration(round(ns / max(1, calls)))


def _times(number: int) -> str:
    return "once" if number == 1 else f"{count(number)} times"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 or not share else f"{100 * share:.1f} %"
