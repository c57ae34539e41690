"""What all measurements share: the compiled programs, a file on tmpfs, a site to trace on, a process to measure."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tracing import Site

HERE = Path(__file__).resolve().parent
_TMPFS = "/dev/shm"
_FILE_BYTES = 1 << 20
REFERENCE_NS = 47
"""What a bare getppid takes on the machine that the targets were set for."""
_QUIET_SECONDS = 10


class BenchError(Exception):
    """Something that the measurements need is missing."""


def say(text: str) -> None:
    """Progress, for who waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where things are, and how thorough to be."""

    folder: Path
    """Compiled programs and scratch files."""
    file: Path
    """1 MiB on tmpfs."""
    site: Site
    rounds: int
    quick: bool

    @property
    def percall(self) -> list[str | Path]:
        """The command that measures calls."""
        return [self.folder / "percall", self.file]

    @property
    def flood(self) -> Path:
        return self.folder / "flood"


def compile_c(sources: Sequence[Path], program: Path, *options: str) -> None:
    """Compiles with gcc.

    Raises:
        BenchError: there is no compiler, or it fails.
    """
    command = ["gcc", "-O2", "-Wall", *options, "-o", str(program), *map(str, sources), "-ldl"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BenchError("gcc is missing") from error
    except subprocess.CalledProcessError as error:
        raise BenchError(f"gcc fails: {error.stderr.strip().splitlines()[-1]}") from error


@contextlib.contextmanager
def opened(*, quick: bool) -> Iterator[Bench]:
    """Compiles the programs and makes a site; all is removed at the end of the context."""
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="datacrumbs-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for name in ("percall", "flood"):
            compile_c([HERE / f"{name}.c"], folder / name)
        descriptor, name = tempfile.mkstemp(prefix="datacrumbs-bench-", dir=_TMPFS)
        stack.callback(os.unlink, name)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(os.urandom(_FILE_BYTES))
        site = stack.enter_context(Site())
        wait_for_quiet(_QUIET_SECONDS)
        yield Bench(folder, Path(name), site, rounds=3 if quick else 11, quick=quick)


def slowness(bare: float) -> float:
    """How much longer a bare system call takes than where the targets were set, at least 1.

    Targets for the cost of calls grow with it, and a rate of calls shrinks: the kernel's own part of both does.

    Args:
        bare: ns of a getppid that nobody traces, from the same rounds as the figure: virtual machines change their
            pace within minutes.
    """
    return max(1.0, bare / REFERENCE_NS)


class PerCall:
    """A percall process: answers what one call costs it, as often as it is asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = int(self._line().split()[1])

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"a measured process ends with code {self._process.wait()}")
        return line

    def cost(self, name: str, count: int) -> float:
        """The ns per call of a good batch (the tenth percentile) of 200 batches of `count` calls."""
        assert self._process.stdin
        self._process.stdin.write(f"{name} {count}\n")
        self._process.stdin.flush()
        return float(self._line())


@contextlib.contextmanager
def measured(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Iterator[PerCall]:
    """A percall process (`Bench.percall`), perhaps under another command."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(env or {})},
    )
    try:
        yield PerCall(process)
    finally:
        assert process.stdin and process.stdout
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def wait_for_quiet(seconds: float) -> int:
    """Waits until nobody else traces, at most `seconds`. Returns how many tracing programs are still attached."""
    deadline = time.monotonic() + seconds
    while (others := other_tracers()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return others


def other_tracers() -> int:
    """How many tracing programs others have attached: they make every call slower, measured or not."""
    try:
        listing = subprocess.run(["bpftool", "link"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return 0
    return listing.count(": tracing ") + listing.count(": raw_tracepoint ")
