"""Access patterns of files: what a program did on purpose is what is found."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.analysis.summing import patterns
from datacrumbs.analysis.summing.patterns import FilePattern
from hypothesis import given, settings
from hypothesis import strategies as st
from tracegen import EPOCH_NS, Process, TraceWriter


class Program:
    """Writes the calls of one thread on one file, one after another."""

    def __init__(self, trace: TraceWriter, process: Process, path: str) -> None:
        self._trace, self._process, self._file = trace, process, trace.file(path)
        self._now = EPOCH_NS

    def call(self, name: str, ret: int, **args: int) -> None:
        self._now += 10_000
        self._trace.call(self._process, name, self._now, 5000, fhash=self._file, ret=ret, **args)


def found(path: Path, act: Callable[[Program], None]) -> FilePattern:
    with TraceWriter(path / "t.pfw") as trace:
        act(Program(trace, trace.process(1, "w"), "/data/a"))
        trace.closing(ended=EPOCH_NS)
    with open_traces([str(path / "t.pfw")]) as traces:
        [[file]] = traces.database.execute("SELECT id FROM files WHERE path = '/data/a'").fetchall()
        return patterns.find(traces, [file], ["POSIX"])[file]


def test_reads_from_the_start_are_sequential(tmp_path: Path) -> None:
    """`read` does not say where it reads: that follows from the open and the reads before."""

    def act(program: Program) -> None:
        program.call("open64", 3)
        for _ in range(100):
            program.call("read", 65_536)

    pattern = found(tmp_path, act)
    assert pattern.word == "sequential" and (pattern.sequential, pattern.strided, pattern.random) == (99, 0, 0)
    assert (pattern.reads, pattern.writes, pattern.common_size, pattern.common_share) == (100, 0, 65_536, 1.0)
    assert (pattern.extent, pattern.aligned, pattern.placed, pattern.again_bytes) == (6_553_600, 100, 100, 0)


def test_offsets_that_are_said_count(tmp_path: Path) -> None:
    def act(program: Program) -> None:
        for number in range(50):
            program.call("pwrite64", 4096, offset=number * 1_000_000)

    pattern = found(tmp_path, act)
    assert pattern.word == "strided" and pattern.strided == 48 and pattern.writes == 50


def test_seeks_make_reads_random(tmp_path: Path) -> None:
    rng = random.Random(1)

    def act(program: Program) -> None:
        program.call("open64", 3)
        for place in rng.sample(range(1000), 200):
            program.call("lseek", place * 512)
            program.call("read", 512)

    pattern = found(tmp_path, act)
    assert pattern.word == "random" and pattern.small == 200 and pattern.again_bytes == 0


@pytest.mark.parametrize("gap", [0, 100])
def test_many_reads_at_random_are_told_from_those_again(tmp_path: Path, gap: int) -> None:
    """More of them than there is room for at first, so that they are joined on the way: with and without gaps."""
    rng = random.Random(2)

    def act(program: Program) -> None:
        for place in [*rng.sample(range(6000), 6000), *rng.sample(range(6000), 1500)]:
            program.call("pread64", 512, offset=place * (512 + gap))

    pattern = found(tmp_path, act)
    assert pattern.word == "random" and pattern.reads == 7500 and pattern.again_bytes == 1500 * 512


def test_what_is_read_again_is_counted(tmp_path: Path) -> None:
    def act(program: Program) -> None:
        for _ in range(3):
            program.call("lseek", 0)
            for _ in range(10):
                program.call("read", 1000)

    pattern = found(tmp_path, act)
    assert pattern.again_bytes == 20_000 and pattern.extent == 10_000


def test_a_failed_call_moves_nothing(tmp_path: Path) -> None:
    def act(program: Program) -> None:
        program.call("open64", 3)
        program.call("read", 100)
        program.call("lseek", -22)
        program.call("read", -5)
        program.call("read", 100)

    assert found(tmp_path, act).sequential == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=30))
def test_bytes_read_again_are_exact(tmp_path_factory: pytest.TempPathFactory, reads: list[tuple[int, int]]) -> None:
    """Against a count of every single byte."""

    def act(program: Program) -> None:
        for offset, size in reads:
            program.call("pread64", size, offset=offset)

    once = {byte for offset, size in reads for byte in range(offset, offset + size)}
    expected = sum(size for _, size in reads) - len(once)
    assert found(tmp_path_factory.mktemp("again"), act).again_bytes == expected


@pytest.mark.parametrize(
    ("steps", "word"), [((1, 0, 0), "sequential"), ((4, 4, 2), "mixed"), ((0, 0, 0), "single"), ((1, 1, 9), "random")]
)
def test_words(steps: tuple[int, int, int], word: str) -> None:
    assert FilePattern(1, 0, *steps, 1, 1.0, 0, 0, 0, 0, 0).word == word
