"""The resolved probes: what a signed file says, and all that the runtime needs to know.

A `ProbeSet` is the end of the configurator's work and the start of the runtime's. Its JSON form is the `probes` member
of the signed document (see envelope.py). A probe's index in `ProbeSet.probes` is its id: it is the cookie in the kernel
and `fn` in every record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args

from datacrumbs.core import customprobes, kernelprobes, usdt
from datacrumbs.core.customprobes import MAX_PROGRAMS, Custom, CustomProgram
from datacrumbs.core.errors import DataError
from datacrumbs.core.kernelprobes import KernelFunction, Tracepoint
from datacrumbs.core.members import MAX_NAME as MAX_NAME
from datacrumbs.core.members import Members
from datacrumbs.core.usdt import Usdt

FORMAT_VERSION: Final = 1
REPORT_VERSION: Final = 1
"""Of the report that a run leaves beside its trace."""
MAX_PROBES: Final = 32_768
MAX_FILES: Final = 1_024
MAX_ARGUMENTS: Final = 8
"""Values captured of one call; DC_MAX_ARGS in runtime/bpf/record.h."""
MAX_TEXTS: Final = 2
"""Texts captured of one call; DC_MAX_TEXTS in runtime/bpf/record.h."""
MAX_PATHS: Final = 2
"""Files that one call can name; DC_MAX_FILES in runtime/bpf/record.h."""

Kind = Literal["syscall", "uprobe", "kprobe", "tracepoint", "usdt", "custom"]
Mode = Literal["trace", "profile", "auto"]
"""Every call is an event; calls are added up; calls are events until their function passes the rate limit."""
MODES: Final = ("trace", "profile", "auto")
SHORTEST_INTERVAL: Final = 10_000_000
LONGEST_INTERVAL: Final = 60_000_000_000
"""Nanoseconds. The kernel counts the calls of an interval in 32 bits."""
MAX_RATE: Final = 1_000_000_000
ArgumentType = Literal[
    "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "hex", "pointer", "f32", "f64", "string", "dev", "blkop"
]  # fmt: skip
ARGUMENT_TYPES: Final = get_args(ArgumentType)
"""`hex` shows flags as "0x…"; `pointer` an address likewise; `string` is the text that the argument points to.
`dev`: a device's number as the kernel has it, shown as "8:1"; `blkop`: a block request's flags, shown as "read"."""
ResultType = Literal["", "errno"] | ArgumentType
"""What a return value is: nothing worth showing, a number that may be a negative errno (as the kernel has it), …"""
RESULT_TYPES: Final = ("", "errno", *ARGUMENT_TYPES)
RESULT: Final = -1
"""Stands for the return value in `Capture.size`."""
MAX_SKIP: Final = 64
"""Farthest place of a function's probe, in bytes from its entry."""
MAX_INDEX: Final = 15
"""Highest place of an argument of a function; those of system calls end at 5."""

