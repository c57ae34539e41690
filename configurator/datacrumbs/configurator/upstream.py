"""What upstream's host YAMLs say at their top beside the probes: what is taken over, and what means nothing here.

Such files were written by hand over years, for a tool that is built and installed per user, so many of their keys are
about that. They load; each key that changes nothing is told, with what does its work here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Final

from datacrumbs.core import yamlfile
from datacrumbs.core.probes import LONGEST_INTERVAL, SHORTEST_INTERVAL, Mode
from datacrumbs.core.yamlfile import Node

_TRACE: Final = "where traces go is 'trace_dir' in /etc/datacrumbs/datacrumbs.yaml"
MEANINGLESS: Final[Mapping[str, str]] = {
    "name": "a host YAML is known by its file",
    "user": "a probes file is for whoever has it made",
    "install_dir": "one installation serves all users",
    "data_dir": "the probes file is all that is kept",
    "trace_file_path": _TRACE,
    "trace_log_dir": _TRACE,
    "inclusion_path": "calls on all files are traced, and the analysis can select",
}
"""Keys that are accepted and change nothing, and why."""
INTERVAL: Final = "profiling_interval"
KEYS: Final = (*MEANINGLESS, INTERVAL)
MODES: Final[Mapping[str, Mode]] = {"tracer": "trace", "profiler": "profile"}
"""Upstream's words for modes."""
_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?\Z")


def notes(top: yamlfile.Mapping) -> Iterator[str]:
    """A sentence with its place for each key that changes nothing."""
    for key, why in MEANINGLESS.items():
        node = top.get(key)
        if node is not None:
            yield f"{node.place}: '{key}' means nothing here: {why}"


def interval(node: Node) -> tuple[int, str]:
    """`profiling_interval`, in seconds, as `interval` in nanoseconds, and what to tell about it ("" where nothing).

    Raises:
        DataCrumbsError: it is no number of seconds.
    """
    written = node.written()
    if not _SECONDS.match(written):
        raise node.wrong("a number of seconds is wanted here", "or write interval: 100ms")
    wanted = int(Fraction(written) * 1_000_000_000)
    given = min(max(wanted, SHORTEST_INTERVAL), LONGEST_INTERVAL)
    told = f"{node.place}: '{INTERVAL}' of {written} s is taken as {given // 1_000_000} ms"
    return given, "" if given == wanted else told
