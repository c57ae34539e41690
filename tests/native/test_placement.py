"""Where probes are placed in real libraries, judged by the processor: it steps from each entry to each place."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest
from datacrumbs.configurator.sources import binary, library
from datacrumbs.core import elf, placement
from datacrumbs.core.errors import NoInputError

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="probes move on x86-64 alone")
SOURCE = Path(__file__).parent / "step.c"
LIBRARIES = {"libc.so.6": 150, "libmpi.so.40": 50, "libhdf5_openmpi.so.103": 300}
"""Each with a number of functions of which surely more are moved."""


@pytest.fixture(scope="module")
def step(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("step") / "step"
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE], check=True)
    return program


@pytest.mark.parametrize("name", LIBRARIES)
def test_arguments_and_stack_are_the_same_at_the_probe(name: str, step: Path) -> None:
    """From each function's entry the processor comes straight to its probe, with nothing changed that is captured."""
    try:
        path = library.locate(name)
    except NoInputError:
        pytest.skip(f"{name} is not installed")
    image, functions = elf.read(path), binary.read(path).functions
    entries = [code.offset for code in functions]
    with open(path, "rb") as stream:
        segments = list(placement.read_segments(stream.fileno(), image.code))
    moved = placement.skips(segments, entries, entries, "x86_64")
    assert len(moved) > LIBRARIES[name]
    for entry, skip in moved.items():
        ((start, code),) = [(start, code) for start, code in segments if start <= entry < start + len(code)]
        assert placement.is_emulated(code[entry + skip - start :])
    lines = "".join(f"{image.address_of(entry):x} {skip}\n" for entry, skip in moved.items())
    done = subprocess.run(
        [step, path], input=lines, text=True, capture_output=True, timeout=100, env={**os.environ, "LC_ALL": "C"}
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{len(moved)}\n")
