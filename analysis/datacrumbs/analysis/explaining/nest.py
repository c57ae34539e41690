"""Which call is inside which, and what each took itself.

One linear sweep over each thread (native/nest.c). A call's inclusive time is its duration. Its exclusive time is the
time in which it is the last begun of its thread's calls that run: where calls nest, its duration without that of the
calls inside it. Summed over a thread, exclusive times are the time in which any call ran, whatever the trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from datacrumbs.analysis import layers
from datacrumbs.analysis._columns import ffi, lib
from datacrumbs.analysis.reading.columns import Calls, Column, view
from datacrumbs.analysis.reading.parser import no_memory

NO_PARENT = 0xFFFFFFFF
"""What the place of the call around is for a call that has none."""
_COLUMNS: Final = {"order": np.uint32, "parent": np.uint32, "last": np.uint32, "node": np.uint32, "exclusive": np.int64}


@dataclass(frozen=True, slots=True)
class Nest:
    """Calls in the order of the sweep: by thread, and outer calls before inner ones. Places are indices into it."""

    order: Column
    """The call's row in `Calls`."""
    parent: Column
    """Place of the innermost call around it, or `NO_PARENT`."""
    last: Column
    """Place behind the last call inside it: all between are inside it."""
    node: Column
    """Its place in the tree of paths."""
    exclusive: Column
    """Nanoseconds."""
    node_parent: Column
    """Tree of paths: the node around, or `NO_PARENT`."""
    node_function: Column
    """Tree of paths: a row of `Calls.functions`."""
    _owner: Any


def nest(calls: Calls, of_functions: tuple[str, ...]) -> Nest:
    """Sweeps over all calls.

    Args:
        calls: at most 4 billion of them.
        of_functions: the layer of each of `calls.functions`.

    Raises:
        BusyError: memory is short, or the disk where memory is.
    """
    rank = np.array([layers.rank(layer) for layer in of_functions] or [0], np.uint8)
    flat = np.array([layer in layers.FLAT for layer in of_functions] or [False], np.uint8)
    arrays = {
        "ts": ("int64_t *", calls.ts), "dur": ("int64_t *", calls.dur), "ns": ("int64_t *", calls.ns),
        "sub": ("uint16_t *", calls.sub), "function": ("uint32_t *", calls.function),
        "thread": ("uint32_t *", calls.thread), "rank": ("uint8_t *", rank), "flat": ("uint8_t *", flat),
    }  # fmt: skip
    columns = {name: calls.room.empty(len(calls), kind) for name, kind in _COLUMNS.items()}
    numbers = {"size": len(calls), "functions": len(calls.functions), "threads": len(calls.threads)}
    pointers = {name: ffi.from_buffer(kind, array) for name, (kind, array) in arrays.items()}
    filled = {name: ffi.from_buffer(f"{column.dtype}_t *", column) for name, column in columns.items()}
    made = ffi.gc(ffi.new("struct dc_nest *", filled), lib.dc_nest_deinit)
    width = ffi.sizeof("struct dc_span")
    with calls.room.lent((len(calls) + len(calls) // 2 + 1) * width, np.uint8) as spans:
        room = ffi.from_buffer("struct dc_span *", spans)
        if lib.dc_nest_init(made, ffi.new("struct dc_nest_input *", {**numbers, **pointers}), room):
            raise no_memory()
    return Nest(
        **columns,
        node_parent=view(made.node_parent, made.nodes, np.uint32),
        node_function=view(made.node_function, made.nodes, np.uint32),
        _owner=made,
    )
