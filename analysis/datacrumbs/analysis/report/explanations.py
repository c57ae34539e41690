"""Which functions the report explains, and what the page needs of their explanations."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from datacrumbs.analysis.explaining.explain import explain
from datacrumbs.analysis.explaining.explanation import Explanation
from datacrumbs.analysis.explaining.nest import Nest
from datacrumbs.analysis.explaining.parted import of_traces
from datacrumbs.analysis.reading.trace import Traces
from datacrumbs.analysis.report.codes import Codes

MOST: Final = 6
"""Functions that are explained."""
_TREE_ROWS: Final = 60
_SLOW_CALLS: Final = 12


def explanations(traces: Traces, codes: Codes, nested: Nest, started_us: int) -> list[dict[str, Any]]:
    """The explanations of the functions that a reader will ask about.

    Those come first that have calls inside them, in the order of their time; others follow where there is room.

    Args:
        traces: opened traces.
        codes: the report's numbers.
        nested: which call is inside which.
        started_us: when the report begins, microseconds since 1970.
    """
    with_inner = {codes.tree_fn[parent] for parent in codes.tree_parent if parent >= 0}
    ranked = [fn for fn, function in enumerate(codes.functions) if function.name]
    ranked.sort(key=lambda fn: (fn not in with_inner, fn))
    names = list(dict.fromkeys(codes.functions[fn].name for fn in ranked))[:MOST]
    parted = of_traces(traces, nested)
    return [_plain(explain(parted, name), started_us) for name in names]


def _plain(found: Explanation, started_us: int) -> dict[str, Any]:
    spread = asdict(found.spread)
    return {
        "function": found.spread.function[:200],
        "sentences": [sentence[:2000] for sentence in found.sentences[:8]],
        "traced": bool(found.tree),
        "spread": spread | {"function": found.spread.function[:200]},
        "layers": [asdict(row) for row in found.layers],
        "typical": asdict(found.typical),
        "slow": asdict(found.slow),
        "tree": [asdict(row) | {"function": row.function[:200]} for row in found.tree[:_TREE_ROWS]],
        "tree_left_out": max(0, len(found.tree) - _TREE_ROWS),
        "outcomes": [asdict(row) for row in (found.childless, found.page_cache, found.device) if row.known],
        "afterwards": [asdict(row) for row in found.afterwards[:8]],
        "slowest": [
            asdict(row) | {"start_us": row.start_us - started_us, "path": row.path[:1000]}
            for row in found.slowest[:_SLOW_CALLS]
        ],
    }
