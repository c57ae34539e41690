"""What tests of the running tracer share: a site, compiled programs, folders that every user can work in."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from programs import compile_program
from tracing import Run, Site


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Configuration, keys and folders."""
    with Site() as site:
        yield site


@pytest.fixture(scope="session")
def compiled(site: Site) -> Callable[..., Path]:
    """Compiles a program of tests/bpf/programs: `compiled("calls", "-static")`; everybody may run it."""
    made: dict[tuple[str, ...], Path] = {}

    def compile_(name: str, *flags: str) -> Path:
        if (name, *flags) not in made:
            target = site.folder / f"{name}-{len(made)}"
            made[(name, *flags)] = compile_program(name, target, *flags)
        return made[(name, *flags)]

    return compile_


@pytest.fixture(scope="session")
def calls(compiled: Callable[..., Path]) -> Path:
    """The program calls.c."""
    return compiled("calls")


@pytest.fixture
def folder(site: Site) -> Path:
    """A folder of the test's own, with four more in it, that all users can write."""
    number = next(n for n in itertools.count() if not (site.folder / f"work-{n}").exists())
    folder = site.folder / f"work-{number}"
    for path in (folder, *(folder / str(i) for i in range(4))):
        path.mkdir()
        path.chmod(0o777)
    return folder


@pytest.fixture(scope="session")
def probes(site: Site) -> Path:
    """A probes file of root's with all I/O system calls."""
    return site.sign_syscalls()


@pytest.fixture
def run(site: Site, probes: Path) -> Iterator[Run]:
    """A runtime of root's, ready; `run.stop()` before its trace is read."""
    with site.run(probes, f"test-{os.getpid()}") as run:
        yield run
