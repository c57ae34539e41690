"""BTF: what a kernel says of its own types and functions (Documentation/bpf/btf.rst in the kernel's sources).

Everybody may read /sys/kernel/btf. A module's types continue those of the kernel proper ("split BTF"), so a `Btf` of a
module has the kernel's as its base, and numbers its types and texts on from there.
"""

from __future__ import annotations

import functools
import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datacrumbs.core.errors import DataError, UnavailableError
from datacrumbs.core.files import read_regular

FOLDER: Final = Path("/sys/kernel/btf")
MAX_BYTES: Final = 64 << 20

_HEADER: Final = struct.Struct("<HBBIIIII")
_TYPE: Final = struct.Struct("<III")
_MAGIC: Final = 0xEB9F
_INT, _PTR, _ARRAY, _STRUCT, _UNION, _ENUM, _FWD, _TYPEDEF, _VOLATILE, _CONST, _RESTRICT = range(1, 12)
_FUNC, _FUNC_PROTO, _VAR, _DATASEC, _FLOAT, _DECL_TAG, _TYPE_TAG, _ENUM64 = range(12, 20)
_MODIFIERS: Final = frozenset((_TYPEDEF, _VOLATILE, _CONST, _RESTRICT, _TYPE_TAG))
_TAIL: Final = {
    _INT: (4, 0), _ARRAY: (12, 0), _STRUCT: (0, 12), _UNION: (0, 12), _ENUM: (0, 8), _FUNC_PROTO: (0, 8), _VAR: (4, 0),
    _DATASEC: (0, 12), _DECL_TAG: (4, 0), _ENUM64: (0, 12),
}  # fmt: skip
"""By kind: bytes behind the type's head, and bytes for each of its members."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function, and its type's number."""

    name: str
    type: int


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer, enumeration or boolean: what it is called, its size in bytes, and whether it has a sign."""

    name: str
    size: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member is that was looked for by its path.

    `offsets`: bytes to add; between any two of them the pointer found there is followed. `type`: the member's.
    """

    offsets: tuple[int, ...]
    type: int


