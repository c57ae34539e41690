"""The BPF programs of a run, loaded, and their tables.

All objects share one set of maps: the first object makes them, the others take them over by name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from datacrumbs.core.errors import InternalError, KernelError
from datacrumbs.core.probes import Capture, Function, ProbeSet, Syscall
from datacrumbs.core.runid import fnv1a
from datacrumbs.core.syscalls import MOVES
from datacrumbs.core.usdt import Usdt
from datacrumbs.runtime import fetches
from datacrumbs.runtime._native import ffi, lib

FOLDER: Final = Path(__file__).parent / "bpf"
_NOTHING: Final = Capture()
_NONE_FIXED: Final[Mapping[str, int]] = {}
SLOT: Final = 0
"""The run slot that a runtime with programs of its own uses."""

_NO_BPF = "run as root on Linux 5.14 or newer with CONFIG_DEBUG_INFO_BTF; 'dmesg' and lockdown(7) may say more"


class Programs:
    """The loaded objects of one run; a context manager that unloads them.

    Args:
        wanted: for each object file (without ".bpf.o") the programs to load and their attach types (0: the default).
        sizes: entries of maps that are sized for this run.
        fixed: members of `struct dc_fixed`: what a run with these cannot use is left out of the programs.

    Raises:
        KernelError: the kernel does not take them; the message ends with libbpf's own words.
    """

    def __init__(
        self, wanted: Mapping[str, Mapping[str, int]], sizes: Mapping[str, int], fixed: Mapping[str, int] = _NONE_FIXED
    ) -> None:
        self._sizes = sizes
        self._fixed = fixed
        self._objects: list[Any] = []
        self._maps: dict[str, int] = {}
        self._programs: dict[str, Any] = {}
        lib.dc_log_capture()
        try:
            for name, programs in wanted.items():
                self._programs |= self._load(name, programs)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Programs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Unloads all that is not attached any more."""
        while self._objects:
            lib.bpf_object__close(self._objects.pop())

    def program(self, name: str) -> Any:
        """A loaded program, as libbpf's `struct bpf_program *`."""
        return self._programs[name]

    def map(self, name: str) -> int:
        """The descriptor of a map."""
        return self._maps[name]

    def load_again(self, name: str, programs: Sequence[str], cookie: int, function: str = "") -> dict[str, Any]:
        """Loads one more instance of some programs, for links that carry no cookie: they have it inside.

        Args:
            name: the object.
            programs: which of its programs.
            cookie: run slot and probe id; not 0.
            function: the kernel function that they are for, where they are trampolines.

        Raises:
            KernelError: the kernel does not take them.
        """
        return self._load(name, dict.fromkeys(programs, 0), cookie, function)

    def _load(self, name: str, wanted: Mapping[str, int], cookie: int = 0, function: str = "") -> dict[str, Any]:
        path = FOLDER / f"{name}.bpf.o"
        obj = lib.bpf_object__open_file(os.fsencode(path), ffi.NULL)
        if obj == ffi.NULL:
            raise InternalError(f"{path} is missing or damaged: {last_warning()}", "install DataCrumbs again")
        for bpf_map in _each(lib.bpf_object__next_map, obj):
            map_name = _map_name(bpf_map)
            if map_name.endswith(".rodata"):
                _fix(bpf_map, {**self._fixed, "cookie": cookie})
            elif map_name in self._maps:
                lib.bpf_map__reuse_fd(bpf_map, self._maps[map_name])
            elif map_name in self._sizes:
                lib.bpf_map__set_max_entries(bpf_map, self._sizes[map_name])
        programs = {ffi.string(lib.bpf_program__name(p)).decode(): p for p in _each(lib.bpf_object__next_program, obj)}
        for program_name, program in programs.items():
            lib.bpf_program__set_autoload(program, program_name in wanted)
            if function and program_name in wanted:
                lib.bpf_program__set_attach_target(program, 0, function.encode())
            if wanted.get(program_name):
                lib.bpf_program__set_expected_attach_type(program, wanted[program_name])
        error = lib.bpf_object__load(obj)
        if error:
            lib.bpf_object__close(obj)
            why = os.strerror(-error)
            raise KernelError(f"the kernel does not take the BPF programs: {why}: {last_warning()}", _NO_BPF)
        self._objects.append(obj)
        self._maps |= {_map_name(m): lib.bpf_map__fd(m) for m in _each(lib.bpf_object__next_map, obj)}
        return {name: program for name, program in programs.items() if name in wanted}


def _map_name(bpf_map: Any) -> str:
    """A map's name; the variables of all objects are one map, since no object has others than those of stacks.h."""
    name: str = ffi.string(lib.bpf_map__name(bpf_map)).decode()
    return ".bss" if name.endswith(".bss") else name


def _fix(constants: Any, values: Mapping[str, int]) -> None:
    """`fixed` is the only constant of the objects."""
    fixed = ffi.new("struct dc_fixed *", values)
    error = lib.bpf_map__set_initial_value(constants, fixed, ffi.sizeof("struct dc_fixed"))
    if error:
        raise InternalError(f"a program's constants are not as expected: {os.strerror(-error)}", "report it")


def last_warning() -> str:
    """What libbpf said last, in one line."""
    buffer = ffi.new("char[]", 512)
    lib.dc_log_take(buffer, 512)
    return bytes(ffi.string(buffer)).decode(errors="replace").strip()


