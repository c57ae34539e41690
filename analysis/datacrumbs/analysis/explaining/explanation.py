"""The explanation of a function's calls: where their time went, layer by layer, in plain numbers.

All times are whole nanoseconds, all sizes bytes. docs/explaining.md defines every figure; the names of the fields here
are the names in `--json`.
"""

from __future__ import annotations

from dataclasses import dataclass

from datacrumbs.analysis.reading.completeness import Completeness


@dataclass(frozen=True, slots=True)
class Cause:
    """What the most time went to. `text` is the first line of the explanation."""

    layer: str
    function: str
    own: bool
    """The explained function itself: nothing that was traced inside it accounts for the time."""
    ns: int
    share: float
    """Of the time of all explained calls, 0 to 1."""
    text: str


@dataclass(frozen=True, slots=True)
class Spread:
    """The explained calls and how long they took."""

    function: str
    layer: str
    calls: int
    nested: int
    """Calls of the function inside another one of it; their time is part of that one's and counts once."""
    total_ns: int
    mean_ns: int
    min_ns: int
    p25_ns: int
    p50_ns: int
    p75_ns: int
    p99_ns: int
    max_ns: int
    processes: int
    threads: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one function took inside the explained calls. Exclusive times of all rows add up to the calls' time."""

    layer: str
    category: str
    function: str
    caused: bool
    """Done by the kernel elsewhere for the calling thread, which waited for it or was free to go on."""
    calls: int
    inclusive_ns: int
    exclusive_ns: int
    share: float
    """Of the time of all explained calls, 0 to 1."""
    slow_excess_ns: int
    """Mean exclusive time per call among the slowest calls, less that among the typical ones."""


@dataclass(frozen=True, slots=True)
class LayerShare:
    """What one layer took inside the explained calls."""

    layer: str
    exclusive_ns: int
    share: float


@dataclass(frozen=True, slots=True)
class Group:
    """Some of the calls: the typical ones, or the slowest."""

    calls: int
    mean_ns: int
    min_ns: int
    max_ns: int


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A function in the tree of a call, with what it is for a typical and for a slow call: means per call."""

    depth: int
    """0: the explained function itself; rows come in the order of a walk through the tree."""
    layer: str
    function: str
    caused: bool
    typical_calls: float
    typical_ns: int
    typical_exclusive_ns: int
    slow_calls: float
    slow_ns: int
    slow_exclusive_ns: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The calls with and without something, such as a page-cache miss. Not known: no probe could have shown it."""

    what: str
    known: bool
    with_calls: int
    with_ns: int
    without_calls: int
    without_ns: int


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What the kernel did for these calls after they had returned, on the same file, within `window_ns`."""

    layer: str
    function: str
    cause: str
    spans: int
    ns: int
    bytes: int
    window_ns: int


@dataclass(frozen=True, slots=True)
class SlowCall:
    """One of the slowest calls. `start_us` is microseconds since 1970; numbers it does not have are null."""

    start_us: int
    ns: int
    host: str
    pid: int | None
    tid: int | None
    path: str
    offset: int | None
    count: int | None
    ret: int | None
    layers: dict[str, int]
    """Exclusive time by layer."""


@dataclass(frozen=True, slots=True)
class AddedUpPart:
    """The part of one file, process or second (since 1970)."""

    name: str
    calls: int
    ns: int
    bytes: int


@dataclass(frozen=True, slots=True)
class AddedUp:
    """Calls of the function that were added up in the kernel (docs/profile.md), and are in no other figure unless none
    of its calls was traced. `p50_ns` and `p99_ns` are the middles of powers of two.
    """

    calls: int
    errors: int
    total_ns: int
    mean_ns: int
    p50_ns: int
    p99_ns: int
    max_ns: int
    bytes: int
    log2_ns: dict[str, int]
    """Calls by powers of two of their nanoseconds."""
    processes: int
    files: int
    by_file: tuple[AddedUpPart, ...]
    """Those with the most time, and so are the next two."""
    by_process: tuple[AddedUpPart, ...]
    by_second: tuple[AddedUpPart, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of it. `sentences` say it in words, the first of them is the cause's text."""

    cause: Cause
    sentences: tuple[str, ...]
    spread: Spread
    layers: tuple[LayerShare, ...]
    functions: tuple[Share, ...]
    typical: Group
    slow: Group
    tree: tuple[TreeRow, ...]
    childless: Outcome
    """Calls without any call inside: what the layer itself costs."""
    page_cache: Outcome
    """With: at least one page was not in the page cache."""
    device: Outcome
    """With: at least one request of the calling thread was at the block device meanwhile."""
    afterwards: tuple[Afterwards, ...]
    slowest: tuple[SlowCall, ...]
    added_up: AddedUp | None
    completeness: Completeness
