"""Sums of groups are exact: what a dictionary and Python's whole numbers say, beyond 64 bits, too."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis.reading.columns import Function
from datacrumbs.analysis.summing.groups import Groups, joined
from datacrumbs.analysis.summing.tally import Tally, Totals
from hypothesis import given
from hypothesis import strategies as st

FUNCTIONS = tuple(
    Function(name, category) for category in ("posix", "c") for name in ("read", "write", "splice", "close")
)
LARGE = st.integers(0, (1 << 92) - 1)
"""Their upper parts are below 2^60, so that sums of a few are within 64 bits."""
ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 7), LARGE, LARGE, st.integers(0, 1 << 50)), max_size=7)
"""Rows of a tally: file, function, time, bytes and calls."""


def halves(numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([n >> 32 for n in numbers], np.int64), np.array([n & 0xFFFFFFFF for n in numbers], np.int64)


def tally_of(rows: list[tuple[int, int, int, int, int]]) -> Tally:
    file, function, time, moved, calls = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 5
    numbers = {name: np.array(column, np.int64) for name, column in
               {"file": file, "function": function, "calls": calls, "errors": calls}.items()}  # fmt: skip
    wide = {f"{name}_{half}": column for name, column in (("time", time), ("moved", moved))
            for half, column in zip(("high", "low"), halves(column), strict=True)}  # fmt: skip
    return Tally(numbers | wide, FUNCTIONS, np.empty(0, np.int64), {}, {})


@given(rows=ROWS)
def test_totals_are_what_a_dictionary_adds_up(rows: list[tuple[int, int, int, int, int]]) -> None:
    expected: dict[int, list[int]] = defaultdict(lambda: [0] * 6)
    for file, function, time, moved, calls in rows:
        name = FUNCTIONS[function].name
        ways = [moved * (name in names) for names in (layers.READS, layers.WRITES, layers.COPIES)]
        expected[file] = [a + b for a, b in zip(expected[file], (calls, calls, time, *ways), strict=True)]
    tally = tally_of(rows)
    groups = Groups(tally.columns["file"])
    found = dict(zip(groups.numbers, tally.totals(groups), strict=True))
    assert found == {file: Totals(*sums) for file, sums in sorted(expected.items())}


@given(rows=ROWS)
def test_a_tally_of_some_categories_has_their_rows_alone(rows: list[tuple[int, int, int, int, int]]) -> None:
    chosen = [row for row in rows if FUNCTIONS[row[1]].category == "c"]
    found = tally_of(rows).of({"c"}).columns
    assert joined(found["time_high"].tolist(), found["time_low"].tolist()) == [row[2] for row in chosen]


@given(rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, (1 << 63) - 1))))
def test_groups_know_how_many_kinds_and_which_is_most(rows: list[tuple[int, int, int]]) -> None:
    of_rows, others, amounts = (np.array([row[at] for row in rows], np.int64) for at in range(3))
    groups = Groups(of_rows)
    assert groups.numbers == sorted({number for number, *_ in rows})
    members = [[row for row in rows if row[0] == number] for number in groups.numbers]
    assert groups.kinds(others) == [len({other for _, other, _ in some}) for some in members]
    assert groups.most(amounts) == [max(amount for *_, amount in some) for some in members]
