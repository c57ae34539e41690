"""What the kernel did elsewhere for a thread: requests at the device, writeback, commits of a journal.

Such spans overlap each other and the calls of the thread that caused them as they like. What is asked here is how long
at least one of them was under way during a call. Where several were, the lowest layer counts.

A span names its process and host as a call does, and besides them the thread (docs/trace-format.md): so whatever is
joined here is of one process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis.reading.columns import Calls, Column
from datacrumbs.analysis.reading.spans import covered, spans, union


class Cover(NamedTuple):
    """When a function, or one of those below it, was under way: spans that do not overlap."""

    function: int
    begin: Column
    end: Column


@dataclass(frozen=True, slots=True)
class Caused:
    """All such spans of some calls, as rows of the calls, with the cause and the thread of each."""

    rows: Column
    cause: tuple[str, ...]
    """For each key."""
    thread: Column
    """The thread that caused it, a row of `Calls.threads`; -1: it has made no call."""
    functions: tuple[int, ...]
    """From the lowest layer up."""
    covers: Mapping[int, tuple[Cover, ...]]
    """By thread: functions in this order, each with the time of those before it as well."""


def find(calls: Calls, of_functions: tuple[str, ...]) -> Caused | None:
    """All of them; None where there are none.

    Args:
        calls: all calls.
        of_functions: the layer of each function.
    """
    if len(calls.keys) < 2:
        return None
    rows = np.flatnonzero(calls.key)
    texts = [key.rpartition(" ") for key in calls.keys]
    thread = _threads(calls, rows, [text[2] for text in texts])
    functions = np.unique(calls.function[rows]).tolist()
    functions.sort(key=lambda number: (-layers.rank(of_functions[number]), calls.functions[number]))
    lanes = runs(thread, np.argsort(thread))
    covers = {one: tuple(_covers(calls, rows[mine], functions)) for one, mine in lanes if one >= 0}
    return Caused(rows, tuple(text[0] for text in texts), thread, tuple(functions), covers)


def _threads(calls: Calls, rows: Column, tids: list[str]) -> Column:
    """The thread behind each span's lane and key."""
    numbers = {thread: number for number, thread in enumerate(calls.threads)}
    pairs, pair_of = np.unique(
        calls.key[rows].astype(np.int64) * len(calls.threads) + calls.thread[rows], return_inverse=True
    )
    known = []
    for key, lane in zip(*np.divmod(pairs, max(1, len(calls.threads))), strict=True):
        tid = int(tids[key]) if tids[key].lstrip("-").isdigit() else 0
        known.append(numbers.get(calls.threads[lane]._replace(tid=tid), -1))
    return np.array(known or [-1], np.int64)[pair_of]


def runs(numbers: Column, order: Column) -> Iterator[tuple[int, Column]]:
    """Each of some numbers with the places at which it is, given an order in which they are sorted."""
    begins = np.flatnonzero(np.diff(numbers[order], prepend=-2))
    for mine in np.split(order, begins[1:]) if len(order) else ():
        yield int(numbers[mine[0]]), mine


def _covers(calls: Calls, rows: Column, functions: Sequence[int]) -> Iterator[Cover]:
    used = np.zeros(len(rows), bool)
    for number in functions:
        mine = calls.function[rows] == number
        if mine.any():
            used |= mine
            yield Cover(number, *union(*spans(calls, rows[used])))


def under_way(calls: Calls, caused: Caused, rows: Column) -> dict[int, Column]:
    """For each function that the kernel did elsewhere: how long it was under way during each of some calls.

    Args:
        calls: all calls.
        caused: what `find` found.
        rows: the calls that are asked about, thread by thread.

    Returns:
        Nanoseconds for each of `rows`, by function, from the lowest layer up; time with several under way is the lowest
        layer's alone.
    """
    result: dict[int, Column] = {}
    thread = calls.thread[rows]
    bounds = [0, *(np.flatnonzero(np.diff(thread)) + 1).tolist(), len(rows)]
    for first, last in itertools.pairwise(bounds):
        covers = caused.covers.get(int(thread[first])) if first < last else None
        if not covers:
            continue
        begin, end = spans(calls, rows[first:last])
        sofar = np.zeros(last - first, np.int64)
        for function, since, until in covers:
            now = covered(since, until, end) - covered(since, until, begin)
            if function not in result:
                result[function] = np.zeros(len(rows), np.int64)
            result[function][first:last] = now - sofar
            sofar = now
    return {number: result[number] for number in caused.functions if number in result and result[number].any()}


def of_own_time(found: Mapping[int, Column], above: Column, inner: Column, own: Column) -> Iterator[tuple[int, Column]]:
    """Of what `under_way` found, the part that lies in calls' own time, by function.

    Args:
        found: for each function, how long it was under way during each call.
        above: for each call, the call around it.
        inner: whether there is one.
        own: the own time of each call, from which the parts are taken away.
    """
    for function, inclusive in found.items():
        share = inclusive.copy()
        np.subtract.at(share, above[inner], inclusive[inner])
        share = np.clip(share, 0, own)
        own -= share
        yield function, share
