"""ELF files with symbols and debugging information, made in memory: sound ones of every kind, and damaged ones.

elf(ElfFile())                                       # a library of this machine with FUNCTIONS and their signatures
elf(ElfFile(machine=183, little=False))              # of another
damaged(data, section(".symtab", "sh_offset"), 2**60)

The layouts are those of elf(5) and of DWARF 4, chapter 7.
"""

from __future__ import annotations

import platform
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

X86_64, AARCH64, PPC64, I386 = 62, 183, 21, 3
HERE = {"x86_64": X86_64, "aarch64": AARCH64, "ppc64le": PPC64, "s390x": 22, "riscv64": 243}[platform.machine()]
BUILD_ID = bytes(range(1, 21))
TEXT, STEP = 0x1000, 0x10
"""Where code begins, in the file and in memory, and how far functions are apart."""

_FORMATS = {
    64: ("{}HHIQQQIHHHHHH", "{}IIQQQQQQ", "{}IIQQQQIIQQ"),
    32: ("{}HHIIIIIHHHHHH", "{}IIIIIIII", "{}IIIIIIIIII"),
}
"""By class: what follows e_ident, a program header, a section header."""
_SHT = {"progbits": 1, "symtab": 2, "strtab": 3, "note": 7, "nobits": 8, "dynsym": 11}
_COMPRESSED = 0x800


@dataclass
class Die:
    """A debugging information entry: attributes by number, each with its form; a Die as value is a reference to it."""

    tag: int
    attributes: dict[int, tuple[int, object]] = field(default_factory=dict)
    children: list[Die] = field(default_factory=list)


NAME, BYTE_SIZE, LOW_PC, TYPE, ENCODING, ORIGIN = 0x03, 0x0B, 0x11, 0x49, 0x3E, 0x31
UNIT, BASE_TYPE, POINTER, CONST, TYPEDEF, SUBPROGRAM, PARAMETER, STRUCTURE = 0x11, 0x24, 0xF, 0x26, 0x16, 0x2E, 5, 0x13
ADDRESS, DATA8, STRING, DATA1, REF4, REF_ALT = 0x01, 0x07, 0x08, 0x0B, 0x13, 0x1F20


def named(tag: int, name: str, children: Sequence[Die] = (), **more: object) -> Die:
    """An entry with a name, and with `type` and `size`, `encoding` or `address` where they are given."""
    known = {
        "type": (TYPE, REF4),
        "size": (BYTE_SIZE, DATA1),
        "encoding": (ENCODING, DATA1),
        "address": (LOW_PC, ADDRESS),
    }
    attributes: dict[int, tuple[int, object]] = {NAME: (STRING, name)} if name else {}
    attributes |= {known[key][0]: (known[key][1], value) for key, value in more.items()}
    return Die(tag, attributes, list(children))


def unit() -> Die:
    """What a compiler says of
    `long put(int fd, const char *path, const void *data, unsigned long count); void none(void); float ratio(float x);`
    """
    integer, long = named(BASE_TYPE, "int", size=4, encoding=5), named(BASE_TYPE, "long", size=8, encoding=5)
    count, letter = named(BASE_TYPE, "unsigned long", size=8, encoding=7), named(BASE_TYPE, "char", size=1, encoding=6)
    real = named(BASE_TYPE, "float", size=4, encoding=4)
    constant, nothing = named(CONST, "", type=letter), Die(CONST)
    text, data = named(POINTER, "", type=constant), named(POINTER, "", type=nothing)
    parameters = [("fd", integer), ("path", text), ("data", data), ("count", count)]
    put = named(SUBPROGRAM, "put", [named(PARAMETER, n, type=t) for n, t in parameters], type=long, address=TEXT)
    none = named(SUBPROGRAM, "none", address=TEXT + STEP)
    ratio = named(SUBPROGRAM, "ratio", [named(PARAMETER, "x", type=real)], type=real, address=TEXT + 2 * STEP)
    types = [integer, long, count, letter, real, constant, nothing, text, data]
    return named(UNIT, "made.c", [*types, put, none, ratio])


