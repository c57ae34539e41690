"""Inflating a trace piece by piece, many gzip members at once.

A trace is a row of gzip members, each of which ends at the end of a line (docs/trace-format.md), so members can be
inflated independently of each other, and damage to one costs that one alone. Nothing in a gzip file says where its
members begin; `boundary` finds places where a header is followed by data that inflates to a record.

The inflater is ISA-L's: it needs about half of zlib's time, checks every member's CRC and releases the interpreter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from isal import igzip_lib

MAGIC: Final = b"\x1f\x8b\x08"
"""What a gzip member begins with: its identification and the method, deflate (RFC 1952, section 2.3)."""
_BROKEN: Final = cast("type[Exception]", igzip_lib.IsalError)
"""What the inflater raises; its stubs say less."""
_RESERVED_FLAGS: Final = 0xE0
_HEAD: Final = 1024
"""Compressed bytes that are enough to see how a member's text begins, whatever its Huffman tables."""
_RECORD: Final = re.compile(rb'\{\s*"|\[\s')
_SEARCHED: Final = 256 << 10
"""Bytes that are searched for the beginning of a member at once."""
_INPUT: Final = 128 << 10
_OUTPUT: Final = 256 << 10
"""Inflated bytes at a time: small pieces stay in the processor's cache, and cost no fresh memory from the kernel."""
SPAN: Final = 2 << 20
"""Compressed bytes that one worker takes at once, about."""
_LEAST_SPAN: Final = 256 << 10
"""The same towards the end, where spans get shorter, so that all workers end at about the same time."""
_SPANS: Final = 8
"""Spans that are still to come, at least, unless they would be too short."""


class Span(NamedTuple):
    """A part of a file that can be read by itself, in bytes from its start; it holds whole members."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """A place where a file could not be read on. `cut` means that the file ends there in mid-member."""

    offset: int
    reason: str
    cut: bool = False


class MemberEnd(NamedTuple):
    """A member is complete; `next` is the offset of what follows."""

    next: int


def is_gzip(fd: int) -> bool:
    """Whether a file begins as a gzip file does."""
    return os.pread(fd, len(MAGIC), 0) == MAGIC


def boundary(fd: int, size: int, begin: int) -> int:
    """The first offset from `begin` on at which a member begins that begins with a whole line; `size` without one."""
    overlap = len(MAGIC) - 1
    for block in range(begin, size, _SEARCHED):
        data = os.pread(fd, min(_SEARCHED + overlap, size - block), block)
        at = data.find(MAGIC)
        while at >= 0:
            if _begins_a_record(fd, block + at):
                return block + at
            at = data.find(MAGIC, at + 1)
    return size


def _begins_a_record(fd: int, offset: int) -> bool:
    head = os.pread(fd, _HEAD, offset)
    if len(head) < 4 or head[3] & _RESERVED_FLAGS:
        return False
    try:
        text = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP).decompress(head, 16)
    except _BROKEN:
        return False
    return _RECORD.match(text) is not None


def spans(fd: int, begin: int, end: int) -> Iterator[Span]:
    """Cuts a part of a file, which begins and ends as a member does, where members begin, so that workers can share it.

    Each is looked for when somebody asks for it: the first ones are read while others are still unknown.
    """
    while begin < end:
        size = max(_LEAST_SPAN, min(SPAN, (end - begin) // _SPANS))
        cut = boundary(fd, end, min(begin + size, end))
        yield Span(begin, cut)
        begin = cut


def inflate(fd: int, span: Span) -> Iterator[bytes | MemberEnd | Damage]:
    """The text of a span, piece by piece.

    A damaged member is given up where the damage shows; reading goes on where the next one begins, or ends.

    Yields:
        Text in pieces of at most 256 KiB; a `MemberEnd` after each whole member; a `Damage` where there is some, which
        concerns all text since the last `MemberEnd`.
    """
    offset = span.start
    while offset < span.end:
        try:
            member = _Member(fd, offset, span.end)
            yield from member
        except _BROKEN as error:
            yield Damage(offset, re.sub(r"^Error -?\d+ ", "", str(error)).lower())
            offset = boundary(fd, span.end, offset + 1)
            continue
        if not member.complete:
            yield Damage(offset, "the file ends in the middle of a member", cut=True)
            return
        offset = member.next
        yield MemberEnd(offset)
        if offset < span.end and os.pread(fd, len(MAGIC), offset) != MAGIC[: span.end - offset]:
            yield Damage(offset, "something that is not gzip data follows a member")
            offset = boundary(fd, span.end, offset + 1)


class _Member:
    """One gzip member of a file: iterates over its text; then says where it ended."""

    def __init__(self, fd: int, offset: int, end: int) -> None:
        self._fd, self._at, self._end = fd, offset, end
        self.complete = False
        self.next = offset

    def __iter__(self) -> Iterator[bytes]:
        inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        while not inflater.eof:
            data = b""
            if inflater.needs_input:
                data = os.pread(self._fd, min(_INPUT, self._end - self._at), self._at)
                if not data:
                    return
                self._at += len(data)
            yield inflater.decompress(data, _OUTPUT)
        self.complete = True
        self.next = self._at - len(inflater.unused_data)


def read_plain(fd: int, size: int) -> Iterator[bytes | MemberEnd | Damage]:
    """The text of a file that is not compressed, in the form of `inflate`."""
    for offset in range(0, size, _OUTPUT):
        yield os.pread(fd, min(_OUTPUT, size - offset), offset)
    yield MemberEnd(size)
