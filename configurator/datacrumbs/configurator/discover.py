"""Which software of a machine is worth probing: a host YAML to start from.

A library counts when its name is known (`KNOWN`). Where libraries are looked for: in what a program needs, with
`--for`; in LD_LIBRARY_PATH; in the folders that loaded environment modules name (variables such as HDF5_ROOT); in
Spack's installations; and in the loader's cache for libc.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datacrumbs.configurator.sources import library, usdt
from datacrumbs.core import elf
from datacrumbs.core.errors import DataCrumbsError
from datacrumbs.core.files import open_regular
from elftools.elf.dynamic import DynamicSegment

MAX_LIBRARIES: Final = 2_000
"""Libraries of one program that are followed."""
MAX_FOLDERS: Final = 20_000
_MODULE_VARIABLE: Final = re.compile(r"[A-Z0-9_]+_(ROOT|DIR|HOME|PREFIX|PATH)\Z")
_LIBRARY_FOLDERS: Final = ("lib", "lib64")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of software: names of its files, its category in the trace, and which of its functions matter."""

    name: str
    files: str
    category: str
    regex: str


KNOWN: Final = (
    Kind(
        "hdf5",
        r"libhdf5(_\w+)?\.so[.\d]*",
        "HDF5",
        r"H5[FDGAO](open|create|close|read|write|flush)\d?|H5FD_(read|write)",
    ),
    Kind(
        "netcdf",
        r"libnetcdf\.so[.\d]*",
        "NetCDF",
        r"nc_(open|create|close|sync|enddef|(get|put)_var.*)(_par)?",
    ),
    Kind(
        "pnetcdf",
        r"libpnetcdf\.so[.\d]*",
        "PnetCDF",
        r"ncmpi_(open|create|close|sync|enddef|wait.*|i?(get|put)_var.*)",
    ),
    Kind(
        "adios2",
        r"libadios2_c(_mpi)?\.so[.\d]*",
        "ADIOS2",
        r"adios2_(open|close|put|get|begin_step|end_step|perform_.*)",
    ),
    Kind(
        "mpi",
        r"lib(mpi|mpich|mpi_cray|mpi_gnu_\d+)\.so[.\d]*",
        "MPI-IO",
        r"MPI_File_(open|close|i?(read|write).*|sync|set_.*)",
    ),
    Kind(
        "libc",
        r"libc\.so\.6|libc-[\d.]+\.so",
        "C",
        r"f(open|close|read|write|flush|seek|printf)(64|_unlocked)?|p?(read|write)(64|v)?",
    ),
)
_PYTHON: Final = re.compile(r"(libpython3[.\d]*\.so[.\d]*|python3[.\d]*)\Z")


@dataclass(frozen=True, slots=True)
class Finding:
    """One file that is worth probing, and where it was found."""

    kind: Kind | None
    """None: a Python interpreter with USDT probes."""
    path: str
    origin: str


def discover(environment: Mapping[str, str], program: str = "") -> list[Finding]:
    """The known software of a machine, or of a program alone, each file once.

    Args:
        environment: variables, as a job will have them.
        program: whose libraries to look at; empty: all that the environment leads to.

    Raises:
        NoInputError, DataError: the program is missing or no program of this machine.
    """
    found: dict[str, Finding] = {}
    for path, origin in _needed(program, environment) if program else _everywhere(environment):
        real = os.path.realpath(path)
        if real not in found and (finding := _recognise(path, real, origin)):
            found[real] = finding
    return sorted(found.values(), key=lambda one: ([*KNOWN, None].index(one.kind), one.path))


def _recognise(path: str, real: str, origin: str) -> Finding | None:
    for name in (Path(path).name, Path(real).name):
        for kind in KNOWN:
            if re.fullmatch(kind.files, name):
                return Finding(kind, real, origin)
        if _PYTHON.match(name) and _has_marks(real):
            return Finding(None, real, origin)
    return None


def _has_marks(path: str) -> bool:
    try:
        return any(point.provider == "python" for point in usdt.read(path).points)
    except DataCrumbsError:
        return False


