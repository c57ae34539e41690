"""The line buffer holds whole lines, whatever pieces they came in."""

from __future__ import annotations

from pathlib import Path

import pytest
from datacrumbs.analysis.reading.lines import MAX_LINE, LineBuffer, as_file
from hypothesis import given
from hypothesis import strategies as st


def content(buffer: LineBuffer) -> bytes:
    with as_file([buffer.lines]) as name:
        assert Path(name).read_bytes() == buffer.lines
    return buffer.lines


def fed(*pieces: bytes, cut: bool = False) -> tuple[bytes, bool]:
    buffer = LineBuffer()
    for piece in pieces:
        buffer.add(piece)
    partial = buffer.end(cut=cut)
    return content(buffer), partial


def test_lines_come_together_from_pieces() -> None:
    assert fed(b'{"a"', b":1}\n{", b'"b":2}\n') == (b'{"a":1}\n{"b":2}\n', False)


def test_the_brackets_of_an_array_are_no_lines() -> None:
    assert fed(b'[\n{"a":1}\n]\n') == (b'{"a":1}\n', False)
    assert fed(b'[\r\n{"a":1}\n]') == (b'{"a":1}\n', False)


def test_a_last_line_without_its_end_counts_if_it_is_whole() -> None:
    assert fed(b'{"a":1}\n{"b":2}') == (b'{"a":1}\n{"b":2}\n', False)
    assert fed(b'{"a":1}\n{"b":') == (b'{"a":1}\n', True)


def test_where_a_file_was_cut_no_last_line_counts() -> None:
    """`…,"args":{…}` ends in a brace and is no record."""
    assert fed(b'{"a":1}\n{"args":{}', cut=True)[0] == b'{"a":1}\n'


def test_a_line_without_end_is_left_out_and_its_neighbours_stay() -> None:
    long = [b"x" * (MAX_LINE // 4)] * 9
    buffer = LineBuffer()
    for piece in [b'{"a":1}\n', *long, b'x\n{"b":2}\n']:
        buffer.add(piece)
    buffer.end()
    assert content(buffer) == b'{"a":1}\n{"b":2}\n'
    assert buffer.overlong == 1


def test_a_damaged_member_is_forgotten_up_to_the_last_good_one() -> None:
    buffer = LineBuffer()
    buffer.add(b'{"a":1}\n')
    buffer.end_member()
    buffer.add(b'{"b":2}\n{"half')
    buffer.drop_member()
    buffer.add(b'{"c":3}\n')
    buffer.end()
    assert content(buffer) == b'{"a":1}\n{"c":3}\n'


def test_a_buffer_that_was_emptied_does_not_show_old_lines() -> None:
    buffer = LineBuffer()
    buffer.add(b'{"long":1111111111}\n{"ha')
    buffer.clear()
    buffer.add(b'lf":1}\n')
    assert content(buffer) == b'{"half":1}\n'


@given(text=st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b)), data=st.data())
def test_cuts_between_pieces_change_nothing(text: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(b"{" + line + b"}\n" for line in text)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert fed(*pieces)[0] == whole


def test_the_memory_is_given_back() -> None:
    with as_file([b"{}\n", b"[]\n"]) as name:
        path = Path(name)
        assert path.read_bytes() == b"{}\n[]\n"
    with pytest.raises(FileNotFoundError):
        path.read_bytes()
