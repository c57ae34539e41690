"""Inflating: whole members in any order of workers, and what is left when a file is cut, damaged or not gzip."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from datacrumbs.analysis.reading import members
from datacrumbs.analysis.reading.members import Damage, MemberEnd, Span
from hypothesis import given
from hypothesis import strategies as st
from tracegen import gzip_member

LINES = b"".join(b'{"name":"read","n":%d,"noise":"%x"}\n' % (n, hash(str(n))) for n in range(2000))


@pytest.fixture
def member() -> bytes:
    return gzip_member(LINES)


def everything(path: Path) -> tuple[bytes, list[Damage]]:
    """The text of a file, read span by span, and what was wrong with it."""
    text, damage = [], []
    fd = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(fd).st_size
        for span in members.spans(fd, 0, size):
            for piece in members.inflate(fd, span):
                if isinstance(piece, bytes):
                    text.append(piece)
                elif isinstance(piece, Damage):
                    damage.append(piece)
    finally:
        os.close(fd)
    return b"".join(text), damage


def written(folder: Path, data: bytes) -> Path:
    path = folder / "trace.pfw.gz"
    path.write_bytes(data)
    return path


def test_every_member_is_found(tmp_path: Path, member: bytes) -> None:
    path, size = written(tmp_path, member * 5), 5 * len(member)
    fd = os.open(path, os.O_RDONLY)
    after = [members.boundary(fd, size, begin) for start in range(0, size, len(member)) for begin in (start, start + 1)]
    os.close(fd)
    assert after == [number * len(member) for number in (0, 1, 1, 2, 2, 3, 3, 4, 4, 5)]


def test_magic_bytes_inside_a_member_are_no_boundary(tmp_path: Path) -> None:
    """Only a header that is followed by the beginning of a record counts."""
    stored = gzip_member(b'{"a":"' + members.MAGIC * 50 + b'"}\n', level=0)
    text, damage = everything(written(tmp_path, stored * 2))
    assert text == (b'{"a":"' + members.MAGIC * 50 + b'"}\n') * 2
    assert not damage


def test_spans_cover_the_file_without_gaps(tmp_path: Path, member: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is of whole members, and as long as is worth a worker's while; towards the end they are shorter."""
    monkeypatch.setattr(members, "SPAN", 2 * len(member) + 1)
    monkeypatch.setattr(members, "_LEAST_SPAN", 100)
    monkeypatch.setattr(members, "_SEARCHED", 1000)
    path = written(tmp_path, member * 30)
    fd = os.open(path, os.O_RDONLY)
    spans = list(members.spans(fd, 0, 30 * len(member)))
    os.close(fd)
    ends = [0, 3, 6, 9, 12, 15, 17, 19, 21, *range(23, 31)]
    assert spans == [Span(begin * len(member), end * len(member)) for begin, end in itertools.pairwise(ends)]


def test_pieces_are_small_however_much_a_member_holds(tmp_path: Path) -> None:
    """A member that inflates to a thousand times its size costs no more memory than another."""
    bomb = gzip_member(b'{"a":1}\n' * (8 << 20))
    path = written(tmp_path, bomb)
    fd = os.open(path, os.O_RDONLY)
    pieces = [p for p in members.inflate(fd, Span(0, len(bomb))) if isinstance(p, bytes)]
    os.close(fd)
    assert max(map(len, pieces)) <= 256 << 10
    assert sum(map(len, pieces)) == 64 << 20


def test_a_cut_file_reads_to_the_cut(tmp_path: Path, member: bytes) -> None:
    text, damage = everything(written(tmp_path, member * 3 + member[: len(member) // 2]))
    assert text.startswith(LINES * 3) and len(text) > 3.2 * len(LINES)
    assert [d.cut for d in damage] == [True]


def test_damage_costs_one_member(tmp_path: Path, member: bytes) -> None:
    broken = bytearray(member)
    broken[len(member) // 2] ^= 0xFF
    path = written(tmp_path, member + bytes(broken) + member)
    fd = os.open(path, os.O_RDONLY)
    whole = [p for p in members.inflate(fd, Span(0, 3 * len(member))) if not isinstance(p, bytes)]
    os.close(fd)
    assert isinstance(whole[0], MemberEnd) and whole[0].next == len(member)
    assert isinstance(whole[1], Damage) and whole[1].offset == len(member)
    assert isinstance(whole[2], MemberEnd) and whole[2].next == 3 * len(member)


def test_a_wrong_checksum_is_damage(tmp_path: Path, member: bytes) -> None:
    _, damage = everything(written(tmp_path, member[:-8] + b"\0\0\0\0" + member[-4:]))
    assert "checksum" in damage[0].reason


def test_what_follows_the_last_member_is_named(tmp_path: Path, member: bytes) -> None:
    text, damage = everything(written(tmp_path, member + b"\0" * 512))
    assert text == LINES
    assert [d.offset for d in damage] == [len(member)]


@given(data=st.binary(max_size=300), cut=st.integers(0, 2000), at=st.integers(0, 2000))
def test_nothing_in_a_file_raises(tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int, at: int) -> None:
    """Any bytes, anywhere in a trace: there is text, there is damage, and there is an end."""
    member = gzip_member(LINES[:2000])
    whole = member * 3
    everything(written(tmp_path_factory.mktemp("any"), whole[:at] + data + whole[at + len(data) : len(whole) - cut]))


@pytest.fixture(autouse=True)
def _no_descriptor_stays() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before
