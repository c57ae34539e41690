"""Signatures from debugging information, versions 2 to 5, of the functions at given addresses.

Only units that hold a wanted address are read, and of those only the functions at their top: types are looked up as
parameters name them.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from datacrumbs.configurator.arguments import debugfile, shared
from datacrumbs.configurator.arguments.signature import (
    FLOAT,
    POINTER,
    TEXT,
    UNKNOWN,
    VOID,
    Signature,
    Type,
    integer,
)
from datacrumbs.core import elf
from datacrumbs.core.errors import DataCrumbsError, DataError
from datacrumbs.core.files import open_regular
from elftools.common.exceptions import ELFCompressionError
from elftools.elf.elffile import ELFFile

MAX_SECTIONS: Final = 2 << 30
"""Most debugging information of one file that is read, in bytes, unpacked."""
_CHUNK: Final = 1 << 20
_ASSEMBLER: Final = 0x8001  # DW_LANG_Mips_Assembler, which GNU as gives all assembly
_DEPTH: Final = 32
_WRAPPERS: Final = frozenset(
    ["DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_restrict_type", "DW_TAG_atomic_type"]
)
_POINTERS: Final = frozenset(["DW_TAG_pointer_type", "DW_TAG_reference_type", "DW_TAG_rvalue_reference_type"])
_SIGNED: Final = frozenset([5, 6, 13])  # DW_ATE_signed, _signed_char, _signed_fixed
_FLOATING: Final = frozenset([3, 4, 9])  # DW_ATE_complex_float, _float, _imaginary_float


def read(path: str, build_id: str, wanted: Collection[int], *, seconds: float) -> tuple[Mapping[int, Signature], str]:
    """The signatures of the functions that begin at `wanted`.

    Args:
        path: the file whose functions they are.
        build_id: as in `elf.Image`.
        wanted: virtual addresses.
        seconds: how long to look.

    Returns:
        Signatures by address, and a sentence on what is missing and why ("" where nothing is).
    """
    problem = ""
    for candidate in debugfile.candidates(path, build_id):
        if not candidate.is_file():
            continue
        try:
            found = _read_file(candidate, build_id, frozenset(wanted), seconds)
        except DataCrumbsError as error:
            problem = error.message
            continue
        except ELFCompressionError:
            problem = f"the debugging information of {candidate} is packed as only objcopy can unpack it"
            continue
        except Exception as error:  # whatever damaged debugging information makes of a reader
            problem = f"the debugging information of {candidate} is damaged ({type(error).__name__})"
            continue
        if found is not None:
            return found
    return {}, problem or f"{path} has no debugging information, neither in it nor beside it"


def _read_file(
    path: Any, build_id: str, wanted: frozenset[int], seconds: float
) -> tuple[Mapping[int, Signature], str] | None:
    with open_regular(path) as fd:
        if ":" not in build_id and elf.read_open(fd, path).build_id != build_id:
            return None
        with open(fd, "rb", closefd=False) as stream:
            stream.seek(0)
            file = elf.parse(stream, path)
            section = file.get_section_by_name(".debug_info") or file.get_section_by_name(".zdebug_info")
            if section is None or section["sh_type"] == "SHT_NOBITS":
                return None
            _check_sizes(file, path)
            with shared.opened(file, path) as other:
                if other is not None:
                    _check_sizes(elf.parse(other, path), path)
                    other.seek(0)
                    file.stream_loader = lambda _: other
                return _collect(file, wanted, path, seconds)


def _check_sizes(file: ELFFile, path: Any) -> None:
    """Refuses sections that are, or unpack to, more than fits: pyelftools would make room for whatever they claim."""
    left = MAX_SECTIONS
    for section in file.iter_sections():
        if section.name.startswith(".zdebug_"):
            left -= _unpacked(section)
        elif section.name.startswith((".debug_", ".eh_frame", ".gnu_debugaltlink")):
            left -= max(section["sh_size"], section.data_size)
        if left < 0:
            raise DataError(
                f"the debugging information of {path} has over {MAX_SECTIONS} bytes", "name headers instead"
            )


def _unpacked(section: Any) -> int:
    """How much a section in the old packed form has: only unpacking tells, as far as MAX_SECTIONS."""
    data, unpack, size = elf.content(section, MAX_SECTIONS)[12:], zlib.decompressobj(), 0
    while data and size <= MAX_SECTIONS:
        size += len(unpack.decompress(data, _CHUNK))
        data = unpack.unconsumed_tail
    return size


def _collect(file: ELFFile, wanted: frozenset[int], path: Any, seconds: float) -> tuple[Mapping[int, Signature], str]:
    info = file.get_dwarf_info(relocate_dwarf_sections=False, follow_links=True)
    deadline = time.monotonic() + seconds
    found: dict[int, Signature] = {}
    unreadable: set[int] = set()
    for die in _entries(info, wanted):
        if time.monotonic() > deadline:
            return found, f"reading {path} took over {seconds:.0f} s: some functions lack arguments"
        address = next((address for address in _addresses(die) if address in wanted), None)
        if address is None or address in found:
            continue
        try:
            found[address] = _signature(die)
        except Exception:  # its types are damaged, or in a file that several share (dwz)
            unreadable.add(address)
        if len(found) == len(wanted):
            break
    lost = len(unreadable - set(found))
    return found, f"{path} does not say what the types of {lost} function{'s' * (lost > 1)} are" if lost else ""


def _entries(info: Any, wanted: frozenset[int]) -> Iterator[Any]:
    """What is at the top of units that may hold wanted addresses: functions, and the rest."""
    for unit in _units(info, wanted):
        top = unit.get_top_DIE()
        language = top.attributes.get("DW_AT_language")
        if language is not None and language.value == _ASSEMBLER:
            continue  # its functions are listed, and nothing is known of their parameters
        yield from top.iter_children()


def _units(info: Any, wanted: frozenset[int]) -> Iterator[Any]:
    """The units that hold wanted addresses; all of them where the file has no table of that."""
    table = info.get_aranges()
    if table is None or not table.entries:
        yield from info.iter_CUs()
        return
    offsets = {table.cu_offset_at_addr(address) for address in wanted}
    for offset in sorted(offset for offset in offsets if offset is not None):
        yield info.get_CU_at(offset)


def _addresses(die: Any) -> Iterator[int]:
    """Where a function's code begins; one whose rare half lies elsewhere has several beginnings. Others have none."""
    if die.tag != "DW_TAG_subprogram":
        return
    low, ranges = die.attributes.get("DW_AT_low_pc"), die.attributes.get("DW_AT_ranges")
    if low is not None:
        indirect = low.form.startswith(("DW_FORM_addrx", "DW_FORM_GNU_addr_index"))
        yield int(die.dwarfinfo.get_addr(die.cu, low.value) if indirect else low.value)
    elif ranges is not None:
        lists = die.dwarfinfo.range_lists()
        base = die.cu.get_top_DIE().attributes.get("DW_AT_low_pc")
        start = int(base.value) if base is not None else 0
        for entry in lists.get_range_list_at_offset(ranges.value, cu=die.cu) if lists is not None else ():
            if hasattr(entry, "base_address"):
                start = entry.base_address
            else:
                yield entry.begin_offset + (0 if getattr(entry, "is_absolute", False) else start)