class Btf:
    """A kernel's or a module's types.

    Args:
        data: the bytes.
        name: for messages.
        base: the kernel's own, for a module.

    Raises:
        DataError: it is damaged.
    """

    def __init__(self, data: bytes, name: str, base: Btf | None = None) -> None:
        self._data, self._name, self._base = data, name, base
        self._first: int = base.types if base else 1
        self._texts_before: int = base.texts_end if base else 0
        try:
            magic, version, _, head, types, types_size, texts, texts_size = _HEADER.unpack_from(data)
            if magic != _MAGIC or version != 1:
                raise ValueError("not BTF of this machine")
            self._texts = head + texts
            self.texts_end: int = self._texts_before + texts_size
            self._places = list(self._walk(head + types, head + types + types_size))
        except (struct.error, ValueError, KeyError) as error:
            raise DataError(f"{name} is no BTF that can be read: {error}", "report it", who="developer") from error
        self.types: int = self._first + len(self._places)
        self._functions: dict[str, int] | None = None
        self._named: dict[tuple[int, str], int] | None = None

    def _walk(self, at: int, end: int) -> Iterator[int]:
        data = self._data
        unpack = _TYPE.unpack_from
        tails = [_TAIL.get(kind, (0, 0)) for kind in range(32)]
        while at < end:
            yield at
            info = unpack(data, at)[1]
            fixed, each = tails[info >> 24 & 31]
            at += 12 + fixed + each * (info & 0xFFFF)
        if at != end:
            raise ValueError("the types do not end where they should")

    def _text(self, offset: int) -> str:
        if self._base and offset < self._texts_before:
            return self._base._text(offset)  # noqa: SLF001 - our own kind
        start = self._texts + offset - self._texts_before
        end = self._data.find(b"\0", start)
        return self._data[start : end if end >= 0 else None].decode("utf-8", "replace")

    def _head(self, number: int) -> tuple[int, str, int, int, int]:
        """Kind, name, number of members, size or type, and where in the data what follows begins."""
        if number == 0:
            return 0, "void", 0, 0, 0
        if self._base and number < self._first:
            return self._base._head(number)  # noqa: SLF001
        if not 0 <= number - self._first < len(self._places):
            raise DataError(f"{self._name}: there is no type {number}", "report it", who="developer")
        at = self._places[number - self._first]
        name, info, size = _TYPE.unpack_from(self._data, at)
        return info >> 24 & 31, self._text(name), info & 0xFFFF, size, at + 12

    def _owner(self, number: int) -> Btf:
        return self._base._owner(number) if self._base and number < self._first else self  # noqa: SLF001

    def functions(self) -> dict[str, int]:
        """All functions by name, with the numbers of their prototypes."""
        if self._functions is None:
            found = {}
            for place in self._places:
                name, info, prototype = _TYPE.unpack_from(self._data, place)
                if info >> 24 & 31 == _FUNC:
                    found[self._text(name)] = prototype
            self._functions = found
        return self._functions

    def _by_name(self, kind: int, name: str) -> int | None:
        if self._named is None:
            self._named = {}
            for index, place in enumerate(self._places):
                text, info, _ = _TYPE.unpack_from(self._data, place)
                if info >> 24 & 31 in (_STRUCT, _UNION, _TYPEDEF) and text:
                    self._named.setdefault((info >> 24 & 31, self._text(text)), self._first + index)
        return self._named.get((kind, name)) or (self._base._by_name(kind, name) if self._base else None)  # noqa: SLF001

    def typedefs(self) -> Iterator[str]:
        """The names of all type definitions."""
        for place in self._places:
            name, info, _ = _TYPE.unpack_from(self._data, place)
            if info >> 24 & 31 == _TYPEDEF:
                yield self._text(name)

    def parameters(self, prototype: int) -> tuple[Parameter, ...]:
        """The parameters of a prototype, whose number `functions` gives; one for "…" is left out."""
        kind, _, count, _, at = self._head(prototype)
        if kind != _FUNC_PROTO:
            return ()
        owner = self._owner(prototype)
        pairs = struct.iter_unpack("<II", owner._data[at : at + 8 * count])  # noqa: SLF001
        return tuple(Parameter(self._text(name), number) for name, number in pairs if number)

    def returns(self, prototype: int) -> int:
        """The type that a prototype returns; 0: nothing."""
        return self._head(prototype)[3]

    def tracepoint(self, event: str) -> tuple[Parameter, ...] | None:
        """What a tracepoint passes to its probes; None where there is no such tracepoint.

        Its type is `btf_trace_EVENT` (include/trace/bpf_probe.h). That has no names; `__probestub_EVENT`
        (Linux 6.4) or the function that calls BPF programs, `__bpf_trace_CLASS`, has them.
        """
        number = self._by_name(_TYPEDEF, f"btf_trace_{event}")
        if number is None:
            return None
        _, _, _, pointer, _ = self._head(number)
        bare = self.parameters(self._head(pointer)[3])[1:]
        for name in (f"__probestub_{event}", f"__bpf_trace_{event}", *self._classes(event)):
            prototype = self.functions().get(name)
            named = self.parameters(prototype)[1:] if prototype else ()
            if [p.type for p in named] == [p.type for p in bare]:
                return named
        return bare

    def _classes(self, event: str) -> Iterator[str]:
        """Functions of event classes that this event may be of: `ext4__write_begin` serves `ext4_da_write_begin`."""
        subsystem = event.split("_")[0]
        return (name for name in self.functions() if name.startswith(f"__bpf_trace_{subsystem}"))

    def bare(self, number: int) -> tuple[int, str, int]:
        """A type without its names and qualifiers: kind, name, number."""
        for _ in range(32):
            kind, name, _, size, _ = self._head(number)
            if kind not in _MODIFIERS:
                return kind, name, number
            number = size
        return 0, "", 0

    def written(self, number: int) -> str:
        """The name by which a type goes in the source, without qualifiers: `dev_t`, `struct inode *`."""
        for _ in range(32):
            kind, name, _, size, _ = self._head(number)
            if kind == _PTR:
                return f"{self.written(size)} *"
            if kind in (_STRUCT, _UNION):
                return f"{'struct' if kind == _STRUCT else 'union'} {name}"
            if name and kind not in (_CONST, _VOLATILE, _RESTRICT, _TYPE_TAG):
                return name
            number = size
        return "?"

    def pointer_to(self, number: int) -> str | None:
        """The name of the structure that a type points to; "" for a pointer to something else; None: no pointer."""
        kind, _, number = self.bare(number)
        if kind != _PTR:
            return None
        kind, name, _ = self.bare(self._head(number)[3])
        return name if kind in (_STRUCT, _FWD) else ""

    def integer(self, number: int) -> Integer | None:
        """The type as an integer; None for others."""
        kind, name, plain = self.bare(number)
        _, _, _, size, at = self._head(plain)
        if kind == _INT and 0 < size <= 8:
            (details,) = struct.unpack_from("<I", self._owner(plain)._data, at)  # noqa: SLF001
            return Integer(name, size, bool(details >> 24 & 1))
        return Integer(name, size, True) if kind in (_ENUM, _ENUM64) and size <= 8 else None

    def member(self, structure: str, path: str) -> Place | None:
        """Where a member of a structure is.

        Args:
            structure: its name.
            path: `i_sb.s_dev`; a pointer on the way is followed.

        Returns:
            None where this kernel has it not, or it is a bit field.
        """
        number = self._by_name(_STRUCT, structure)
        offsets = [0]
        for index, name in enumerate(path.split(".")):
            if number is None:
                return None
            kind, _, plain = self.bare(number)
            if index and kind == _PTR:
                kind, _, plain = self.bare(self._head(plain)[3])
                offsets.append(0)
            found = self._find(plain, name) if kind in (_STRUCT, _UNION) else None
            if found is None:
                return None
            offsets[-1] += found[0]
            number = found[1]
        return Place(tuple(offsets), number) if number is not None and max(offsets) < 1 << 16 else None

    def _find(self, number: int, wanted: str) -> tuple[int, int] | None:
        """Offset in bytes and type of a member, also of one in a nameless structure inside."""
        _, _, count, _, at = self._head(number)
        _, info, _ = _TYPE.unpack_from(self._owner(number)._data, at - 12)  # noqa: SLF001
        for name, member, bits in struct.iter_unpack("<III", self._owner(number)._data[at : at + 12 * count]):  # noqa: SLF001
            offset, width = (bits & 0xFFFFFF, bits >> 24) if info >> 31 else (bits, 0)
            text = self._text(name)
            if text == wanted:
                return None if width or offset % 8 else (offset // 8, member)
            kind, _, plain = self.bare(member)
            if not text and kind in (_STRUCT, _UNION):
                inner = self._find(plain, wanted)
                if inner:
                    return offset // 8 + inner[0], inner[1]
        return None


@functools.cache
def kernel() -> Btf:
    """The running kernel's.

    Raises:
        UnavailableError: it has none.
    """
    path = FOLDER / "vmlinux"
    if not path.exists():
        raise UnavailableError("this kernel has no BTF (/sys/kernel/btf/vmlinux)", "use one with CONFIG_DEBUG_INFO_BTF")
    return Btf(read_regular(path, MAX_BYTES), str(path))


@functools.cache
def module(name: str) -> Btf | None:
    """A loaded module's; None where it has none."""
    path = FOLDER / name
    return Btf(read_regular(path, MAX_BYTES), str(path), kernel()) if "/" not in name and path.exists() else None


def all_loaded() -> Iterator[Btf]:
    """The kernel's, then those of all its modules."""
    yield kernel()
    for path in sorted(FOLDER.iterdir()):
        if path.name != "vmlinux":
            found = module(path.name)
            if found:
                yield found


def fingerprint() -> str:
    """What tells kernels apart whose types may differ: the hash of the kernel's notes, which hold its build id."""
    try:
        notes = Path("/sys/kernel/notes").read_bytes()
    except OSError:
        notes = os.uname().version.encode()
    return hashlib.sha256(os.uname().release.encode() + notes).hexdigest()[:16]
