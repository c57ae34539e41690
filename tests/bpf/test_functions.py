"""User functions: every call has its own duration or is counted as missed, and nothing is disturbed."""

from __future__ import annotations

import platform
import subprocess
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tracing import Run, Site, binary, function_probes, syscall_probes

pytestmark = pytest.mark.ebpf

PROGRAMS = Path(__file__).parent / "programs"
NAMES = ("recurse", "thrower", "passer", "jumper", "jump_through", "worker_step")
LINKS = ("session", "multi")


def compiled(factory: pytest.TempPathFactory, *compiler: str) -> Path:
    output = factory.mktemp("functions") / "functions"
    subprocess.run([*compiler, "-O1", "-D_GNU_SOURCE", "-o", output, PROGRAMS / "functions.c", "-lpthread"], check=True)
    return output


@pytest.fixture(scope="module")
def c_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No exceptions in it: its functions' ends are seen by return probes."""
    return compiled(tmp_path_factory, "gcc", "-fcf-protection=full")


@pytest.fixture(scope="module")
def cxx_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as C++: its functions' ends are seen at their exits."""
    return compiled(tmp_path_factory, "g++", "-x", "c++")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


def traced(site: Site, program: Path, links: str, argument: str) -> Run:
    names = [name for name in NAMES if name.encode() in program.read_bytes()]
    probes = site.sign(function_probes(program, names), [binary(program)])
    with site.run(probes, f"f-{links}-{argument}", "--function-links", links) as run:
        done = run.command([program, argument], check=False)
        assert done.returncode == 0, done.stderr
    return run


@pytest.mark.parametrize("links", LINKS)
@pytest.mark.parametrize("kind", ["c_program", "cxx_program"])
def test_recursion_to_depth_32_nests_exactly(site: Site, links: str, kind: str, request: pytest.FixtureRequest) -> None:
    """Each of 32 nested calls has its own duration: 20 us more than the one inside it, and they contain one another."""
    run = traced(site, request.getfixturevalue(kind), links, "recurse")
    calls = sorted(run.events("C"), key=lambda event: -event["args"]["dur_ns"])
    assert [call["name"] for call in calls] == ["recurse"] * 32
    assert run.closing()["missed_returns"] == 0
    for outer, inner in pairwise(calls):
        assert outer["args"]["dur_ns"] >= inner["args"]["dur_ns"] + 20_000
        assert outer["ts"] <= inner["ts"]
        assert inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]


@pytest.mark.parametrize("links", LINKS)
@pytest.mark.parametrize("kind", ["c_program", "cxx_program"])
def test_longjmp_is_a_counted_miss(site: Site, links: str, kind: str, request: pytest.FixtureRequest) -> None:
    """Calls left by longjmp are counted and never paired with a later return."""
    run = traced(site, request.getfixturevalue(kind), links, "jump")
    assert Counter(event["name"] for event in run.events("C")) == {"jump_through": 5, "jumper": 5}
    assert all(event["args"]["dur_ns"] < 500_000_000 for event in run.events("C"))
    assert run.closing()["missed_returns"] == 10


@pytest.mark.parametrize("links", LINKS)
def test_exceptions_pass_and_are_counted(site: Site, cxx_program: Path, links: str) -> None:
    """C++ exceptions pass through probed functions as if nobody watched; the calls that they end are counted."""
    run = traced(site, cxx_program, links, "throw")
    assert Counter(event["name"] for event in run.events("C")) == {"passer": 5, "thrower": 5}
    assert run.closing()["missed_returns"] == 10


@pytest.mark.parametrize("links", LINKS)
def test_threads_do_not_mix(site: Site, c_program: Path, links: str) -> None:
    """Four threads in the same function at once: 100 calls each, none shorter than it was."""
    run = traced(site, c_program, links, "threads")
    calls = Counter((event["pid"], event["tid"]) for event in run.events("C"))
    assert sorted(calls.values()) == [100, 100, 100, 100]
    assert len({pid for pid, _ in calls}) == 1
    assert all(event["args"]["dur_ns"] >= 10_000 for event in run.events("C"))
    assert run.closing()["missed_returns"] == 0


