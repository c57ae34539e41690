"""What changed between two groups of calls, in plain numbers: two traces, or typical and slow calls of one function.

All times are whole nanoseconds. docs/comparing.md defines every figure; the names of the fields here are the names in
`--json`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two groups."""

    name: str
    calls: int
    """Outermost calls: those of the chosen function, or all that are in no other call."""
    total_ns: int
    mean_ns: int
    slices: int
    """Parts of its time in which it has calls; they are what chance is judged by."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one function took in either group. `a_ns` and `b_ns` are exclusive times.

    Where the groups are calls of one function, all numbers but the means are per such call.
    """

    layer: str
    category: str
    function: str
    caused: bool
    a_calls: float
    b_calls: float
    a_ns: int
    b_ns: int
    delta_ns: int
    contribution: float
    """Of the whole difference: all rows add up to 1."""
    from_calls_ns: int
    """The part of `delta_ns` that comes of more or fewer calls, at the mean duration in a."""
    from_duration_ns: int
    """The part that comes of longer or shorter calls."""
    a_mean_ns: int
    b_mean_ns: int
    p: float | None
    """How often chance alone makes the totals differ so much, corrected for the number of rows (Holm). None: the groups
    are too small, or were chosen by their duration, so that no such figure makes sense."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it; rows with the largest change come first. `sentences` say it in words."""

    a: Side
    b: Side
    function: str
    """The chosen function, or empty: all calls."""
    delta_ns: int
    """How much more b took than a: in all, or per call of the chosen function."""
    sentences: tuple[str, ...]
    changes: tuple[Change, ...]
