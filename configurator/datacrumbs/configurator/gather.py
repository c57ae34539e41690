"""Asks each entry's source what it has. A new source is one module in sources/ and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from datacrumbs.configurator.material import Found, Material
from datacrumbs.configurator.sources import binary, custom, header, kernel, ksym, tracepoint, usdt
from datacrumbs.configurator.spec import Entry, Spec
from datacrumbs.core.errors import DataCrumbsError

SOURCES: Final[Mapping[tuple[str, str], Callable[[Entry], Found]]] = {
    ("syscalls", "kernel"): kernel.find,
    ("syscalls", "ksym"): kernel.find,
    ("syscalls", "header"): header.find,
    ("uprobe", "binary"): binary.find,
    ("custom", "custom"): custom.find,
    ("tracepoint", "kernel"): tracepoint.find,
    ("usdt", "usdt"): usdt.find,
    ("kprobe", "ksym"): ksym.find,
    ("kprobe", "header"): ksym.find_declared,
    ("kprobe", "binary"): ksym.find_in_module,
}


def gather(spec: Spec, step: Callable[[Entry], None] = lambda _: None) -> Material:
    """What this machine has for each entry.

    Args:
        spec: the wishes.
        step: told of each entry before its source is asked, for a progress bar.

    Raises:
        DataCrumbsError: a source cannot answer; the message names the entry.
    """
    found: dict[int, Found] = {}
    for index, entry in enumerate(spec.entries):
        step(entry)
        try:
            found[index] = SOURCES[entry.probe, entry.type](entry)
        except DataCrumbsError as error:
            error.message = f"entry {entry}: {error.message}"
            raise
    return found
