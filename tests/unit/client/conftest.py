"""What tests of the client share: the installed files, a C compiler, and the markers as strace sees them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datacrumbs.client
import pytest

ROOT = Path(__file__).resolve().parents[3]
NATIVE = ROOT / "client" / "native"
INCLUDE = [f"-I{ROOT / 'client' / 'include'}", f"-I{ROOT / 'core' / 'include'}", f"-I{NATIVE}"]
START, STOP, REGION = 1, 2, 3

Compile = Callable[..., Path]


def token(run_id: str) -> int:
    """The token of a run id, written down a second time: FNV-1a, 64 bit."""
    value = 0xCBF29CE484222325
    for byte in run_id.encode():
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value if run_id else 0


@dataclass
class Traced:
    """What strace saw of a program."""

    code: int
    out: str
    err: str
    calls: list[tuple[int, str]]
    """Process, and the call as strace writes it."""

    @property
    def markers(self) -> list[tuple[int, int]]:
        """Operation and third argument of each marker, in order."""
        return [(int(op, 16), int(arg, 16)) for _, _, op, arg in self._markers()]

    @property
    def marked_processes(self) -> list[int]:
        return [pid for pid, *_ in self._markers()]

    def _markers(self) -> list[tuple[int, str, str, str]]:
        pattern = re.compile(r"prctl\((0x64637262)[^,]*, (\w+), (\w+), ")  # perhaps "<unfinished …>" when threads meet
        return [(pid, *found.groups()) for pid, call in self.calls if (found := pattern.match(call))]  # type: ignore[misc]

    @property
    def executed(self) -> list[str]:
        """The calls of execve, with whether they worked."""
        return [call for _, call in self.calls if call.startswith("execve")]


@pytest.fixture(scope="session")
def wrap() -> Path:
    """The installed datacrumbs_wrap."""
    return Path(sysconfig.get_path("scripts"), "datacrumbs_wrap")


@pytest.fixture(scope="session")
def library() -> Path:
    """The installed client library."""
    return Path(datacrumbs.client.__file__).with_name("libdatacrumbs_client.so")


@pytest.fixture(scope="session")
def compile_c(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compiles C with gcc: `compile_c("name", source, …, "-flag", …)` gives the program."""

    def compile_(name: str, *arguments: str | Path, compiler: Sequence[str] = ("gcc", "-std=c11")) -> Path:
        program = tmp_path_factory.mktemp("native") / name
        warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
        command = [*compiler, "-D_GNU_SOURCE", "-O1", "-g", *warnings, *INCLUDE]
        subprocess.run([*command, "-o", str(program), *map(str, arguments), "-pthread"], check=True)
        return program

    return compile_


@pytest.fixture(scope="session")
def calls(compile_c: Compile, library: Path) -> Path:
    """The program tests/native/client_calls.c, linked with the library."""
    return compile_c("calls", ROOT / "tests" / "native" / "client_calls.c", library, f"-Wl,-rpath,{library.parent}")


@pytest.fixture
def strace(tmp_path: Path) -> Callable[..., Traced]:
    """Runs a program under strace, without variables of ours unless they are given: `strace(program, …, X="y")`."""

    def run(*argv: str | Path, user: str = "", options: Sequence[str] = (), **variables: str) -> Traced:
        log = tmp_path / "strace"
        command = [
            shutil.which("strace") or "strace",
            "-f",
            "-qq",
            "-s",
            "256",
            "-e",
            "trace=prctl,execve",
            "-e",
            "signal=none",
            "-o",
            str(log),
        ]
        command += ["-u", user] if user else []
        done = subprocess.run(
            [*command, *options, *map(str, argv)],
            env=clean_environment(variables), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        lines = [line.split(None, 1) for line in log.read_text().splitlines()]
        return Traced(done.returncode, done.stdout, done.stderr, [(int(pid), call) for pid, call in lines])

    return run


def clean_environment(variables: dict[str, str]) -> dict[str, str]:
    """The environment of this process without what the client heeds, and with the variables given."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("DATACRUMBS_", "LD_"))}
    return ours | {"ASAN_OPTIONS": "detect_leaks=0"} | variables


@pytest.fixture
def environment() -> Callable[..., dict[str, Any]]:
    """`environment(X="y")`: see `clean_environment`."""
    return lambda **variables: clean_environment(variables)


@pytest.fixture(scope="session")
def token_of() -> Callable[[str], int]:
    """See `token`."""
    return token
