"""Reading executables that anybody may have made: an answer or a DataError, never anything else, and soon."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest
from datacrumbs.client import elf
from datacrumbs.core.errors import DataError
from hypothesis import given, settings
from hypothesis import strategies as st

TRUE = Path("/bin/true").read_bytes()


def read(content: bytes) -> elf.Image:
    return elf.read(io.BufferedReader(io.BytesIO(content)), "it")


def test_a_real_program():
    image = read(TRUE)
    assert image.interpreter and image.needed == ("libc.so.6",) and ".text" in image.sections
    assert image.end == len(TRUE)


@pytest.mark.parametrize("size", [*range(0, 64, 7), 64, 1000, len(TRUE) // 2, len(TRUE) - 1])
def test_a_program_that_is_cut_off_is_refused(size):
    with pytest.raises(DataError):
        read(TRUE[:size])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1023) | st.integers(0, len(TRUE) - 1), st.integers(0, 255)), max_size=8))
def test_a_mutated_program_gives_an_answer_or_a_data_error(changes):
    content = bytearray(TRUE)
    for place, byte in changes:
        content[place] = byte
    with contextlib.suppress(DataError):
        read(bytes(content))


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_magic(content):
    with pytest.raises(DataError):
        read(b"\x7fELF" + content)
