"""Typical and slow calls of a function, wherever its calls are: quartiles and the N slowest, exactly.

It takes two questions. The first is how many calls there are in each of many narrow ranges of durations; then, only the
calls in those ranges are asked for that a quartile, or the shortest of the slowest, falls into.

Which calls are the slowest N is decided so: longer ones first; of equally long ones those that begin first; of these by
their threads (host, process, thread), and in the order of the sweep (nest.py). A third question tells which these are
where not all that are as long as the shortest of the slowest are among them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from datacrumbs.analysis.explaining.parted import Ask
from datacrumbs.analysis.explaining.partition import Chosen, Partition, pieces
from datacrumbs.analysis.explaining.sums import exact_sum
from datacrumbs.analysis.reading.columns import Column, Thread
from datacrumbs.analysis.reading.spans import spans

_BITS: Final = 10
"""Ranges are this many bits of a duration wide: 1/1024 of it."""
_FIRST: Final = (1023 << _BITS) - 1
_RANGES: Final = (64 << _BITS) + 2
_FOREVER: Final = (1 << 63) - 1
_ALL: Final = 1 << 32
"""Behind every place in a sweep."""


@dataclass(frozen=True, slots=True)
class Between:
    """Calls of these durations, both included."""

    low_ns: int
    high_ns: int


@dataclass(frozen=True, slots=True)
class Slowest:
    """All calls longer than a duration, and some of those that are as long."""

    ns: int
    begin_ns: int
    """Of those, the ones that begin before this moment."""
    whole: frozenset[Thread] = frozenset()
    """And those of these threads that begin at it."""
    thread: Thread | None = None
    number: int = 0
    """And so many of this thread, which begin at it."""


@dataclass(frozen=True, slots=True)
class Look:
    """How many calls were chosen, their time, and how many there are in each range of durations."""

    calls: int
    nested: int
    total_ns: int
    ranges: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Ranks:
    """What tells typical calls from slow ones. `listed`: those that are shown one by one."""

    p25_ns: int
    p50_ns: int
    p75_ns: int
    p99_ns: int
    slow: Slowest
    listed: Slowest

    @property
    def typical(self) -> Between:
        """From the first quartile to the median."""
        return Between(self.p25_ns, self.p50_ns)


def look(partition: Partition, chosen: Chosen) -> Look:
    """Counts the calls by their durations."""
    ranges, total = np.zeros(_RANGES, np.int64), 0
    for roots in pieces(partition, chosen.roots):
        times = durations(partition, roots)
        total += exact_sum(times)
        ranges += np.bincount(_range_of(times), minlength=_RANGES)
    used = np.flatnonzero(ranges)
    counts = dict(zip(used.tolist(), ranges[used].tolist(), strict=True))
    return Look(len(chosen.roots), chosen.nested, total, counts)


def merge(looks: Sequence[Look]) -> Look:
    """All of them as one."""
    ranges: dict[int, int] = {}
    for one in looks:
        for number, calls in one.ranges.items():
            ranges[number] = ranges.get(number, 0) + calls
    return Look(
        sum(one.calls for one in looks), sum(one.nested for one in looks), sum(one.total_ns for one in looks), ranges
    )


def durations(partition: Partition, roots: Column) -> Column:
    """Of calls, given as places in the sweep."""
    times: Column = partition.calls.ns[partition.nest.order[roots]]
    return times


def _range_of(times: Column) -> Column:
    """A number that is the higher the longer a duration is: the first bits of the floating-point number."""
    first: Column = (times.astype(np.float64).view(np.int64) >> (52 - _BITS)) - _FIRST
    return np.maximum(first, 0)


Durations = tuple[Column, Column]
"""Different ones, sorted, and the calls that took so long."""


def within(partition: Partition, chosen: Chosen, wanted: Sequence[int]) -> list[Durations]:
    """The durations of calls in each of some ranges."""
    is_wanted = np.zeros(_RANGES, bool)
    is_wanted[list(wanted)] = True
    found: dict[int, list[Durations]] = {number: [] for number in wanted}
    for roots in pieces(partition, chosen.roots):
        times = durations(partition, roots)
        times = times[is_wanted[_range_of(times)]]
        ranges = _range_of(times)
        for number, those in found.items():
            those.append(np.unique(times[ranges == number], return_counts=True))
    return [_together(found[number]) for number in wanted]


def _together(parts: Sequence[Durations]) -> Durations:
    empty = np.empty(0, np.int64)
    times, calls = (np.concatenate(columns) for columns in zip((empty, empty), *parts, strict=True))
    different, which = np.unique(times, return_inverse=True)
    return different, np.bincount(which, weights=calls, minlength=len(different)).astype(np.int64)


def rank(ask: Ask, looked: Look, hosts: Mapping[str, str], slow: int, listed: int) -> Ranks:
    """Finds the quartiles and the slowest.

    Args:
        ask: asks where the calls are.
        looked: what all of them answered to `look`; there is at least one call.
        hosts: the names behind hashes of hosts.
        slow: how many calls are slow.
        listed: how many are shown.
    """
    at = [int((looked.calls - 1) * part) for part in (0.25, 0.5, 0.75, 0.99)]
    at += [max(0, looked.calls - number) for number in (slow, listed)]
    ranges = sorted(looked.ranges)
    ends = np.cumsum([looked.ranges[number] for number in ranges])
    places = np.searchsorted(ends, at, side="right").tolist()
    wanted = sorted({ranges[place] for place in places})
    answers = dict(zip(wanted, map(_together, zip(*ask(within, wanted), strict=True)), strict=True))
    values, left = [], []
    for rank, place in zip(at, places, strict=True):
        times, calls = answers[ranges[place]]
        reached = int(ends[place]) - int(calls.sum()) + np.cumsum(calls)
        index = int(np.searchsorted(reached, rank, side="right"))
        values.append(int(times[index]))
        left.append((int(reached[index]) - rank, int(calls[index])))
    p25, p50, p75, p99, of_slow, of_listed = values
    return Ranks(p25, p50, p75, p99, _slowest(ask, hosts, of_slow, left[4]), _slowest(ask, hosts, of_listed, left[5]))


def _slowest(ask: Ask, hosts: Mapping[str, str], ns: int, number_of: tuple[int, int]) -> Slowest:
    """Those longer than `ns`, and some of those that are as long: how many, and of how many."""
    number, total = number_of
    if number == total:
        return Slowest(ns, _FOREVER)
    answers = ask(earliest, ns, number)
    begins = np.concatenate([begin for begin, _, _ in answers])
    moment = int(np.partition(begins, number - 1)[number - 1])
    number -= int((begins < moment).sum())
    ties: dict[Thread, int] = {}
    for begin, thread, threads in answers:
        for one, calls in zip(*np.unique(thread[begin == moment], return_counts=True), strict=True):
            ties[threads[one]] = int(calls)
    whole: set[Thread] = set()
    for one in sorted(ties, key=lambda one: place_of(one, hosts)):
        if number <= ties[one]:
            return Slowest(ns, moment, frozenset(whole), one, number)
        whole.add(one)
        number -= ties[one]
    raise AssertionError("the moment was chosen so that there are enough")


def earliest(partition: Partition, chosen: Chosen, ns: int, number: int) -> tuple[Column, Column, tuple[Thread, ...]]:
    """Of the calls of a duration those that begin first: begins and threads of `number` or more, if there are any."""
    calls, order = partition.calls, partition.nest.order
    begin, thread = np.empty(0, np.int64), np.empty(0, np.uint32)
    for roots in pieces(partition, chosen.roots):
        rows = order[roots]
        rows = rows[calls.ns[rows] == ns]
        begin, thread = np.append(begin, spans(calls, rows)[0]), np.append(thread, calls.thread[rows])
        if len(begin) > number:
            first = begin <= np.partition(begin, number - 1)[number - 1]
            begin, thread = begin[first], thread[first]
    used, index = np.unique(thread, return_inverse=True)
    return begin, index, tuple(calls.threads[one] for one in used)


def place_of(thread: Thread, hosts: Mapping[str, str]) -> tuple[str, int, int, int, str]:
    """What threads are sorted by."""
    return hosts.get(thread.host, ""), thread.pid or 0, thread.tid or 0, thread.life, repr(thread)


Members = Callable[[Column, Column], Column]
"""Says of calls, as places in the sweep and durations, which of them are in a group."""


def members(partition: Partition, chosen: Chosen, group: Between | Slowest) -> Members:
    """What tells which calls are in a group."""
    if isinstance(group, Between):
        return lambda _, times: (times >= group.low_ns) & (times <= group.high_ns)
    calls, order = partition.calls, partition.nest.order
    ends = np.array([_ALL if thread in group.whole else 0 for thread in calls.threads] or [0], np.int64)
    if group.thread in calls.threads:
        number = calls.threads.index(group.thread)
        ends[number] = _behind(partition, chosen, number, group)

    def slowest(roots: Column, times: Column) -> Column:
        found = times > group.ns
        ties = np.flatnonzero(times == group.ns)
        begin, _ = spans(calls, order[roots[ties]])
        in_time = roots[ties] < ends[calls.thread[order[roots[ties]]]]
        found[ties] = (begin < group.begin_ns) | (begin == group.begin_ns) & in_time
        return found

    return slowest


def _behind(partition: Partition, chosen: Chosen, thread: int, group: Slowest) -> int:
    """The place behind the last call of a thread that is as long as the shortest of the slowest, and is one of them."""
    roots, order, calls = chosen.roots, partition.nest.order, partition.calls

    def thread_of(index: int) -> int:
        return int(calls.thread[order[roots[index]]])

    first, last = (bisect_left(range(len(roots)), number, key=thread_of) for number in (thread, thread + 1))
    left = group.number
    for mine in pieces(partition, roots[first:last]):
        begin, _ = spans(calls, order[mine])
        ties = mine[(begin == group.begin_ns) & (calls.ns[order[mine]] == group.ns)]
        if len(ties) >= left:
            return int(ties[left - 1]) + 1
        left -= len(ties)
    return 0