_BUILD_ID = re.compile(r"[0-9a-f]{2,128}\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is that is not simply an argument.

    `register`: the register to start from, as struct pt_regs names it; "const": `offset` itself is the value; empty:
    start from the argument. With `dereference`, the value is in memory, `offset` bytes after that start; with
    `returned` too, it is read when the call returns: what a function hands out through a pointer.
    """

    register: str = ""
    offset: int = 0
    dereference: bool = False
    returned: bool = False


@dataclass(frozen=True, slots=True)
class Argument:
    """A value to capture. `index` counts arguments as the calling convention does, from 0; see `Place` for others."""

    name: str
    index: int
    type: ArgumentType
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class FileRef:
    """How a call names a file.

    `descriptor`: the argument that is a descriptor; `path`: the argument that points to a path; `directory`: the
    descriptor that a relative path starts at (none: the working directory). `-1` stands for "not so". With
    `returned`, a successful call's return value is the descriptor (open), and `path` serves where it failed.

    With `stream`, what is called descriptor above is a C stream, a `FILE *`. With `handle`, a word for a library's kind
    of handle, it is such a handle: `returned` calls make one, of the file that `path` or another handle names, and the
    file is remembered with it. A new handle is the return value, or the first argument whose place is `returned`.
    """

    descriptor: int = -1
    path: int = -1
    directory: int = -1
    returned: bool = False
    stream: bool = False
    handle: str = ""


@dataclass(frozen=True, slots=True)
class Capture:
    """What is taken from one call besides its time: at most MAX_ARGUMENTS values and MAX_PATHS files."""

    arguments: tuple[Argument, ...] = ()
    files: tuple[FileRef, ...] = ()
    returns: ResultType = ""
    """What the return value is; system calls are always shown with theirs."""
    size: tuple[int, ...] = ()
    """The bytes that a call moves: the product of these of its `arguments`, where RESULT is the return value."""


@dataclass(frozen=True, slots=True)
class Syscall:
    """Where a system call is: its name in the kernel and its number on the probed architecture."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Function:
    """Where a user function is: index into `ProbeSet.files`, file offset in bytes, and the symbol it came from."""

    file: int
    offset: int
    symbol: str
    skip: int = 0
    """Bytes from its entry to its probe; see placement.py."""


Target = Syscall | Function | Tracepoint | KernelFunction | Usdt | Custom


@dataclass(frozen=True, slots=True)
class Binary:
    """A file with probed functions; `build_id` is the GNU build id in lower-case hex.

    A file that has none is bound by "sha256:" and the hash of its content.
    """

    path: str
    build_id: str


@dataclass(frozen=True, slots=True)
class Probe:
    """One function to probe: the name and category it has in the trace, where it is, and what to capture."""

    name: str
    category: str
    kind: Kind
    target: Target
    capture: Capture = Capture()


@dataclass(frozen=True, slots=True)
class ProbeSet:
    """All that one run probes."""

    arch: str
    """The machine as `uname -m` says it."""
    probes: tuple[Probe, ...]
    files: tuple[Binary, ...] = ()
    mode: Mode = "trace"
    min_duration_ns: int = 0
    """Calls shorter than this are counted but not written."""
    kernel: str = ""
    """The kernel that the offsets of fields are for (btf.fingerprint); "" where there are none."""
    interval_ns: int = 1_000_000_000
    """What a line of a profile covers."""
    rate_limit: int = 10_000
    """Mode auto: calls of one function in a second, beyond which it is profiled."""
    programs: tuple[CustomProgram, ...] = ()
    """What custom probes are compiled from."""
    excluded: tuple[str, ...] = field(default=())
    """What the configurator left out, one line of text each with the reason: the trace repeats them."""

    def to_json(self) -> dict[str, Any]:
        """The set as plain JSON values; `from_json` is its inverse."""
        return {
            "version": FORMAT_VERSION,
            "arch": self.arch,
            "mode": self.mode,
            "min_duration_ns": self.min_duration_ns,
            "interval_ns": self.interval_ns,
            "rate_limit": self.rate_limit,
            "files": [{"path": f.path, "build_id": f.build_id} for f in self.files],
            "probes": [_probe_to_json(p) for p in self.probes],
            "excluded": list(self.excluded),
            **({"kernel": self.kernel} if self.kernel else {}),
            **({"programs": [customprobes.program_to_json(p) for p in self.programs]} if self.programs else {}),
        }

    @staticmethod
    def from_json(value: object) -> ProbeSet:
        """Reads the JSON form strictly: unknown members, wrong types and numbers out of range are refused.

        Raises:
            DataError: with the place in the document (`probes[3].number`) and what is wrong there.
        """
        top = Members(value, "")
        version = top.integer("version", 0, 2**31)
        if version != FORMAT_VERSION:
            raise DataError(
                f"probes file has format version {version}, this DataCrumbs reads version {FORMAT_VERSION}",
                "make it again with this version's datacrumbs_probe_configurator",
            )
        files = tuple(_file_from_json(item) for item in top.items("files", MAX_FILES))
        programs = tuple(
            customprobes.program_from_json(item) for item in top.items("programs", MAX_PROGRAMS, optional=True)
        )
        probes = tuple(_probe_from_json(item, len(files), len(programs)) for item in top.items("probes", MAX_PROBES))
        if not probes:
            raise DataError("probes file names no function", "widen the selection in the host YAML")
        result = ProbeSet(
            arch=top.text("arch"),
            probes=probes,
            files=files,
            mode=top.choice("mode", MODES),  # type: ignore[arg-type]
            min_duration_ns=top.integer("min_duration_ns", 0, 2**62),
            kernel=top.optional_text("kernel"),
            interval_ns=top.integer("interval_ns", SHORTEST_INTERVAL, LONGEST_INTERVAL),
            rate_limit=top.integer("rate_limit", 1, MAX_RATE),
            programs=programs,
            excluded=top.texts("excluded", MAX_PROBES, 4 * MAX_NAME),
        )
        top.finish()
        return result


def place_of(probe: Probe, files: tuple[Binary, ...]) -> str:
    """Where a probe is, in words that stay the same from one run to the next."""
    target = probe.target
    if isinstance(target, Function):
        return f"{files[target.file].path}+{target.offset:#x}"
    if isinstance(target, Syscall):
        return f"{target.name} ({target.number})"
    if isinstance(target, Usdt):
        return f"{files[target.file].path}:{target.provider}:{target.name}"
    if isinstance(target, Tracepoint):
        return f"{target.event} … {target.end}" if target.end else target.event
    if isinstance(target, KernelFunction):
        return f"{target.module or 'kernel'}+{target.symbol}"
    return probe.name


def _probe_to_json(probe: Probe) -> dict[str, Any]:
    value: dict[str, Any] = {"name": probe.name, "category": probe.category, "kind": probe.kind}
    if isinstance(probe.target, Syscall):
        value |= {"syscall": probe.target.name, "number": probe.target.number}
    elif isinstance(probe.target, Function):
        value |= {"file": probe.target.file, "offset": probe.target.offset, "symbol": probe.target.symbol}
        if probe.target.skip:
            value["skip"] = probe.target.skip
    elif isinstance(probe.target, Usdt):
        value |= usdt.to_json(probe.target)
    elif isinstance(probe.target, Custom):
        value |= customprobes.to_json(probe.target)
    else:
        value |= kernelprobes.to_json(probe.target)
    if probe.capture.arguments:
        value["arguments"] = [_argument_to_json(argument) for argument in probe.capture.arguments]
    if probe.capture.files:
        value["names"] = [_fileref_to_json(ref) for ref in probe.capture.files]
    if probe.capture.returns:
        value["returns"] = probe.capture.returns
    if probe.capture.size:
        value["size"] = list(probe.capture.size)
    return value


def _argument_to_json(argument: Argument) -> dict[str, Any]:
    value: dict[str, Any] = {"name": argument.name, "index": argument.index, "type": argument.type}
    if argument.place:
        place = argument.place
        value["place"] = {"register": place.register, "offset": place.offset}
        value["place"] |= {name: True for name in ("dereference", "returned") if getattr(place, name)}
    return value


def _fileref_to_json(ref: FileRef) -> dict[str, Any]:
    value: dict[str, Any] = {
        "descriptor": ref.descriptor,
        "path": ref.path,
        "directory": ref.directory,
        "returned": ref.returned,
    }
    if ref.stream:
        value["stream"] = True
    if ref.handle:
        value["handle"] = ref.handle
    return value


def _probe_from_json(item: Members, files: int, programs: int) -> Probe:
    kind: Kind = item.choice("kind", get_args(Kind))  # type: ignore[assignment]
    target: Target
    if kind in ("kprobe", "tracepoint"):
        target = kernelprobes.from_json(kind, item)
    elif kind == "usdt":
        target = usdt.from_json(item, files)
    elif kind == "custom":
        target = customprobes.from_json(item, programs, MAX_ARGUMENTS)
    elif kind == "syscall":
        target = Syscall(item.text("syscall"), item.integer("number", 0, 1023))
    else:
        target = Function(
            item.integer("file", 0, files - 1),
            item.integer("offset", 0, 2**62),
            item.text("symbol", 4 * MAX_NAME),
            item.integer("skip", 0, MAX_SKIP, optional=True),
        )
    capture = Capture(
        arguments=tuple(_argument_from_json(a) for a in item.items("arguments", MAX_ARGUMENTS, optional=True)),
        files=tuple(_fileref_from_json(f) for f in item.items("names", MAX_PATHS, optional=True)),
        returns=cast("ResultType", item.choice("returns", RESULT_TYPES, optional=True)),
        size=item.integers("size", MAX_ARGUMENTS, RESULT),
    )
    if any(factor >= len(capture.arguments) for factor in capture.size):
        raise DataError(f"probes file: {item.at('size')} names an argument that is not captured", "make the file again")
    if sum(argument.type == "string" for argument in capture.arguments) + (capture.returns == "string") > MAX_TEXTS:
        raise DataError(f"probes file: {item.at('arguments')} has over {MAX_TEXTS} texts", "make the file again")
    probe = Probe(item.text("name", 4 * MAX_NAME), item.text("category"), kind, target, capture)
    item.finish()
    return probe


def _argument_from_json(item: Members) -> Argument:
    argument = Argument(
        item.text("name"),
        item.integer("index", 0, MAX_INDEX),
        cast("ArgumentType", item.choice("type", ARGUMENT_TYPES)),
        next((_place_from_json(place) for place in item.item("place")), None),
    )
    item.finish()
    return argument


def _place_from_json(item: Members) -> Place:
    place = Place(
        item.word("register"),
        item.integer("offset", -(2**31), 2**31 - 1),
        item.flag("dereference", optional=True),
        item.flag("returned", optional=True),
    )
    item.finish()
    return place


def _fileref_from_json(item: Members) -> FileRef:
    ref = FileRef(
        item.integer("descriptor", -1, 5),
        item.integer("path", -1, 5),
        item.integer("directory", -1, 5),
        item.flag("returned"),
        item.flag("stream", optional=True),
        item.word("handle", optional=True),
    )
    item.finish()
    return ref


def _file_from_json(item: Members) -> Binary:
    path, build_id = item.text("path", 4096), item.text("build_id")
    if not path.startswith("/") or "\0" in path:
        raise DataError(f"probes file: {item.at('path')} is not an absolute path", "make the file again")
    digest = build_id.removeprefix("sha256:")
    if not _BUILD_ID.match(digest):
        raise DataError(f"probes file: {item.at('build_id')} is not a build id", "make the file again")
    item.finish()
    return Binary(path, build_id)
