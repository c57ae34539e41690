"""What each thread did, layer by layer, in slices finer than those of the cubes: the timeline seen from afar.

A cell says how much of a slice the calls of one layer filled, and which function had most of it. What a profile added
up is of no thread, and in no lane.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from datacrumbs.analysis.report.codes import MOST_THREADS
from datacrumbs.analysis.report.cubes import spread
from datacrumbs.analysis.report.numbers import Numbers
from datacrumbs.analysis.report.packing import pack, pack_sorted

FINEST: Final = 4096
"""Slices at most."""
COARSEST: Final = 128
FULL: Final = 31
"""The fill of a slice that was busy from end to end."""


def fill(numbers: Numbers, layer_of: list[int], budget: int) -> dict[str, Any]:
    """The timeline's cells.

    Args:
        numbers: all calls in numbers.
        layer_of: for each function, the number of its layer.
        budget: cells at most; they take about 4 bytes each.
    """
    codes = numbers.codes
    layers, functions = max(layer_of, default=0) + 1, max(1, len(layer_of))
    lanes = min(len(codes.threads), MOST_THREADS)
    bins = FINEST
    while bins > COARSEST and bins * max(1, lanes * len(set(layer_of))) > budget:
        bins //= 2
    width = max(1, -(-(codes.span_us + 1) // bins))
    times = np.zeros(lanes * functions * bins, np.float32)
    for part in numbers.parts():
        first = np.minimum(part.began // width, bins - 1)
        for bin_, rows, share in spread(part, first, width, bins):
            lane = part.lane[rows]
            kept = np.flatnonzero(lane < lanes)
            place = ((lane * functions + part.fn[rows]) * bins + bin_)[kept]
            times += np.bincount(place, weights=(part.ns[rows] * share)[kept], minlength=len(times))
    of_layer = np.array(layer_of or [0])
    best = np.zeros((lanes, layers, bins), np.int64)
    whole = np.zeros((lanes, layers, bins))
    present = np.zeros((lanes, layers, bins), bool)
    table = times.reshape(lanes, functions, bins)
    for layer in sorted(set(layer_of)):
        members = np.flatnonzero(of_layer == layer)
        mine = table[:, members, :]
        best[:, layer] = members[np.argmax(mine, axis=1)]
        whole[:, layer] = mine.sum(axis=1)
        present[:, layer] = mine.any(axis=1)
    used = np.flatnonzero(present)
    fills = np.clip(FULL * whole.ravel()[used] // (1000 * width), 1, FULL)
    return {
        "bins": bins,
        "width_us": width,
        "layers": layers,
        "full": FULL,
        "rows": len(used),
        "key": pack_sorted(used),
        "fn": pack(best.ravel()[used]),
        "fill": pack(fills),
    }