def test_without_uprobe_multi_few_functions_still_work(site: Site, c_program: Path) -> None:
    """Perf uprobes, the way of kernels before 6.6, give the same calls."""
    run = traced(site, c_program, "perf", "jump")
    assert Counter(event["name"] for event in run.events("C")) == {"jump_through": 5, "jumper": 5}


def test_libc_above_system_calls(site: Site, tmp_path: Path) -> None:
    """Fwrite of libc contains its write: same thread, times nested, the outer one first where they are equal."""
    libc = Path(
        next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libc.so.6" in line)
    )
    probes = function_probes(libc, ["fwrite", "fflush", "fopen", "fclose"])
    signed = site.sign([*syscall_probes(["write", "openat", "close"]), *probes], [binary(libc)])
    program = tmp_path / "stdio"
    source = tmp_path / "stdio.c"
    source.write_text(
        '#include <stdio.h>\nint main(int c, char **v) { FILE *f = fopen(v[1], "w");\n'
        "for (int i = 0; i < 200; i++) { fwrite(v[1], 1, 5, f); fflush(f); }\n return fclose(f); }\n"
    )
    subprocess.run(["gcc", "-O1", "-o", program, source], check=True)
    with site.run(signed, "stdio") as run:
        run.command([program, tmp_path / "out"])
    lines = [line for line in run.lines() if line["ph"] == "X" and line["cat"] in ("C", "POSIX")]
    flushes = [i for i, line in enumerate(lines) if line["name"] == "fflush"]
    writes = [line for line in lines if line["name"] == "write" and line["args"].get("ret") == 5]
    assert len(flushes) == len(writes) == 200
    for flush in flushes:
        outer = lines[flush]
        inner = next(w for w in writes if outer["ts"] <= w["ts"] and w["ts"] + w["dur"] <= outer["ts"] + outer["dur"])
        assert inner["args"]["dur_ns"] <= outer["args"]["dur_ns"]
        if (inner["ts"], inner["dur"]) == (outer["ts"], outer["dur"]):
            assert lines.index(outer) < lines.index(inner)


def test_a_changed_library_is_refused_by_name(site: Site, c_program: Path, tmp_path: Path) -> None:
    """A file that is not the one that was signed is not probed, and the message says which."""
    copy = tmp_path / "copy"
    copy.write_bytes(c_program.read_bytes())
    signed = site.sign(function_probes(copy, ["recurse"]), [binary(copy)])
    subprocess.run(["gcc", "-x", "c", "-o", copy, "-"], input=b"int main(void) { return 0; }", check=True)
    process = site.start(signed, "changed")
    output = process.communicate(timeout=30)[1]
    assert process.returncode == 71
    assert f"{copy} has changed since it was signed" in output
    assert len(output.splitlines()) == 1


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the instruction is one of x86-64")
def test_a_function_that_the_kernel_does_not_probe_costs_no_other(site: Site, tmp_path: Path) -> None:
    """The kernel looks at instructions where a process has the file mapped: the function is refused by name, and all
    others are attached.
    """
    program = tmp_path / "refused"
    subprocess.run(["gcc", "-O1", "-o", program, PROGRAMS / "refused.c"], check=True)
    probes = site.sign(function_probes(program, ["plain", "locked"]), [binary(program)])
    with subprocess.Popen([program, "1", "wait"], stdin=subprocess.PIPE), site.run(probes, "refused") as run:
        run.command([program, "7"])
    (opening,) = (line["args"] for line in run.lines() if line["args"].get("name") == "run")
    assert opening["refused"] == ["locked: the kernel cannot probe its first instruction"]
    assert [event["name"] for event in run.events("C")] == ["plain"] * 7
