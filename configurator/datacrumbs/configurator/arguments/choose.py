"""Which arguments an entry of the host YAML gets: what it says itself, what is known, or what signatures tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from datacrumbs.configurator.arguments import dwarf, headers, known
from datacrumbs.configurator.arguments.signature import capture
from datacrumbs.configurator.material import Code
from datacrumbs.configurator.spec import Entry
from datacrumbs.core.probes import Binary, Capture

SECONDS: Final = 30.0
"""How long debugging information of one file is read."""


def choose(
    entry: Entry, binary: Binary, functions: Sequence[Code], addresses: Mapping[int, int]
) -> tuple[Mapping[int, Capture], tuple[str, ...]]:
    """What to capture of the functions of a file that an entry selects.

    Args:
        entry: the wish.
        binary: the file.
        functions: its functions.
        addresses: by their offset in the file, their virtual address.

    Returns:
        Captures by offset, and notes for people.
    """
    if entry.arguments == "none":
        return {}, ()
    chosen: dict[int, Capture] = {}
    told = dict(entry.function_arguments)
    usual = known.captures(Path(binary.path).name)
    left: list[Code] = []
    for code in functions:
        names = [name.symbol for name in code.names]
        line = next((told[name] for name in names if name in told), None) or next(
            (usual[name] for name in names if name in usual), None
        )
        if line is not None:
            chosen[code.offset] = line
        elif entry.arguments == "all" and any(entry.selects(name.symbol, name.shown) for name in code.names):
            left.append(code)
    notes: tuple[str, ...] = ()
    if left and entry.headers:
        declared = headers.read(entry.headers)
        for code in left:
            name = next((name.symbol for name in code.names if name.symbol in declared), None)
            if name is not None:
                chosen[code.offset] = capture(declared[name])
        left = [code for code in left if code.offset not in chosen]
    if left and not entry.headers:
        # A clone such as foo.isra.0 has other parameters than its source says.
        wanted = {addresses[code.offset]: code.offset for code in left if "." not in code.names[0].symbol}
        found, problem = dwarf.read(binary.path, binary.build_id, wanted, seconds=SECONDS)
        chosen |= {wanted[address]: capture(signature) for address, signature in found.items()}
        notes = (f"no arguments: {problem}",) if problem else ()
    return chosen, notes
