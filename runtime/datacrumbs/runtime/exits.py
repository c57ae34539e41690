"""Where a function ends, for files through whose functions C++ exceptions may pass.

A return probe puts another return address on the stack. The unwinder finds no function at that address and calls
std::terminate: the program would die of being watched. So in files that take part in exceptions, the ends of a call are
seen at the function's own exits: its `ret` instructions, and its jumps to other functions (tail calls).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from datacrumbs.core import elf
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

_MAX_FUNCTION: Final = 1 << 20
"""Bytes; a longer function is not decoded."""


def find_exits(
    descriptor: int, name: str, image: elf.Image, offsets: Sequence[int]
) -> Mapping[int, tuple[int, ...]] | None:
    """The exits of the functions at `offsets`.

    Args:
        descriptor: the file, open.
        name: its name, for messages.
        image: what is known of it.
        offsets: where functions begin, as offsets in the file.

    Returns:
        None for a file through which no exception passes. Else for each function whose size is known and which can be
        decoded the offsets of its exits.

    Raises:
        DataError: the file is malformed.
    """
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        file = elf.parse(stream, name)
        try:
            if not elf.passes_exceptions(file):
                return None
            sizes = _sizes(file, image)
        except Exception as error:
            raise elf.malformed(name, error) from error
        machine = file["e_machine"]
    code = {offset: os.pread(descriptor, min(sizes.get(offset, 0), _MAX_FUNCTION), offset) for offset in offsets}
    return {offset: exits for offset, part in code.items() if (exits := tuple(_exits(part, offset, machine)))}


def _sizes(file: ELFFile, image: elf.Image) -> dict[int, int]:
    sizes: dict[int, int] = {}
    tables = (section for section in file.iter_sections() if isinstance(section, SymbolTableSection))
    for symbol in (symbol for table in tables for symbol in table.iter_symbols()):
        if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"]:
            offset = image.offset_of(symbol["st_value"])
            if offset is not None:
                sizes[offset] = symbol["st_size"]
    return sizes


def _exits(code: bytes, offset: int, machine: str) -> Iterable[int]:
    """The exits in a function's code, or none where it cannot be decoded to its end."""
    import capstone  # here, because most runs need no disassembler

    modes = {
        "EM_X86_64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
        "EM_AARCH64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM),
    }
    if machine not in modes:
        return []
    decoder = capstone.Cs(*modes[machine])
    decoder.detail = True
    end = offset + len(code)
    exits, at = [], offset
    for instruction in decoder.disasm(code, offset):
        at = instruction.address + instruction.size
        if instruction.group(capstone.CS_GRP_RET) or _leaves(instruction, offset, end):
            exits.append(instruction.address)
    return exits if at == end else []


def _leaves(instruction: Any, start: int, end: int) -> bool:
    """Whether it is an unconditional jump to another function."""
    if instruction.mnemonic not in ("jmp", "b"):
        return False
    target = instruction.op_str.removeprefix("#")
    return target.startswith("0x") and not start <= int(target, 16) < end