@dataclass
class ElfFile:
    """What is wanted of a file."""

    functions: Sequence[str] = ("put", "none", "ratio")
    bits: int = 64
    little: bool = True
    machine: int = HERE
    symbols: str = "symtab"
    """symtab or dynsym; "" for a file without symbols."""
    build_id: bytes = BUILD_ID
    debug: Die | None = field(default_factory=unit)
    link: str = ""
    """What .gnu_debuglink names."""
    packed: str = ""
    """How debugging information is packed: zlib, zstd (in name only), or old (.zdebug_info)."""


def _leb(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def debug_sections(top: Die, order: str, address_bytes: int) -> dict[str, bytes]:
    """.debug_info and .debug_abbrev of one unit: DWARF 4, each entry with an abbreviation of its own."""
    abbreviations, body, places, patches = b"", bytearray(), {}, []

    def add(die: Die) -> None:
        nonlocal abbreviations
        places[id(die)] = 11 + len(body)
        number = _leb(len(places))
        forms = b"".join(_leb(name) + _leb(form) for name, (form, _) in die.attributes.items())
        abbreviations += number + _leb(die.tag) + bytes([bool(die.children)]) + forms + b"\0\0"
        body.extend(number)
        for form, value in die.attributes.values():
            if form == STRING:
                body.extend(str(value).encode() + b"\0")
            elif form in (REF4, REF_ALT):
                patches.append((len(body), value))
                body.extend(bytes(4))
            else:
                assert isinstance(value, int)
                size = {DATA1: 1, DATA8: 8, ADDRESS: address_bytes}[form]
                body.extend(value.to_bytes(size, "little" if order == "<" else "big"))
        for child in die.children:
            add(child)
        if die.children:
            body.append(0)

    add(top)
    for at, value in patches:
        struct.pack_into(f"{order}I", body, at, value if isinstance(value, int) else places[id(value)])
    head = struct.pack(f"{order}IHIB", len(body) + 7, 4, 0, address_bytes)
    return {".debug_info": head + bytes(body), ".debug_abbrev": abbreviations + b"\0"}


def elf(file: ElfFile) -> bytes:
    """The bytes of a file; see `ElfFile`."""
    order, wide = "<" if file.little else ">", file.bits == 64
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if file.little else 2, 1]) + bytes(9)
    head_format, program_format, section_format = (text.format(order) for text in _FORMATS[file.bits])
    code = b"\x55\xc3".ljust(STEP, b"\x90") * max(len(file.functions), 1)
    sections: list[tuple[str, str, int, bytes, int]] = [(".text", "progbits", 0, code, 0)]
    note = struct.pack(f"{order}III4s", 4, len(file.build_id), 3, b"GNU\0") + file.build_id
    if file.build_id:
        sections.append((".note.gnu.build-id", "note", 0, note, 0))
    if file.symbols:
        names, table = b"\0", bytes(24 if wide else 16)
        for index, name in enumerate(file.functions):
            place = TEXT + index * STEP
            if wide:
                table += struct.pack(f"{order}IBBHQQ", len(names), 0x12, 0, 1, place, STEP)
            else:
                table += struct.pack(f"{order}IIIBBH", len(names), place, STEP, 0x12, 0, 1)
            names += name.encode() + b"\0"
        strings = ".strtab" if file.symbols == "symtab" else ".dynstr"
        sections.append((f".{file.symbols}", file.symbols, 0, table, len(sections) + 2))
        sections.append((strings, "strtab", 0, names, 0))
    for name, data in (debug_sections(file.debug, order, file.bits // 8) if file.debug else {}).items():
        sections.append(_packed(name, data, file.packed, order, wide))
    if file.link:
        sections.append((".gnu_debuglink", "progbits", 0, file.link.encode() + b"\0" * 8, 0))
    titles = b"\0" + b"".join(name.encode() + b"\0" for name, *_ in sections) + b".shstrtab\0"
    sections.append((".shstrtab", "strtab", 0, titles, 0))

    out, table, entry = bytearray(TEXT), struct.pack(section_format, *[0] * 10), 1
    places = {}
    for name, kind, flags, data, link in sections:
        places[name] = len(out)
        size = 24 if wide else 16
        address = TEXT if name == ".text" else 0
        each = size if kind in ("symtab", "dynsym") else 0
        values = (
            titles.index(name.encode() + b"\0"),
            _SHT[kind],
            flags,
            address,
            len(out),
            len(data),
            link,
            int(each > 0),
            1,
            each,
        )
        table += struct.pack(section_format, *values)
        out += data + bytes(-len(data) % 8)
        entry += 1
    head_size = 64 if wide else 52
    programs = [(1, 5, places[".text"], TEXT, len(code))]
    if file.build_id:
        programs.append((4, 4, places[".note.gnu.build-id"], 0, len(note)))
    headers = b""
    for kind, flags, offset, address, size in programs:
        if wide:
            headers += struct.pack(program_format, kind, flags, offset, address, address, size, size, 4)
        else:
            headers += struct.pack(program_format, kind, offset, address, address, size, size, flags, 4)
    sizes = (
        head_size,
        struct.calcsize(program_format),
        len(programs),
        struct.calcsize(section_format),
        entry,
        entry - 1,
    )
    head = ident + struct.pack(head_format, 3, file.machine, 1, 0, head_size, len(out), 0, *sizes)
    out[: len(head) + len(headers)] = head + headers
    return bytes(out + table)


def _packed(name: str, data: bytes, how: str, order: str, wide: bool) -> tuple[str, str, int, bytes, int]:
    if how == "old":
        return f".z{name[1:]}", "progbits", 0, b"ZLIB" + struct.pack(">Q", len(data)) + zlib.compress(data), 0
    if not how:
        return name, "progbits", 0, data, 0
    layout = f"{order}IIQQ" if wide else f"{order}III"
    kind = {"zlib": 1, "zstd": 2}[how]
    head = (kind, 0, len(data), 1) if wide else (kind, len(data), 1)
    return name, "progbits", _COMPRESSED, struct.pack(layout, *head) + zlib.compress(data), 0


Change = Callable[[bytearray], None]
_MEMBERS = {"sh_name": 0, "sh_type": 4, "sh_flags": 8, "sh_addr": 16, "sh_offset": 24, "sh_size": 32, "sh_link": 40}


def header(name: str, member: str, value: int) -> Change:
    """Sets a member of a section's header, in a 64-bit little-endian file."""

    def change(data: bytearray) -> None:
        at = _header(data, name) + _MEMBERS[member]
        struct.pack_into("<I" if member in ("sh_name", "sh_type", "sh_link") else "<Q", data, at, value)

    return change


def body(name: str, put: Callable[[bytes], bytes]) -> Change:
    """Changes a section's bytes, in their place."""

    def change(data: bytearray) -> None:
        offset, size = struct.unpack_from("<QQ", data, _header(data, name) + 24)
        new = put(bytes(data[offset : offset + size]))[:size]
        data[offset : offset + len(new)] = new

    return change


def cut(name: str, keep: int) -> Change:
    """Ends a section after some bytes: its header says so, too."""
    return header(name, "sh_size", keep)


def _header(data: bytearray, name: str) -> int:
    (table,), (count, titles) = struct.unpack_from("<Q", data, 40), struct.unpack_from("<HH", data, 60)
    (strings,) = struct.unpack_from("<Q", data, table + 64 * titles + 24)
    for index in range(count):
        (at,) = struct.unpack_from("<I", data, table + 64 * index)
        if data[strings + at :].startswith(name.encode() + b"\0"):
            return table + 64 * index
    raise KeyError(name)
