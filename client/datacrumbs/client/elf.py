"""What an executable file is: as much of it as deciding and checking the edit of track.py takes."""

from __future__ import annotations

from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Final

from datacrumbs.core.errors import DataError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

_MAX_TAGS: Final = 10_000
"""Most entries of a dynamic section that are read; real programs have about forty."""


@dataclass(frozen=True, slots=True)
class Image:
    """An ELF file's properties."""

    machine: str
    """Architecture, word size and byte order, as in "x86-64, 64 bit, little-endian"."""
    interpreter: bool
    """Whether a dynamic loader starts it; static programs and most libraries have none."""
    needed: tuple[str, ...]
    """The libraries that it asks for (DT_NEEDED), in their order."""
    sections: frozenset[str]
    end: int
    """Offset in bytes behind the last thing that its tables account for."""


def read(file: BufferedReader, name: str | Path) -> Image:
    """Reads a file's ELF structures.

    Args:
        file: the open file.
        name: what messages call it.

    Raises:
        DataError: it is a script, something else, or broken.
    """
    file.seek(0)
    magic = file.read(4)
    if magic[:2] == b"#!":
        raise DataError(f"{name} is a script", "name the program that runs it, or use datacrumbs_wrap")
    if magic != b"\x7fELF":
        raise DataError(f"{name} is no ELF file", "name a compiled program, or use datacrumbs_wrap")
    try:
        return _image(ELFFile(file))
    except Exception as error:  # pyelftools has no common class for what broken files bring about
        raise DataError(f"{name} is no sound ELF file: {error}", "compile it again") from error


def _image(elf: ELFFile) -> Image:
    segments = list(elf.iter_segments())
    dynamic = [segment for segment in segments if isinstance(segment, DynamicSegment)]
    tags = islice(dynamic[0].iter_tags(), _MAX_TAGS) if dynamic else ()
    sections = [section for section in elf.iter_sections() if section["sh_type"] != "SHT_NOBITS"]
    ends = [
        elf["e_phoff"] + elf["e_phnum"] * elf["e_phentsize"],
        elf["e_shoff"] + elf.num_sections() * elf["e_shentsize"],
        *(segment["p_offset"] + segment["p_filesz"] for segment in segments),
        *(section["sh_offset"] + section["sh_size"] for section in sections),
    ]
    return Image(
        machine=f"{elf.get_machine_arch()}, {elf.elfclass} bit, {'little' if elf.little_endian else 'big'}-endian",
        interpreter=any(segment["p_type"] == "PT_INTERP" for segment in segments),
        needed=tuple(tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"),  # type: ignore[attr-defined,unused-ignore]
        sections=frozenset(section.name for section in sections),
        end=max(ends),
    )
