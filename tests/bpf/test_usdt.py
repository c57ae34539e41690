"""USDT probes: places that programs mark themselves, with their arguments and semaphores."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datacrumbs.configurator import gather, resolve, spec
from datacrumbs.configurator.sources import usdt
from tracing import Site

pytestmark = pytest.mark.ebpf

SOURCE = Path(__file__).parent / "programs" / "marks.c"


def traced(path: Path, provider: str, pattern: str, command: list[str | Path]) -> tuple[list[Any], Any, str]:
    text = (
        f"capture_probes:\n- {{name: m, probe: usdt, binary_path: {path}, provider: {provider}, regex: '{pattern}'}}\n"
    )
    wishes = spec.parse(text.encode(), "usdt.yaml")
    found = resolve.resolve(wishes, gather.gather(wishes), arch=os.uname().machine, most=1_000)
    with Site() as site:
        probes = site.sign(found.probes.probes, found.probes.files)
        with site.run(probes, "usdt") as run:
            done = run.command(command, check=False)
            assert done.returncode == 0, done.stderr
        return run.events("m"), run.closing(), done.stdout


def test_marks_are_spans_and_events_with_their_arguments(tmp_path: Path) -> None:
    """Pairs nest as the calls do; registers, constants and memory are read; the semaphore was on meanwhile."""
    program = tmp_path / "marks"
    subprocess.run(["gcc", "-O1", "-o", program, SOURCE], check=True)
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "0\n"
    events, closing, output = traced(program, "tests", ".*", [program])
    assert int(output) > 0
    spans = sorted((e for e in events if e["name"] == "work"), key=lambda e: -e["args"]["dur_ns"])
    assert [(e["args"]["arg0"], e["args"]["arg2"]) for e in spans] == [(depth, -5) for depth in (3, 2, 1, 0)]
    assert len({e["args"]["arg1"] for e in spans}) == 1
    numbers = [e["args"] for e in events if e["name"] == "number"]
    assert [(n["arg0"], n["arg1"]) for n in numbers] == [(0.5, -7)] * 4
    assert sorted(n["arg2"] for n in numbers) == [0, 1, 2, 3]
    assert closing["missed_returns"] == 0


def written(folder: Path) -> Path:
    """A program with recursion, a generator and exceptions."""
    script = folder / "script.py"
    script.write_text(
        "def outer(n):\n    return n and inner(n)\n\ndef inner(n):\n    return outer(n - 1)\n\n"
        "def stepwise():\n    yield 1\n    yield 2\n\ndef raises():\n    raise KeyError\n\n"
        "outer(10)\nlist(stepwise())\nfor _ in range(3):\n    try:\n        raises()\n"
        "    except KeyError:\n        pass\n"
    )
    return script


CALLS = {"outer": 11, "inner": 10, "stepwise": 3, "raises": 3, "<module>": 1}
"""How often each function of it runs; a generator for each time that it is resumed."""


def test_python_functions_are_spans_with_their_names(tmp_path: Path) -> None:
    """Every call of a Python function is there once under its own name, also generators and those that raise."""
    python = Path(os.path.realpath("/usr/bin/python3"))
    if not python.exists() or not any(p.name == "function__entry" for p in usdt.read(str(python)).points):
        pytest.skip("the system's Python has no USDT probes")
    script = written(tmp_path)
    events, _, _ = traced(python, "python", "function__.*", [python, "-S", script])
    own = [e for e in events if e["args"]["file"] == str(script)]
    assert Counter(e["name"] for e in own) == CALLS
    (module,) = [e for e in own if e["name"] == "<module>"]
    assert all(module["ts"] <= e["ts"] and e["ts"] + e["dur"] <= module["ts"] + module["dur"] for e in own)
    assert {e["args"]["line"] for e in own if e["name"] == "outer"} == {1}


def test_python_functions_are_regions_without_usdt(tmp_path: Path) -> None:
    """The hook in the program sees the same calls, with any interpreter."""
    script = written(tmp_path)
    with Site() as site:
        with site.run(site.sign_syscalls(["read"]), "hook") as run:
            done = run.command([sys.executable, "-m", "datacrumbs.client.functions", script], check=False)
            assert done.returncode == 0, done.stderr
        events = run.events("region")
    assert Counter(e["name"] for e in events) == CALLS
    (module,) = [e for e in events if e["name"] == "<module>"]
    assert all(module["ts"] <= e["ts"] and e["ts"] + e["dur"] <= module["ts"] + module["dur"] for e in events)
    assert {(e["args"]["file"], e["args"]["line"]) for e in events if e["name"] == "inner"} == {(str(script), 4)}
