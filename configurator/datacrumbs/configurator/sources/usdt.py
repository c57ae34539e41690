"""USDT probes of a program or library: its notes of type `stapsdt`.

Form: https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation. Each note holds three addresses (the probe's,
that of the section .stapsdt.base when the file was linked, the semaphore's) and three texts (provider, name,
arguments). A file that was relocated since has .stapsdt.base elsewhere, and all addresses have moved as far.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

from datacrumbs.configurator.material import Point, Points
from datacrumbs.configurator.sources import binary, library
from datacrumbs.configurator.spec import Entry
from datacrumbs.core import elf
from datacrumbs.core.errors import DataError
from datacrumbs.core.files import open_regular
from datacrumbs.core.probes import MAX_NAME, Binary
from datacrumbs.core.usdt import Mark

MAX_NOTES: Final = 64 << 20
"""Largest section of notes that is read, in bytes."""
_HEADER: Final = struct.Struct("=III")
_ADDRESSES: Final = struct.Struct("=QQQ")
_TYPE: Final = 3
_RARE: Final = "Py_FinalizeEx"


def find(entry: Entry) -> Points:
    """The USDT probes of the file and the provider that the entry names.

    Raises:
        NoInputError: the file is missing or unreadable.
        DataError: it is no ELF file of this machine, or damaged.
    """
    path = library.locate(entry.file)
    found = read(path)
    points = tuple(point for point in found.points if entry.provider in ("", point.provider))
    if found.points and not points:
        providers = ", ".join(sorted({point.provider for point in found.points}))
        return Points(found.binary, (), notes=(f"{path} has no provider '{entry.provider}', but {providers}",))
    if not points:
        return Points(found.binary, (), notes=(f"{path} has no USDT probes",))
    return Points(found.binary, points, _switches(found))


def _switches(found: Points) -> dict[tuple[str, str], Mark]:
    """CPython 3.11 comes to its function probes only while its line probe is on (Python/ceval.c, DO_TRACING).

    Its semaphore is counted up by a uprobe at a place that a process passes once, since a kernel's uprobe has one
    semaphore, and one at the line probe itself would be hit by every line.
    """
    line = next((point for point in found.points if (point.provider, point.name) == ("python", "line")), None)
    if line is None or not line.mark.semaphore:
        return {}
    names = ((name.symbol, code.offset) for code in binary.read(found.binary.path).functions for name in code.names)
    rare = next((offset for symbol, offset in names if symbol == _RARE), None)
    return {("python", "function__entry"): Mark(rare, line.mark.semaphore)} if rare is not None else {}


def read(path: str) -> Points:
    """All USDT probes of a file; see `find`."""
    with open_regular(path) as fd:
        image = elf.read_open(fd, path)
        with open(fd, "rb", closefd=False) as stream:
            stream.seek(0)
            view = elf.parse(stream, path)
            try:
                points = tuple(_points(view, image))
            except DataError:
                raise
            except Exception as error:
                raise elf.malformed(path, error) from error
    return Points(Binary(path, image.build_id), points)


def _points(view: Any, image: elf.Image) -> Iterator[Point]:
    base = view.get_section_by_name(".stapsdt.base")
    for section in view.iter_sections():
        if section["sh_type"] != "SHT_NOTE" or section.name != ".note.stapsdt":
            continue
        for address, linked, semaphore, texts in _notes(elf.content(section, MAX_NOTES)):
            moved = int(base["sh_addr"]) - linked if base is not None and linked else 0
            offset = image.offset_of(address + moved)
            place = _file_offset(view, semaphore + moved) if semaphore else 0
            provider, name, arguments = (text.decode("utf-8", "replace") for text in texts)
            if offset is not None and place is not None and 0 < len(provider) <= MAX_NAME and 0 < len(name) <= MAX_NAME:
                yield Point(provider, name, Mark(offset, place), arguments)


def _notes(data: bytes) -> Iterator[tuple[int, int, int, list[bytes]]]:
    at = 0
    while at + _HEADER.size <= len(data):
        name_size, size, kind = _HEADER.unpack_from(data, at)
        begin = at + _HEADER.size + (name_size + 3 & ~3)
        owner = data[at + _HEADER.size : at + _HEADER.size + name_size]
        at = begin + (size + 3 & ~3)
        body = data[begin : begin + size]
        texts = body[_ADDRESSES.size :].split(b"\0")
        if kind == _TYPE and owner == b"stapsdt\0" and len(body) == size >= _ADDRESSES.size and len(texts) >= 3:
            yield *_ADDRESSES.unpack_from(body), texts[:3]


def _file_offset(view: Any, address: int) -> int | None:
    """Where in the file an address of data lies."""
    for segment in view.iter_segments("PT_LOAD"):
        if segment["p_vaddr"] <= address < segment["p_vaddr"] + segment["p_filesz"]:
            return int(address - segment["p_vaddr"] + segment["p_offset"])
    return None
