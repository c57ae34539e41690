"""USDT probes as files describe them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from datacrumbs.configurator import marks
from datacrumbs.configurator.material import Point
from datacrumbs.configurator.sources import usdt
from datacrumbs.core.probes import Argument, Place
from datacrumbs.core.usdt import Mark
from hypothesis import given
from hypothesis import strategies as st


def point(name: str, arguments: str = "", provider: str = "p", offset: int = 1) -> Point:
    return Point(provider, name, Mark(offset), arguments)


def memory(register: str, offset: int = 0) -> Place:
    return Place(register, offset, dereference=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("8@%rax", [("u64", Place("ax"))]),
        ("-4@%eax", [("i32", Place("ax"))]),
        ("2@%ax 1@%al", [("u16", Place("ax")), ("u8", Place("ax"))]),
        ("-8@%r12 4@%r8d", [("i64", Place("r12")), ("u32", Place("r8"))]),
        ("-2@%r15w 1@%r9b", [("i16", Place("r15")), ("u8", Place("r9"))]),
        ("1@%dil -4@%ebp 8@%rsp", [("u8", Place("di")), ("i32", Place("bp")), ("u64", Place("sp"))]),
        ("-4@$-7 8@$0x10", [("i32", Place("const", -7)), ("u64", Place("const", 16))]),
        ("-4@112(%rsp) 8@(%rdi)", [("i32", memory("sp", 112)), ("u64", memory("di"))]),
        ("-8@-0x10(%rbp)", [("i64", memory("bp", -16))]),
        ("8f@8(%rsp) 4f@(%rax)", [("f64", memory("sp", 8)), ("f32", memory("ax"))]),
        ("8f@%xmm0 8@(%rax,%rbx,8) 8@global(%rip) 8@%ah 8@$99999999999", []),
        ("", []),
        ("nonsense 9@%rax @ 8@", []),
    ],
)  # fmt: skip
def test_arguments_in_the_words_of_the_assembler(words: str, expected: list[tuple[str, Place]]) -> None:
    """Registers of every width, constants and memory; what cannot be read is left out."""
    found = marks.capture(point("x", words)).arguments
    assert [(argument.type, argument.place) for argument in found] == expected


def test_known_arguments_have_their_names() -> None:
    """Python's functions bring file, name and line."""
    found = marks.capture(point("function__entry", "8@%rbp 8@%r12 -4@%eax", "python")).arguments
    assert found == (
        Argument("file", 0, "string", Place("bp")),
        Argument("function", 1, "string", Place("r12")),
        Argument("line", 2, "i32", Place("ax")),
    )


def test_names_that_pair_up_are_spans() -> None:
    """A beginning with one place and an end with any number of them; the others are events."""
    points = [
        point("work__entry", offset=1),
        point("work__return", offset=2),
        point("work__return", offset=3),
        point("io-start", offset=4),
        point("io-done", offset=5),
        point("twice__begin", offset=6),
        point("twice__begin", offset=7),
        point("twice__end", offset=8),
        point("lonely__start", offset=9),
        point("event", offset=10),
    ]
    found = [(name, begin.mark.offset, [end.mark.offset for end in ends]) for name, begin, ends in marks.spans(points)]
    assert found == [
        ("work", 1, [2, 3]),
        ("io", 4, [5]),
        ("twice__begin", 6, []),
        ("twice__begin", 7, []),
        ("twice__end", 8, []),
        ("lonely__start", 9, []),
        ("event", 10, []),
    ]


def note(texts: bytes, owner: bytes = b"stapsdt\0", kind: int = 3) -> bytes:
    body = struct.pack("=QQQ", 1, 2, 3) + texts
    return struct.pack("=III", len(owner), len(body), kind) + owner + body + b"\0" * (-len(body) % 4)


def test_notes_of_others_and_short_ones_are_passed_over() -> None:
    """Only whole notes of this type count."""
    good = note(b"p\0name\0args\0")
    data = note(b"x\0y\0z\0", kind=4) + note(b"x\0y\0z\0", owner=b"GNU\0") + note(b"short") + good + good[:20]
    assert [texts for *_, texts in usdt._notes(data)] == [[b"p", b"name", b"args"]]


@given(st.binary(max_size=200))
def test_any_notes_are_read(noise: bytes) -> None:
    """No bytes make the reader fail."""
    for *_, texts in usdt._notes(noise + note(b"p\0n\0" + noise + b"\0")):
        marks.capture(point("x", texts[2].decode("utf-8", "replace")))


def test_a_file_without_probes_says_so(tmp_path: Path) -> None:
    """The reader of a program without notes finds none."""
    assert usdt.read("/bin/true").points == ()
