"""What the loader takes for granted of the BPF objects."""

from __future__ import annotations

from datacrumbs.runtime._native import ffi
from datacrumbs.runtime.programs import FOLDER
from elftools.elf.elffile import ELFFile


def sizes(section: str) -> dict[str, int]:
    """The size of a section in each object that has it."""
    found = {}
    for path in sorted(FOLDER.glob("*.bpf.o")):
        with path.open("rb") as stream:
            data = ELFFile(stream).get_section_by_name(section)
            if data is not None and data["sh_size"]:
                found[path.name] = int(data["sh_size"])
    return found


def test_objects_share_their_variables() -> None:
    """All .bss are loaded as one map: an object with a variable of its own would write over another's."""
    found = sizes(".bss")
    assert {"calls.bpf.o", "functions.bpf.o"} <= found.keys() and len(set(found.values())) == 1, found


def test_objects_have_one_constant() -> None:
    """The loader writes the whole of .rodata as struct dc_fixed."""
    assert set(sizes(".rodata").values()) == {ffi.sizeof("struct dc_fixed")}
