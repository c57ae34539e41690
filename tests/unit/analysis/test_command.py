"""datacrumbs_analyze as it is typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tracegen import EPOCH_NS, TraceWriter, synthetic

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden"


def analyze(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from datacrumbs.analysis.command import main; raise SystemExit(main())"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the golden example under a name of its own: readers may not depend on what a file is called."""
    path = tmp_path / "example"
    path.write_bytes((GOLDEN / "example.pfw").read_bytes())
    return path


def test_the_golden_example_gives_the_golden_summary(example: Path) -> None:
    """docs/trace-format.md explains the one, docs/reading-reports.md the other."""
    assert analyze("summary", example).stdout == (GOLDEN / "summary.txt").read_text()


def test_the_golden_example_gives_the_golden_json(example: Path) -> None:
    assert json.loads(analyze("summary", "--json", example).stdout) == json.loads((GOLDEN / "summary.json").read_text())


def test_help_names_every_verb_and_is_instant() -> None:
    """It loads neither DuckDB nor rich."""
    probe = "import sys; from datacrumbs.analysis.command import run\ntry: run(['--help'])\nexcept SystemExit: pass\n"
    done = subprocess.run(
        [sys.executable, "-c", probe + "print([m for m in ('duckdb', 'rich', 'isal') if m in sys.modules])"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "summary" in done.stdout and done.stdout.strip().endswith("[]")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 64, "required: VERB"),
        (["summarize", "x"], 64, "invalid choice"),
        (["summary"], 64, "required: TRACE"),
        (["summary", "--top", "many", "x"], 64, "not a number of rows"),
        (["summary", "/no/such/trace"], 66, "No such file"),
        (["summary", "/proc/self/mem"], 66, "cannot read"),
        (["summary", "/dev/zero"], 66, "is a device"),
        (["summary", "x" * 300], 66, "File name too long"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], code: int, message: str) -> None:
    done = analyze(*arguments)
    assert done.returncode == code, done
    assert done.stderr.count("\n") == 1 and message in done.stderr and done.stderr.endswith("[user]\n")


def test_a_file_that_is_no_trace_is_an_empty_one_with_notes(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(os.urandom(20_000))
    done = analyze("summary", tmp_path / "photo.jpg")
    assert done.returncode == 0 and "no event" in done.stdout and "no record" in done.stdout


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, options: str) -> None:
    synthetic(tmp_path / "t.pfw.gz", 50_000, files=5000)
    command = f"{sys.executable} -c 'from datacrumbs.analysis.command import main; raise SystemExit(main())'"
    done = subprocess.run(
        ["bash", "-c", f"{command} summary {options} --top 0 {tmp_path}/t.pfw.gz | head -1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == "" and done.returncode == 0


@pytest.mark.parametrize("delay", [0, 0.03, 0.1, 0.2, 0.4])
def test_an_interrupt_stops_it_quietly(tmp_path: Path, delay: float) -> None:
    """Whatever it is doing: inflating, in DuckDB, or ending by itself; and it takes its temporary files along."""
    path, work = tmp_path / "large.pfw.gz", tmp_path / "work"
    work.mkdir()
    synthetic(path, 150_000)
    code = "from datacrumbs.analysis.command import main; raise SystemExit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, "summary", path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(work)},
    ) as running:  # fmt: skip
        while running.poll() is None and not any(work.iterdir()):  # an interrupt before it begins is Python's own
            time.sleep(0.001)
        time.sleep(delay)
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=120)
    assert (running.returncode, errors) in ((130, ""), (0, "")), errors
    assert running.returncode == 0 or output == ""
    assert not list(work.iterdir())


def test_many_nodes_are_one_run(tmp_path: Path) -> None:
    for number in range(20):
        with TraceWriter(tmp_path / f"n{number}.pfw.gz", host=f"n{number}") as trace:
            trace.opening()
            trace.call(trace.process(1, "w"), "read", EPOCH_NS, 1000, ret=1)
            trace.closing(ended=1)
    done = analyze("summary", "--top", "2", tmp_path)
    assert "run on n0, n1, n10 and 17 more, of alice" in done.stdout
    assert "20 processes" in done.stdout and "20 events captured, none lost" in done.stdout