def _origin(die: Any) -> Any:
    for name in ("DW_AT_abstract_origin", "DW_AT_specification"):
        if name in die.attributes:
            return die.get_DIE_from_attribute(name)
    return None


def _attribute(die: Any, name: str) -> tuple[Any, Any] | None:
    """The entry that has an attribute, and the attribute: the entry itself or what it is an instance of."""
    for _ in range(_DEPTH):
        if die is None:
            return None
        if name in die.attributes:
            return die, die.attributes[name]
        die = _origin(die)
    return None


def _signature(die: Any) -> Signature:
    parameters = []
    for child in die.iter_children():
        if child.tag == "DW_TAG_formal_parameter":
            named = _attribute(child, "DW_AT_name")
            name = named[1].value.decode("utf-8", "replace") if named else ""
            parameters.append((name, _type(child) or UNKNOWN))
    return Signature(tuple(parameters), _type(die))


def _type(die: Any) -> Type | None:
    """The type that an entry refers to; None is void."""
    found = _attribute(die, "DW_AT_type")
    if found is None:
        return VOID
    kind, constant = found[0].get_DIE_from_attribute("DW_AT_type"), False
    for _ in range(_DEPTH):
        if kind.tag not in _WRAPPERS:
            return _plain(kind)
        if "DW_AT_type" not in kind.attributes:
            return VOID
        constant = constant or kind.tag == "DW_TAG_const_type"
        kind = kind.get_DIE_from_attribute("DW_AT_type")
    return UNKNOWN


def _plain(kind: Any) -> Type:
    size = kind.attributes["DW_AT_byte_size"].value if "DW_AT_byte_size" in kind.attributes else 0
    if kind.tag in _POINTERS:
        return TEXT if kind.tag == "DW_TAG_pointer_type" and _is_text(kind) else POINTER
    if kind.tag == "DW_TAG_enumeration_type":
        return integer(size, signed=True)
    if kind.tag == "DW_TAG_base_type":
        encoding = kind.attributes["DW_AT_encoding"].value
        if encoding in _FLOATING:
            return FLOAT if size <= 8 else Type("memory", words=(size + 7) // 8)
        return integer(size, signed=encoding in _SIGNED)
    if kind.tag in ("DW_TAG_structure_type", "DW_TAG_union_type", "DW_TAG_class_type") and size > 16:
        return Type("memory", words=(size + 7) // 8)
    return UNKNOWN


def _is_text(pointer: Any) -> bool:
    """Whether it points to `const char`: what others point to may be no text at all."""
    if "DW_AT_type" not in pointer.attributes:
        return False
    kind = pointer.get_DIE_from_attribute("DW_AT_type")
    if kind.tag != "DW_TAG_const_type" or "DW_AT_type" not in kind.attributes:
        return False
    kind = kind.get_DIE_from_attribute("DW_AT_type")
    name = kind.attributes.get("DW_AT_name")
    return bool(kind.tag == "DW_TAG_base_type" and name is not None and name.value == b"char")
