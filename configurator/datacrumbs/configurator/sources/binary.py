"""Functions of a program or a library, from its dynamic and its full symbol table.

pyelftools finds the tables; their entries are unpacked in bulk, because a large library has 100,000 of them.
"""

from __future__ import annotations

import functools
import os
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

from datacrumbs.configurator.arguments.choose import choose
from datacrumbs.configurator.material import Code, Functions, Name
from datacrumbs.configurator.sources import library
from datacrumbs.configurator.spec import Entry
from datacrumbs.core import elf, placement
from datacrumbs.core.errors import DataError
from datacrumbs.core.files import open_regular
from datacrumbs.core.probes import MAX_NAME, Binary
from elftools.elf.elffile import ELFFile

MAX_TABLE: Final = 256 << 20
"""Largest symbol or string table, in bytes."""

_SYMBOL: Final = {True: struct.Struct("<IBBHQQ"), False: struct.Struct(">IBBHQQ")}
"""Elf64_Sym by little-endianness: name, info, other, section, value, size (elf(5))."""
_FUNCTION, _INDIRECT = 2, 10
"""STT_FUNC and STT_GNU_IFUNC, the low half of `info`."""
_LONGEST: Final = 8 * MAX_NAME
"""Longest name with its version, in bytes."""
_LOCAL: Final = 0
_UNDEFINED: Final = 0


class _Symbol(NamedTuple):
    name: str
    address: int
    indirect: bool
    rank: int
    """0 for what other files can call, 1 for the rest."""


def find(entry: Entry) -> Functions:
    """The functions of the file that the entry names, with what to capture of them."""
    path = library.locate(entry.file)
    found, image = read(path), _image(path)
    addresses = {code.offset: image.address_of(code.offset) or 0 for code in found.functions}
    captures, notes = choose(entry, found.binary, found.functions, addresses)
    wanted = [c.offset for c in found.functions if any(entry.selects(name.symbol, name.shown) for name in c.names)]
    with open_regular(path) as descriptor:
        segments = placement.read_segments(descriptor, image.code)
        starts = [code.offset for code in found.functions]
        skips = placement.skips(segments, wanted, starts, os.uname().machine)
    return replace(found, captures=captures, skips=skips, notes=(*found.notes, *notes))


@functools.lru_cache(maxsize=16)
def _image(path: str) -> elf.Image:
    return elf.read(path)


@functools.lru_cache(maxsize=16)
def read(path: str) -> Functions:
    """The functions of an ELF file.

    Args:
        path: its real, absolute path.

    Raises:
        NoInputError: it is missing, unreadable or not a regular file.
        DataError: it is no ELF file of this machine, or has no symbol tables.
    """
    _check_name(path)
    with open_regular(path) as fd:
        image = elf.read_open(fd, path)
        with open(fd, "rb", closefd=False) as stream:
            view = elf.parse(stream, path)
            try:
                tables = list(_tables(view, stream, elf.stat_size(fd)))
                unwinds = elf.passes_exceptions(view)
            except Exception as error:
                raise elf.malformed(path, error) from error
        if not tables:
            raise DataError(f"{path} has no symbol table", "name a file that is not stripped of it")
        places: dict[int, list[_Symbol]] = defaultdict(list)
        for symbols, strings, rank in tables:
            for symbol in _functions(symbols, strings, rank, little=view.little_endian):
                offset = image.offset_of(symbol.address)
                if offset is not None:
                    places[offset].append(symbol)
    shown = _demangler(any(s.name.startswith("_Z") for group in places.values() for s in group))
    return Functions(
        Binary(path, image.build_id),
        tuple(_code(offset, places[offset], shown) for offset in sorted(places)),
        unwinds=unwinds,
    )


def _check_name(path: str) -> None:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"{path!r} is not a UTF-8 name", "rename the file, or give another name of it") from error


def _tables(view: ELFFile, stream: Any, size: int) -> Iterator[tuple[bytes, bytes, int]]:
    """The bytes of each symbol table, those of its names, and the rank of its symbols."""
    for index in range(view.num_sections()):
        header = view._get_section_header(index)  # noqa: SLF001 - sections as objects cost a second on large files
        if header["sh_type"] not in ("SHT_DYNSYM", "SHT_SYMTAB"):
            continue
        names = view._get_section_header(header["sh_link"])  # noqa: SLF001
        rank = 0 if header["sh_type"] == "SHT_DYNSYM" else 1
        yield _bytes(stream, header, size), _bytes(stream, names, size), rank


def _bytes(stream: Any, header: Any, size: int) -> bytes:
    offset, length = int(header["sh_offset"]), int(header["sh_size"])
    if length > MAX_TABLE or offset + length > size:
        raise ValueError(f"a table of {length} bytes at offset {offset}")
    stream.seek(offset)
    return bytes(stream.read(length))


def _functions(symbols: bytes, strings: bytes, rank: int, *, little: bool) -> Iterator[_Symbol]:
    layout = _SYMBOL[little]
    whole = len(symbols) - len(symbols) % layout.size
    for name, info, _, section, address, _ in layout.iter_unpack(memoryview(symbols)[:whole]):
        kind = info & 0xF
        if kind not in (_FUNCTION, _INDIRECT) or section == _UNDEFINED or name >= len(strings):
            continue
        end = strings.find(b"\0", name, name + _LONGEST)
        text = strings[name : max(end, name)].partition(b"@")[0].decode("utf-8", "replace")
        if 0 < len(text) <= 4 * MAX_NAME:
            yield _Symbol(text, address, kind == _INDIRECT, rank if info >> 4 != _LOCAL else 1)


def _code(offset: int, symbols: list[_Symbol], shown: Callable[[str], str]) -> Code:
    best: dict[str, int] = {}
    for symbol in symbols:
        best[symbol.name] = min(symbol.rank, best.get(symbol.name, 1))
    names = sorted(best, key=lambda name: (best[name], len(name) - len(name.lstrip("_")), len(name), name))
    return Code(
        offset,
        tuple(Name(name, shown(name)) for name in names),
        indirect=any(symbol.indirect for symbol in symbols),
    )


def _demangler(needed: bool) -> Callable[[str], str]:
    """What turns C++ symbols into names; symbols stay as they are on a machine without a C++ library."""
    if not needed:
        return str
    try:
        import cxxfilt  # looks for the C++ library when it is imported, which only C++ files should pay for
    except Exception:
        return str

    def shown(symbol: str) -> str:
        try:
            return str(cxxfilt.demangle(symbol))[: 4 * MAX_NAME] if symbol.startswith("_Z") else symbol
        except (cxxfilt.Error, ValueError):
            return symbol

    return shown
