"""Exports are read by the tools that they are for, and no name breaks them; nor the answers of `sql`."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
from pathlib import Path

import duckdb
import pytest
from datacrumbs.analysis import command
from datacrumbs.core.errors import OutputError, UsageError
from readers import dfanalyzer_totals, dftracer_count, dftracer_validate, perfetto_query, perfetto_slices
from tracegen import EPOCH_NS, TraceWriter, synthetic

HOSTILE = [
    "</script><script>alert(1)</script>",
    "'; DROP TABLE calls; --",
    'quote " and \\ backslash, comma',
    "\x1b[2J\x1b]0;title\x07 \x00 \r\n newline",
    "=cmd|' /C calc'!A0",
    "[red]markup[/red]",
    "\u202eright to left \U0001f4a5",
    "x" * 4000,
]


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Every name in it is hostile: files, functions, categories, programs, command lines, host, run."""
    path = tmp_path / "hostile.pfw.gz"
    with TraceWriter(path, host=HOSTILE[0], run_id=HOSTILE[3]) as trace:
        trace.opening(user=HOSTILE[3])
        for number, name in enumerate(HOSTILE):
            process = trace.process(10 + number, name, cmd=name)
            trace.call(process, "read", EPOCH_NS, 5000, ret=10, fhash=trace.file("/data/" + name))
            trace.call(process, name, EPOCH_NS + 10_000, 5000, cat=name, fname=name)
            trace.added_up(process, name, EPOCH_NS + 20_000, {5000: 3}, cat=name, fhash=trace.file("/sum/" + name))
        trace.line(b'{"name":"a\xff\xfe","cat":"POSIX","ph":"X","pid":1,"tid":1,"ts":1,"dur":1}')
    return path


