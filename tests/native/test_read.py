"""The analysis' reader by itself, under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest
from tracegen import synthetic

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("calls", "dictionary", "line", "own", "parse", "reduce", "rows", "span")


@pytest.mark.parametrize("seed", [1, 2])
def test_lines_with_mistakes_are_taken_or_handed_back(tmp_path: Path, seed: int) -> None:
    """No memory is touched that is not the reader's; a sound member gives what its lines give; a bad one, nothing.

    Lines just as our runtime writes them, or nearly so, give what they give in any other layout.
    """
    program, lines = tmp_path / "read_any", tmp_path / "lines"
    native = ROOT / "analysis" / "native"
    subprocess.run(
        ["cc", "-std=c11", "-D_GNU_SOURCE", "-DDC_HAVE_ISAL", "-g", "-O1", "-Wall", "-Wextra", "-Werror"]
        + [
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all",
            f"-I{native}",
            f"{ROOT}/tests/native/read_any.c",
        ]
        + [str(native / f"{source}.c") for source in SOURCES]
        + ["-o", str(program), "-lisal"],
        check=True,
    )
    synthetic(tmp_path / "t.pfw.gz", 200, files=20)
    text = gzip.decompress((tmp_path / "t.pfw.gz").read_bytes()).partition(b"\n")[2]
    lines.write_bytes(text[-20_000:].partition(b"\n")[2] + (ROOT / "tests/golden/trace.pfw").read_bytes()[2:])
    done = subprocess.run([program, lines, str(seed), "600"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
