"""What identifies an ELF file, and where it holds code: read by the signer and by the runtime, of files users own."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from datacrumbs.core.errors import DataError, NoInputError
from datacrumbs.core.files import open_regular
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import StringTableSection
from elftools.elf.segments import NoteSegment

MAX_FILE: Final = 4 << 30
"""Largest file that is hashed for want of a build id, in bytes."""
MAX_SEGMENTS: Final = 1_024
MAX_NAMES: Final = 256 << 20
"""Largest string table, in bytes."""
_MACHINES: Final = {
    "x86_64": "EM_X86_64",
    "aarch64": "EM_AARCH64",
    "ppc64le": "EM_PPC64",
    "s390x": "EM_S390",
    "riscv64": "EM_RISCV",
}
_RUNTIMES: Final = ("libstdc++.so", "libc++.so", "libc++abi.so")
_PERSONALITIES: Final = (
    b"__gxx_personality_v0\0",
    b"__cxa_throw\0",
    b"rust_eh_personality\0",
    b"__gnat_personality_v0\0",
)
"""Names of a file that it throws, catches or cleans up: C++, Rust and Ada (Itanium C++ ABI, level II)."""
_PF_X: Final = 1
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a file that is mapped as code: all in bytes."""

    offset: int
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Image:
    """What is known of an ELF file."""

    build_id: str
    """GNU build id in hex; of a file that has none "sha256:" and the hash of its content."""
    code: tuple[Segment, ...]

    def offset_of(self, address: int) -> int | None:
        """Where in the file the code at a virtual address lies; None where that is no code."""
        for segment in self.code:
            if segment.address <= address < segment.address + segment.size:
                return address - segment.address + segment.offset
        return None

    def address_of(self, offset: int) -> int | None:
        """The virtual address of the code at an offset in the file; None where that is no code."""
        for segment in self.code:
            if segment.offset <= offset < segment.offset + segment.size:
                return offset - segment.offset + segment.address
        return None

    def holds_code(self, offset: int) -> bool:
        """Whether an offset in the file lies in code."""
        return any(segment.offset <= offset < segment.offset + segment.size for segment in self.code)


def read(path: str | Path, *, follow: bool = True) -> Image:
    """Reads a file's program headers and its build id.

    Raises:
        NoInputError: it is missing, unreadable or not a regular file.
        DataError: it is not an ELF file of this machine, or malformed.
    """
    with open_regular(path, follow=follow) as fd:
        return read_open(fd, path)


def read_open(fd: int, name: str | Path) -> Image:
    """The same for an open file, whose position is moved; `name` stands for it in messages."""
    with os.fdopen(os.dup(fd), "rb") as stream:
        elf = parse(stream, name)
        try:
            code = tuple(_code(elf, stat_size(fd)))
            build_id = _build_id(elf)
        except Exception as error:
            raise malformed(name, error) from error
    return Image(build_id or _hash(fd, name), code)


def parse(stream: Any, name: str | Path) -> ELFFile:
    """The pyelftools view of a file, certainly 64-bit and of this machine.

    Raises:
        DataError: it is not.
    """
    try:
        elf = ELFFile(stream)
        machine, bits = str(elf["e_machine"]), elf.elfclass
        segments, sections = elf.num_segments(), elf.num_sections()
    except Exception as error:
        raise malformed(name, error) from error
    here = os.uname().machine
    if bits != 64 or machine != _MACHINES.get(here, machine):
        raise DataError(f"{name} is a {bits}-bit {machine} file, this machine is {here}", "name a file of this machine")
    if segments > MAX_SEGMENTS or sections > 1 << 17:
        raise DataError(
            f"{name} has {segments} segments and {sections} sections", "name an ordinary program or library"
        )
    return elf


def passes_exceptions(file: ELFFile) -> bool:
    """Whether exceptions may pass through a file's functions: whether it throws, catches or cleans up."""
    for section in file.iter_sections():
        if isinstance(section, DynamicSection):
            needed = [str(getattr(tag, "needed", "")) for tag in section.iter_tags("DT_NEEDED")]
            if any(library.startswith(_RUNTIMES) for library in needed):
                return True
        if isinstance(section, StringTableSection):
            names = content(section, MAX_NAMES)
            if any(name in names for name in _PERSONALITIES):
                return True
    return False


def content(section: Any, most: int) -> bytes:
    """The bytes of a section, unpacked where they are packed.

    Args:
        section: pyelftools' view of it.
        most: the limit in bytes, before and after unpacking: a small file may claim, or unpack to, more than there is
            memory.

    Raises:
        ValueError: it is larger.
    """
    size = max(int(section["sh_size"]), int(section.data_size))
    if size > most:
        raise ValueError(f"section {str(section.name)[:64]} has {size} bytes")
    return bytes(section.data())


def malformed(name: str | Path, error: Exception) -> DataError:
    """The error for a file that pyelftools cannot make sense of."""
    detail = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
    return DataError(f"{name} is not a valid ELF file: {detail}", "name a program or a library")


def stat_size(fd: int) -> int:
    """The size of an open regular file in bytes."""
    status = os.fstat(fd)
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _code(elf: ELFFile, size: int) -> Iterator[Segment]:
    for segment in elf.iter_segments("PT_LOAD"):
        offset, length = int(segment["p_offset"]), int(segment["p_filesz"])
        if segment["p_flags"] & _PF_X and length > 0 and offset + length <= size:
            yield Segment(offset, int(segment["p_vaddr"]), length)


def _build_id(elf: ELFFile) -> str:
    for segment in elf.iter_segments("PT_NOTE"):
        if not isinstance(segment, NoteSegment) or segment["p_filesz"] > 1 << 16:
            continue
        for note in segment.iter_notes():
            if note["n_type"] == "NT_GNU_BUILD_ID" and 1 <= note["n_descsz"] <= 64:
                return str(note["n_desc"]).lower()
    return ""


def _hash(fd: int, name: str | Path) -> str:
    if stat_size(fd) > MAX_FILE:
        raise DataError(f"{name} has no build id and more than {MAX_FILE} bytes", "link it with --build-id")
    digest, position = hashlib.sha256(), 0
    try:
        while part := os.pread(fd, _CHUNK, position):
            digest.update(part)
            position += len(part)
    except OSError as error:
        raise NoInputError(f"cannot read {name}: {error.strerror}", "check the file system") from error
    return f"sha256:{digest.hexdigest()}"
