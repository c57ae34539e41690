"""The C core by itself, under the address and undefined-behaviour sanitizers: no root, no kernel needed."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "trace.pfw"
SOURCES = (
    "order",
    "encode",
    "encode_process",
    "encode_profile",
    "lanes",
    "names",
    "sink",
    "sound",
    "table",
    "text",
    "values",
)


def _compile(folder: Path, program: str, *sources: str) -> Path:
    output = folder / program
    subprocess.run(
        ["cc", "-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror"]
        + ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
        + [f"-I{ROOT / part}" for part in ("runtime/native", "runtime/bpf", "core/include")]
        + [str(ROOT / "tests" / "native" / f"{program}.c")]
        + [str(ROOT / "runtime" / "native" / f"{source}.c") for source in sources]
        + ["-o", str(output), "-lisal"],
        check=True,
    )
    return output


@pytest.fixture(scope="session")
def encode_golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _compile(tmp_path_factory.mktemp("native"), "encode_golden", *SOURCES)


@pytest.fixture(scope="session")
def text_cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _compile(tmp_path_factory.mktemp("native"), "text_cases", "text")


def test_every_kind_of_record_has_its_golden_line(encode_golden: Path, tmp_path: Path) -> None:
    """The trace format is what tests/golden/trace.pfw shows; UPDATE_GOLDEN=1 writes it anew."""
    trace = tmp_path / "golden.pfw.gz"
    done = subprocess.run([encode_golden, trace], check=True, capture_output=True, text=True)
    assert done.stdout == "100021 captured, 4 malformed\n"
    text = gzip.decompress(trace.read_bytes())
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_bytes(text)
    assert text == GOLDEN.read_bytes()


def test_golden_lines_are_json_with_absolute_paths_and_nested_times() -> None:
    """Each golden line parses; all hashes in events are named; a parent stands before its child."""
    lines = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    names = {line["args"]["value"]: line["args"]["name"] for line in lines if line["name"] == "FH"}
    events = [line for line in lines if line["ph"] == "X"]
    assert all(event["args"][key] in names for event in events for key in ("fhash", "cwd") if key in event["args"])
    assert {"/home/other/x", "/home/job/b", "/abs/a", "/.../lost", "pipe:[99]"} <= set(names.values())
    order = [event["name"] for event in events if event["ts"] == 1795344514000050]
    assert order == ["fread", "read"]


def test_work_that_the_kernel_does_elsewhere_has_lanes_on_which_nothing_overlaps() -> None:
    """Two requests at once are on two lanes, and one after them is on the first again; causes and devices are words."""
    lines = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    requests = [line for line in lines if line["name"] == "block_rq"]
    assert [(r["tid"], r["args"]["cause"]) for r in requests] == [
        (10000000, "request"),
        (10000001, "inode"),
        (10000000, "transaction"),
    ]
    assert {r["args"]["thread"] for r in requests} == {7}
    shown = [(r["args"]["dev"], r["args"]["op"]) for r in requests]
    assert shown == [("7:3", "write"), ("259:1", "read"), ("0:0", 14)]
    tracks = [x for x in lines if x["name"] == "thread_name" and x["args"]["name"].startswith("kernel")]
    assert [(t["tid"], t["args"]["name"]) for t in tracks] == [(10000000, "kernel 1"), (10000001, "kernel 2")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=2000))
def test_any_bytes_become_a_json_string(text_cases: Path, data: bytes) -> None:
    """Whatever a path or a command line holds, the line stays one line of valid JSON in UTF-8."""
    out = subprocess.run([text_cases], input=data, check=True, capture_output=True).stdout
    assert b"\n" not in out
    value = json.loads('"' + out.decode("utf-8") + '"')
    # One U+FFFD for each wrong byte: the same as decoding byte by byte where decoding fails.
    assert value.replace("\ufffd", "") == data.decode("utf-8", errors="ignore").replace("\ufffd", "")


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", True), ("-0", True), ("12", True), ("1.5", True), ("1e9", True), ("-1.25E-3", True)]
    + [(text, False) for text in ("", "-", "01", "1.", ".5", "1e", "+1", "nan", "inf", "0x1", "1}", "1 ", "1,2")],
)
def test_only_json_numbers_are_written_bare(text_cases: Path, text: str, number: bool) -> None:
    """A region's argument that says it is a number is one, or is written as text."""
    assert (subprocess.run([text_cases, text], check=False).returncode == 0) == number