def _each(following: Any, obj: Any) -> Iterator[Any]:
    item = following(obj, ffi.NULL)
    while item != ffi.NULL:
        yield item
        item = following(obj, item)


def fill_specs(programs: Programs, probes: ProbeSet) -> None:
    """Tells the system call programs what to capture."""
    for index, probe in enumerate(probes.probes):
        if not isinstance(probe.target, Syscall):
            continue
        capture = probe.capture
        spec = ffi.new("struct dc_spec *", {"fn": index, "flags": lib.DC_SPEC_SELECTED})
        for member in (spec.args, spec.descriptor, spec.path, spec.directory):
            for i in range(len(member)):
                member[i] = lib.DC_NONE
        for i, argument in enumerate(capture.arguments):
            spec.args[i] = argument.index
        for i, ref in enumerate(capture.files):
            spec.descriptor[i] = ref.descriptor & 0xFF
            spec.path[i] = ref.path & 0xFF
            spec.directory[i] = ref.directory & 0xFF
            if ref.returned:
                spec.flags |= lib.DC_SPEC_RETURNS_FILE
        if probe.target.name in MOVES:
            spec.flags |= lib.DC_SPEC_MOVES
        if len(capture.arguments) > 2 or len(capture.files) > 1 or any(ref.path >= 0 for ref in capture.files):
            spec.flags |= lib.DC_SPEC_EXTENDED
        if probe.target.number < lib.DC_MAX_CALLS:
            key = ffi.new("uint32_t *", SLOT * lib.DC_MAX_CALLS + probe.target.number)
            update(programs.map("specs"), key, spec)


def fill_function_specs(programs: Programs, probes: ProbeSet) -> None:
    """Tells the programs for user functions and USDT probes what to capture."""
    for index, probe in enumerate(probes.probes):
        target = probe.target
        if isinstance(target, Function) and probe.capture == _NOTHING:
            continue  # the table's zeros say that: whole libraries are ready sooner
        if isinstance(target, Function | Usdt):
            instant = isinstance(target, Usdt) and not target.ends
            spec = ffi.new("struct dc_function_spec *", fetches.spec(probe.capture, instant=instant))
            update(programs.map("function_specs"), ffi.new("uint32_t *", index), spec)


class RunEntry:
    """The run's entry in the table of runs; the programs heed nobody until `activate`."""

    def __init__(self, programs: Programs, run_id: str, uid: int, min_duration_ns: int, rate_limit: int = 0) -> None:
        self._map = programs.map("runs")
        self._entry = ffi.new(
            "struct dc_run *",
            {
                "token": fnv1a(run_id.encode()),
                "uid": uid,
                "min_duration": min_duration_ns,
                "pid_level": _pid_level(programs),
                "pid_space": Path("/proc/self/ns/pid").stat().st_ino,
                "rate_limit": rate_limit,
            },
        )

    def activate(self) -> None:
        """From now on markers are heeded."""
        self._entry.ready = 1
        update(self._map, ffi.new("uint32_t *", SLOT), self._entry)

    def deactivate(self) -> None:
        """From now on nothing is sent."""
        self._entry.ready = 0
        update(self._map, ffi.new("uint32_t *", SLOT), self._entry)


def _pid_level(programs: Programs) -> int:
    options = ffi.new("struct bpf_test_run_opts *", {"sz": ffi.sizeof("struct bpf_test_run_opts")})
    error = lib.bpf_prog_test_run_opts(lib.bpf_program__fd(programs.program("dc_pid_level")), options)
    if error:
        raise KernelError(f"cannot learn the depth of the pid namespace: {os.strerror(-error)}", _NO_BPF)
    return int(options.retval)


def lost_counts(programs: Programs) -> dict[int, int]:
    """Records that found the ring full, by probe id; -1 for those that belong to no function."""
    descriptor = programs.map("lost")
    counts: dict[int, int] = {}
    key, following, value = ffi.new("struct dc_lost_key *"), ffi.new("struct dc_lost_key *"), ffi.new("uint64_t *")
    at = ffi.NULL
    while lib.bpf_map_get_next_key(descriptor, at, following) == 0:
        key[0] = following[0]
        at = key
        if lib.bpf_map_lookup_elem(descriptor, key, value) == 0:
            fn = -1 if key.fn == lib.DC_LOST_OTHER else key.fn
            counts[fn] = counts.get(fn, 0) + value[0]
    return counts


def missed_returns(programs: Programs, functions: list[int], table: str = "functions") -> dict[int, int]:
    """Calls that were entered and not seen to return, by probe id, from a table of counters."""
    descriptor = programs.map(table)
    processors = lib.libbpf_num_possible_cpus()
    counts = ffi.new("struct dc_function_count[]", processors)
    missed = {}
    for fn in functions:
        if lib.bpf_map_lookup_elem(descriptor, ffi.new("uint32_t *", fn), counts) == 0:
            total = sum(counts[i].entered - counts[i].returned for i in range(processors))
            if total > 0:
                missed[fn] = total
    return missed


def update(descriptor: int, key: Any, value: Any) -> None:
    """Sets an entry of a table.

    Raises:
        KernelError: the kernel does not take it.
    """
    error = lib.bpf_map_update_elem(descriptor, key, value, 0)
    if error:
        raise KernelError(f"the kernel does not take a table's entry: {os.strerror(-error)}", _NO_BPF)
