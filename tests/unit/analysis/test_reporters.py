"""How a summary looks: on a terminal, in a pipe, as JSON; and that nothing in a trace can do anything to either."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path

import pytest
from datacrumbs.analysis import units
from datacrumbs.analysis.reading.completeness import Completeness
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.analysis.reporters import as_json, as_tables
from datacrumbs.analysis.reporters.tables import Column, write_to
from datacrumbs.analysis.summing.summarise import summarise
from datacrumbs.analysis.summing.summary import CategoryRow, FileRow, FunctionRow, Header, ProcessRow, Summary
from tracegen import EPOCH_NS, TraceWriter

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = [
    "/tmp/\x1b[2J\x1b]0;owned\x07",
    "/tmp/[red]markup[/red][link=file:///etc/passwd]x[/link]",
    "/tmp/a\nBy function\nread",
    "/tmp/\u202egnp.exe",
    "/tmp/:bomb:",
    "/tmp/" + "x" * 4000,
    "'; DROP TABLE records; --",
    "/tmp/\ufffd\u0000",
]


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """Every text of this trace means harm."""
    path = tmp_path_factory.mktemp("hostile") / "t.pfw.gz"
    with TraceWriter(path, host=HOSTILE[0], run_id=HOSTILE[1]) as trace:
        trace.opening(user=HOSTILE[2], refused=HOSTILE, refused_count=len(HOSTILE))
        for number, text in enumerate(HOSTILE):
            process = trace.process(100 + number, text, cmd=text)
            trace.call(process, text, EPOCH_NS, 1000, cat=text, fhash=trace.file(text), ret=1)
            trace.call(process, "read", EPOCH_NS, 1000, fhash=trace.file(text), ret=1)
        trace.closing(ended=1, lost=1, lost_by_function=dict.fromkeys(HOSTILE, 1))
    with open_traces([str(path)]) as traces:
        return summarise(traces)


def tables(summary: Summary, *, terminal: bool = False, width: int | None = None, top: int = 0) -> str:
    out = Terminal() if terminal else io.StringIO()
    as_tables.write(summary, out, top=top, width=width)
    return out.getvalue()


def test_no_control_character_reaches_a_pipe(hostile: Summary) -> None:
    text = tables(hostile)
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "[red]markup[/red]" in text and ":bomb:" in text, "text stays text"
    assert "\\x1b[2J" in text and "\\u202e" in text and "\\x00" in text


@pytest.mark.parametrize("width", [20, 40, 80, 400])
def test_nothing_but_colours_reaches_a_terminal(hostile: Summary, width: int) -> None:
    """Whatever is left besides rich's own colours is printable."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", tables(hostile, terminal=True, width=width))
    assert all(c.isprintable() or c == "\n" for c in text)


def test_a_line_end_in_a_name_makes_no_line(hostile: Summary) -> None:
    assert [line for line in tables(hostile).splitlines() if line.strip() == "By function"] == ["By function"]


def test_a_pipe_gets_whole_names(hostile: Summary) -> None:
    assert "x" * 4000 in tables(hostile)


def test_columns_of_a_pipe_stay_in_line_whatever_the_letters() -> None:
    """Letters of East Asia take two columns, marks on letters none."""
    out = io.StringIO()
    columns = (Column("name", str, name=True), Column("length", lambda text: str(len(text))))
    write_to(out, lambda sheet: sheet.table("", columns, ["abcdef", "\u8a08\u7b97\u6a5f", "ae\u0301"], 0))
    assert out.getvalue() == (
        "name    length\n"
        "abcdef       6\n"
        "\u8a08\u7b97\u6a5f       3\n"
        "ae\u0301           3\n"
    )  # fmt: skip


def test_json_is_ascii_and_gives_back_every_text(hostile: Summary) -> None:
    out = io.StringIO()
    as_json.write(hostile, out)
    assert out.getvalue().isascii() and all(c.isprintable() or c == "\n" for c in out.getvalue())
    assert {row["path"] for row in json.loads(out.getvalue())["files"]} == set(HOSTILE)


def test_top_cuts_tables_and_says_so(hostile: Summary) -> None:
    assert "more rows: --top 0 shows all" in tables(hostile, top=3)
    assert "--top" not in tables(hostile, top=0)
    assert len(as_json.to_json(hostile, top=3)["files"]) == 3


def test_every_name_in_the_json_form_is_documented() -> None:
    """docs/reading-reports.md is what scripts are written from."""
    page = (ROOT / "docs" / "reading-reports.md").read_text()
    for kind in (Header, Completeness, CategoryRow, FunctionRow, FileRow, ProcessRow, Summary):
        for field in dataclasses.fields(kind):
            assert f"`{field.name}`" in page, f"{kind.__name__}.{field.name}"
    for name in ("version", "complete", "missing"):
        assert f"`{name}`" in page


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"), (999, "999 ns"), (1000, "1 µs"), (4211, "4.21 µs"), (63_800_000_000, "63.8 s"),
        (123_456_789, "123 ms"), (3_600_000_000_000, "1 h 00 min"), (7_500_000_000_000, "2 h 05 min"),
        (1_200_000_000_000, "1200 s"),
    ],
)  # fmt: skip
def test_times(ns: int, text: str) -> None:
    assert units.duration(ns) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0 B"), (1023, "1023 B"), (1 << 26, "64 MiB"), (1500, "1.46 KiB"), (3 << 50, "3 PiB")]
)
def test_sizes(amount: int, text: str) -> None:
    assert units.size(amount) == text


def test_a_moment_beyond_all_calendars_is_no_error() -> None:
    assert units.moment(1 << 53).startswith("2255-")
    assert units.moment(EPOCH_NS // 1000) == "2026-11-22 10:48:34 UTC"