def export(form: str, trace: Path, name: str = "") -> Path:
    out = trace.parent / (name or f"export-{form}")
    assert command.run(["export", str(trace), "--to", form, "-o", str(out)]) == 0
    return out


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert command.run(["sql", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def test_perfetto_opens_it(tmp_path: Path) -> None:
    synthetic(tmp_path / "t.pfw.gz", 5000)
    out = export("perfetto", tmp_path / "t.pfw.gz", "t.json")
    assert len(json.loads(out.read_text())) == 5000 + 8 + 1
    slices = perfetto_slices(out)
    assert slices.slices == 5000 and not slices.problems
    assert ["worker3"] in perfetto_query(out, "SELECT name FROM process WHERE name IS NOT NULL")


def test_nodes_with_equal_pids_stay_apart_in_perfetto(tmp_path: Path) -> None:
    for host in ("n1", "n2"):
        with TraceWriter(tmp_path / f"{host}.pfw.gz", host=host) as trace:
            trace.call(trace.process(7, "app"), "read", EPOCH_NS, 9000, ret=1)
    out = tmp_path / "both.json"
    assert command.run(["export", str(tmp_path), "--to", "perfetto", "-o", str(out)]) == 0
    names = perfetto_query(out, "SELECT name FROM process WHERE name IS NOT NULL ORDER BY 1")
    assert names == [["app on n1"], ["app on n2"]]


def test_dftracer_tools_and_dfanalyzer_open_it(tmp_path: Path) -> None:
    synthetic(tmp_path / "t.pfw.gz", 3000)
    out = export("dftracer", tmp_path / "t.pfw.gz", "again.pfw.gz")
    assert dftracer_count(out) == 3000
    dftracer_validate(out)
    original = dfanalyzer_totals(tmp_path / "t.pfw.gz")
    assert dfanalyzer_totals(out) == original


def test_speedscope_has_every_path_with_its_exclusive_time(tmp_path: Path) -> None:
    path = tmp_path / "t.pfw.gz"
    with TraceWriter(path) as trace:
        process = trace.process(7, "app")
        trace.call(process, "write", EPOCH_NS + 2000, 3000, ts_ns=0)
        trace.call(process, "fwrite", EPOCH_NS, 10_000, cat="C", ts_ns=0)
        trace.call(trace.process(8, "other"), "write", EPOCH_NS, 500, ts_ns=0)
    value = json.loads(export("speedscope", path).read_text())
    assert value["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    names = [frame["name"] for frame in value["shared"]["frames"]]
    everything, first, second = value["profiles"]
    assert first["name"] == "app 7 on node1" and second["endValue"] == 500
    stacks = {tuple(names[frame] for frame in stack) for stack in everything["samples"]}
    assert stacks == {("fwrite",), ("fwrite", "write"), ("write",)}
    for profile in value["profiles"]:
        assert profile["type"] == "sampled" and len(profile["samples"]) == len(profile["weights"])
        assert sum(profile["weights"]) == profile["endValue"]
    assert everything["endValue"] == 10_500


def test_parquet_has_a_row_for_each_call(tmp_path: Path) -> None:
    synthetic(tmp_path / "t.pfw.gz", 2000)
    out = export("parquet", tmp_path / "t.pfw.gz")
    counts = duckdb.sql(f"SELECT count(*), count(DISTINCT path) > 50, min(layer) FROM read_parquet('{out}')").fetchall()
    assert counts == [(2000, True, "system calls")]


def test_darshan_counters(tmp_path: Path) -> None:
    path = tmp_path / "t.pfw.gz"
    with TraceWriter(path) as trace:
        process = trace.process(7, "app")
        file = trace.file("/data/a,b")
        for size in (50, 5000, 2 << 20):
            trace.call(process, "read", EPOCH_NS, 1_000_000, ret=size, fhash=file)
        trace.call(process, "open64", EPOCH_NS, 2_000_000, ret=-2, fhash=file)
        trace.call(process, "fsync", EPOCH_NS, 3_000_000, ret=0, fhash=file)
    with export("darshan", path).open(newline="") as text:
        found = list(csv.DictReader(text))
    values = {row["counter"]: float(row["value"]) for row in found}
    assert {row["file name"] for row in found} == {"/data/a,b"}
    assert values["POSIX_READS"] == 3 and values["POSIX_BYTES_READ"] == 50 + 5000 + (2 << 20)
    assert values["POSIX_SIZE_READ_0_100"] == values["POSIX_SIZE_READ_1K_10K"] == values["POSIX_SIZE_READ_1M_4M"] == 1
    assert values["POSIX_OPENS"] == 0 and values["POSIX_FSYNCS"] == 1
    assert values["POSIX_F_READ_TIME"] == pytest.approx(0.003) and values["POSIX_F_META_TIME"] == pytest.approx(0.005)


@pytest.mark.parametrize("form", ["perfetto", "speedscope", "parquet", "darshan", "dftracer"])
def test_hostile_names_break_no_export(hostile: Path, form: str) -> None:
    out = export(form, hostile)
    if form == "perfetto":
        found = [event for event in json.loads(out.read_text()) if event["ph"] == "X"]
        assert {event["args"]["path"] for event in found} >= {"/data/" + name for name in HOSTILE}
        assert perfetto_slices(out).slices == 2 * len(HOSTILE)
    elif form == "speedscope":
        assert {frame["name"] for frame in json.loads(out.read_text())["shared"]["frames"]} == {"read", *HOSTILE}
    elif form == "parquet":
        found = duckdb.sql(f"SELECT DISTINCT name FROM read_parquet('{out}')").fetchall()
        assert {name for (name,) in found} == {"read", *HOSTILE}
    elif form == "darshan":
        with out.open(newline="", encoding="utf-8") as text:
            assert {row["file name"] for row in csv.DictReader(text)} == {"/data/" + name for name in HOSTILE}
    else:
        lines = gzip.decompress(out.read_bytes()).split(b"\n")
        assert lines[0] == b"[" and all(json.loads(line) for line in lines[1:] if line)


@pytest.mark.parametrize("verb", ["summary", "explain read", "compare --function read", "sql"])
def test_hostile_names_break_no_terminal(hostile: Path, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, *options = verb.split()
    arguments = {"explain": [*options, str(hostile)], "sql": [str(hostile), "SELECT * FROM calls"]}
    assert command.run([name, *arguments.get(name, [str(hostile), *options])]) == 0
    text = capsys.readouterr().out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\x80-\x9f\u202e]", text)
    assert "[red]markup[/red]" in text or name == "compare"


def test_sql_answers_and_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = str(tmp_path / "t.pfw.gz")
    synthetic(Path(trace), 1000)
    assert rows(capsys, trace, "SELECT count(*) AS n FROM calls") == [{"n": 1000}]
    assert rows(capsys, trace, "SELECT * FROM calls WHERE false") == []
    assert command.run(["sql", trace, "SELECT name, ret FROM calls ORDER BY ts LIMIT 3"]) == 0
    assert len(capsys.readouterr().out.strip().splitlines()) == 4
    with pytest.raises(UsageError, match="no_such") as error:
        command.run(["sql", trace, "SELECT no_such FROM calls"])
    for nothing in ("", "-- a comment"):
        with pytest.raises(UsageError, match="the query is empty"):
            command.run(["sql", trace, nothing])
    assert "\n" not in error.value.message


@pytest.mark.parametrize(
    "statement",
    [
        "COPY calls TO '{out}'",
        "COPY (SELECT 1) TO '{out}' (FORMAT parquet)",
        "SELECT 1; COPY calls TO '{out}'",
        "EXPORT DATABASE '{out}'",
        "ATTACH '{out}' AS other",
        "PREPARE p AS COPY calls TO '{out}'",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{secret}*')",
        "SELECT * FROM read_parquet('http://127.0.0.1:9/x')",
        "IMPORT DATABASE '{secret}'",
        "INSTALL httpfs",
        "LOAD '{secret}'",
        "SET enable_external_access = true",
        "SET enable_external_access = true; COPY calls TO '{out}'",
        "RESET lock_configuration",
        "SET temp_directory = '{out}'",
        "SET log_query_path = '{out}'",
        "PRAGMA profiling_output = '{out}'",
        "CREATE PERSISTENT SECRET s (TYPE s3)",
    ],
)
def test_sql_does_nothing_but_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str], statement: str) -> None:
    """No statement reads a file or writes one, and none takes that back."""
    trace, secret, out = tmp_path / "t.pfw.gz", tmp_path / "secret", tmp_path / "out"
    synthetic(trace, 10)
    secret.write_text("swordfish")
    with pytest.raises(UsageError) as error:
        command.run(["sql", str(trace), statement.format(out=out, secret=secret)])
    assert "swordfish" not in capsys.readouterr().out + error.value.message
    assert sorted(os.listdir(tmp_path)) == ["secret", "t.pfw.gz"]


def test_an_export_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    synthetic(tmp_path / "t.pfw.gz", 100)
    with pytest.raises(OutputError):
        command.run(["export", str(tmp_path / "t.pfw.gz"), "--to", "parquet", "-o", "/proc/no/such"])
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError):
        command.run(["export", str(tmp_path / "t.pfw.gz"), "--to", "parquet", "-o", str(tmp_path / "folder")])
    assert sorted(os.listdir(tmp_path)) == ["folder", "t.pfw.gz"]