def _everywhere(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    folders: dict[Path, str] = {}
    for text in filter(None, environment.get("LD_LIBRARY_PATH", "").split(":")):
        folders.setdefault(Path(text), "LD_LIBRARY_PATH")
    for name, value in environment.items():
        if _MODULE_VARIABLE.match(name) and value.startswith("/") and ":" not in value:
            for part in _LIBRARY_FOLDERS:
                folders.setdefault(Path(value) / part, name)
    for folder in _spack(environment):
        folders.setdefault(folder, "Spack")
    for folder, origin in folders.items():
        yield from ((str(path), origin) for path in _files(folder))
    for soname in ("libc.so.6", "libmpi.so.40", "libmpi.so.12", "libhdf5.so"):
        try:
            yield library.locate(soname), "the loader's cache"
        except DataCrumbsError:
            continue
    for where in filter(None, environment.get("PATH", "").split(":")):
        interpreter = Path(where) / "python3"
        if interpreter.exists():
            yield str(interpreter.resolve()), "PATH"


def _spack(environment: Mapping[str, str]) -> Iterator[Path]:
    """The library folders of Spack's installations: ROOT/opt/spack/PLATFORM/COMPILER/PACKAGE/lib, or a level less."""
    root = environment.get("SPACK_ROOT", "")
    if not root:
        return
    tree, count = Path(root) / "opt" / "spack", 0
    for depth in ("*/*/*", "*/*"):
        for package in _glob(tree, depth):
            for part in _LIBRARY_FOLDERS:
                if (package / part).is_dir():
                    count += 1
                    yield package / part
            if count > MAX_FOLDERS:
                return


def _glob(folder: Path, pattern: str) -> Iterable[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return ()


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in folder.iterdir() if ".so" in path.name and path.is_file())
    except OSError:
        return


def _needed(program: str, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A program and all libraries that it needs, as ld.so(8) finds them."""
    start = str(Path(program).resolve())
    elf.read(start)
    queue, seen = [(start, "the program")], {start}
    while queue and len(seen) <= MAX_LIBRARIES:
        path, origin = queue.pop(0)
        yield path, origin
        for soname, folders in _dynamic(path, environment):
            found = _locate(soname, folders)
            if found and found not in seen:
                seen.add(found)
                queue.append((found, f"{Path(path).name} needs it"))


def _dynamic(path: str, environment: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """What a file needs, each with the folders to look in first."""
    needed, own = [], []
    try:
        with open_regular(path) as fd, open(fd, "rb", closefd=False) as stream:
            for segment in elf.parse(stream, path).iter_segments("PT_DYNAMIC"):
                assert isinstance(segment, DynamicSegment)
                for tag in segment.iter_tags():
                    if tag.entry.d_tag == "DT_NEEDED":
                        needed.append(str(getattr(tag, "needed", "")))
                    elif tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
                        text = str(getattr(tag, "rpath", "") or getattr(tag, "runpath", ""))
                        own += [one.replace("$ORIGIN", str(Path(path).parent)) for one in text.split(":")]
    except Exception:  # a damaged library ends its branch
        return []
    folders = [*own, *environment.get("LD_LIBRARY_PATH", "").split(":")]
    return [(soname, [folder for folder in folders if folder.startswith("/")]) for soname in needed]


def _locate(soname: str, folders: Iterable[str]) -> str | None:
    for folder in folders:
        path = Path(folder) / soname
        if path.is_file():
            return str(path.resolve())
    try:
        return library.locate(soname)
    except DataCrumbsError:
        return None


def host_yaml(findings: Iterable[Finding]) -> str:
    """A host YAML that probes what was found, and the system calls that do I/O."""
    lines = [
        "# Found on this machine: keep what matters. docs/host-yaml.md says what all of it means.",
        "capture_probes:",
        "  - name: io",
        "    probe: syscalls",
        "    category: POSIX",
        "    regex: 'p?(read|write)(64|v|v2)?|open(at2?)?|close|f?(sync|datasync)'",
    ]
    names: dict[str, int] = {}
    for one in findings:
        name = one.kind.name if one.kind else "python"
        names[name] = names.get(name, 0) + 1
        label = name if names[name] == 1 else f"{name}-{names[name]}"
        lines += ["", f"  # {_comment(one.origin)}", f"  - name: {label}"]
        if one.kind:
            lines += ["    probe: uprobe", f"    file: {_quoted(one.path)}", f"    category: {one.kind.category}"]
            lines.append(f"    regex: {_quoted(one.kind.regex)}")
        else:
            lines += ["    probe: usdt", f"    binary_path: {_quoted(one.path)}", "    provider: python"]
            lines.append("    regex: 'function__.*|gc__.*'")
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:200]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
