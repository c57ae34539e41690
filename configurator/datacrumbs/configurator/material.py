"""What a machine has to probe, as the sources report it: the material that `resolve` selects from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from datacrumbs.core.customprobes import CustomProgram
from datacrumbs.core.probes import Binary, Capture, Probe
from datacrumbs.core.usdt import Mark


@dataclass(frozen=True, slots=True)
class SystemCalls:
    """The system calls of a machine."""

    numbers: Mapping[str, int]
    """By the names that the manual uses: `stat`, not the kernel's `newstat`."""
    notes: tuple[str, ...] = ()
    """What a user should know about where they came from, one sentence each."""


@dataclass(frozen=True, slots=True)
class Name:
    """One name of a user function."""

    symbol: str
    """As in the symbol table, without its version."""
    shown: str
    """As people write it: C++ names demangled."""


@dataclass(frozen=True, slots=True)
class Code:
    """A user function: a place in a file with all its names, the best one first."""

    offset: int
    """In the file, in bytes."""
    names: tuple[Name, ...]
    indirect: bool = False
    """An IFUNC: what stands there is not the function but what chooses it when the program starts."""


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions of one binary, in the order of their offsets."""

    binary: Binary
    functions: tuple[Code, ...]
    unwinds: bool = False
    """Whether its functions take part in C++ exceptions; see unsafe.py."""
    notes: tuple[str, ...] = ()
    captures: Mapping[int, Capture] = field(default_factory=dict)
    """What to capture of functions, by their offsets."""
    skips: Mapping[int, int] = field(default_factory=dict)
    """Bytes from functions' entries to their probes, by their offsets; see core/placement.py."""


@dataclass(frozen=True, slots=True)
class KernelProbe:
    """A tracepoint, a pair of them, or a kernel function, as it will be probed."""

    probe: Probe
    names: tuple[str, ...]
    """All that it goes by."""
    problem: str = ""
    """Why it must not be probed."""


@dataclass(frozen=True, slots=True)
class KernelProbes:
    """What an entry selects of the kernel."""

    probes: tuple[KernelProbe, ...]
    kernel: str
    """The kernel that they were described by: btf.fingerprint."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """A USDT probe as its file describes it: offsets in the file, and where its arguments are, in assembler's words."""

    provider: str
    name: str
    mark: Mark
    arguments: str


@dataclass(frozen=True, slots=True)
class Points:
    """The USDT probes of one file."""

    binary: Binary
    points: tuple[Point, ...]
    switches: Mapping[tuple[str, str], Mark] = field(default_factory=dict)
    """By provider and name, what must be switched on besides a probe's own semaphore; see core.usdt."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomProbes:
    """A program of the site's, and its events in the order of their numbers."""

    program: CustomProgram
    probes: tuple[Probe, ...]
    notes: tuple[str, ...] = ()


Found = SystemCalls | Functions | KernelProbes | Points | CustomProbes
Material = Mapping[int, Found]
"""What was found for each entry, by the entry's place in the spec."""
