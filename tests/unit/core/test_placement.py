"""Probes move past what the kernel single-steps, and only where that makes no difference."""

from __future__ import annotations

import pytest
from datacrumbs.core import placement
from hypothesis import given
from hypothesis import strategies as st

ENDBR = b"\xf3\x0f\x1e\xfa"
PUSH = b"\x55"  # push %rbp
REST = b"\x48\x89\xe5\x5d\xc3"  # mov %rsp,%rbp; pop %rbp; ret
CMP = b"\x80\x3d\x10\x00\x00\x00\x00"  # cmpb $0,16(%rip)
JE = b"\x74\x02"
RET = b"\x90\x90\xc3"
START = 0x1000


def skip(code: bytes, *more: bytes) -> int:
    """How far the first of some functions is probed from its entry; they stand one after the other."""
    whole = b"".join((code, *more))
    starts = [START]
    for part in (code, *more)[:-1]:
        starts.append(starts[-1] + len(part))
    return placement.skips([(START, whole)], [START], starts, "x86_64").get(START, 0)


@pytest.mark.parametrize(
    ("code", "expected"),
    {
        "push": (PUSH + REST, 0),
        "push r12": (b"\x41\x54\x41\x5c\xc3", 0),
        "endbr, push": (ENDBR + PUSH + REST, 4),
        "cmpb, je: read of glibc": (CMP + JE + RET, 7),
        "mov to rax, push": (b"\x48\x89\xf8" + PUSH + REST, 3),
        "mov to edi, push": (b"\x89\xf7" + PUSH + REST, 0),
        "xor ecx, push": (b"\x31\xc9" + PUSH + REST, 0),
        "mov to r9b, push": (b"\x41\xb1\x01" + PUSH + REST, 0),
        "test edi, je": (b"\x85\xff" + JE + RET, 2),
        "load through rdi, push": (b"\x48\x8b\x07" + PUSH + REST, 3),
        "store through rdi, push": (b"\xc7\x07\x00\x00\x00\x00" + PUSH + REST, 0),
        "sub rsp, jmp": (b"\x48\x83\xec\x08\xeb\x00\xc3", 0),
        "syscall, je": (b"\x0f\x05" + JE + RET, 0),
        "rep movsb, push": (b"\xf3\xa4" + PUSH + REST, 0),
        "cpuid, push": (b"\x0f\xa2" + PUSH + REST, 0),
        "ret": (b"\xc3", 0),
        "nothing that is emulated": (b"\x89\xf8" * 40 + b"\xc3", 0),
        "not an instruction": (b"\x06" + PUSH + REST, 0),
        "end of the file": (b"\x89", 0),
    }.values(),
    ids=str,
)
def test_where_a_probe_goes(code: bytes, expected: int) -> None:
    """Past instructions that touch neither arguments nor stack nor memory, to the first that is emulated."""
    assert skip(code) == expected


def test_a_loop_to_the_new_place_keeps_the_probe_at_the_entry() -> None:
    """A jump back would hit the probe again, without a call."""
    assert skip(b"\x48\x89\xf8\x85\xff" + JE + b"\xeb\xfa" + RET) == 0  # jmp to `test`
    assert skip(b"\x48\x89\xf8\x85\xff" + JE + b"\xeb\xfc" + RET) == 0  # jmp to `je` itself
    assert skip(b"\x48\x89\xf8\x85\xff" + JE + b"\xeb\xf7" + RET) == 5  # jmp to the entry: a call as any other


def test_a_far_jump_from_elsewhere_keeps_the_probe_at_the_entry() -> None:
    """The rare half of a function, far away, may jump back into it."""
    function = CMP + JE + RET
    back = (7 - len(function) - 5).to_bytes(4, "little", signed=True)
    assert skip(function, b"\xe9" + back + b"\xc3") == 0
    assert skip(function, b"\x0f\x84" + (7 - len(function) - 6).to_bytes(4, "little", signed=True) + b"\xc3") == 0
    assert skip(function, b"\xe9\x00\x00\x00\x00\xc3") == 7


def test_bytes_that_only_look_like_a_jump_do_not_matter_inside_the_function() -> None:
    """A constant with a jump's bytes is told from a jump by decoding the function."""
    constant = b"\xb8\xeb\xf5\x00\x00"  # mov $0xf5eb,%eax
    assert skip(CMP + JE + RET[:2] + constant + b"\xc3") == 7


def test_a_jump_through_a_table_keeps_the_probe_unless_it_is_on_a_push() -> None:
    """Where a table leads is not known; but never to a push at the beginning, for the stack's sake."""
    assert skip(CMP + JE + RET + b"\xff\xe0") == 0
    assert skip(ENDBR + PUSH + REST + b"\xff\xe0") == 4


def test_another_name_inside_keeps_the_probe_at_the_entry() -> None:
    """A second function that begins behind the first one's entry is called by itself."""
    code = CMP + JE + RET
    assert placement.skips([(START, code)], [START], [START, START + 7], "x86_64") == {}
    assert placement.skips([(START, code)], [START], [START], "aarch64") == {}


@given(st.binary(max_size=200), st.integers(0, 50))
def test_any_bytes_are_read(code: bytes, entry: int) -> None:
    """Whatever stands there, the place is in the code and is emulated."""
    for place, moved in placement.skips([(START, code)], [START + entry], [START + entry], "x86_64").items():
        assert 0 < moved <= placement.MAX_SKIP
        assert placement.is_emulated(code[place - START + moved :])
