"""Which functions a spec means, and what is said about those it does not get."""

from __future__ import annotations

from pathlib import Path

import pytest
from datacrumbs.configurator import unsafe
from datacrumbs.configurator.gather import SOURCES
from datacrumbs.configurator.material import Code, Functions, Material, Name, SystemCalls
from datacrumbs.configurator.resolve import Resolution, resolve
from datacrumbs.configurator.sources import header, kernel
from datacrumbs.configurator.spec import TYPES, parse
from datacrumbs.core.errors import DataError
from datacrumbs.core.probes import Binary, Function, Syscall

CALLS = SystemCalls({"read": 0, "write": 1, "open": 2, "pread64": 17, "exit": 60, "openat": 257})
LIBC = Functions(
    Binary("/usr/lib/libc.so.6", "00ff"),
    (
        Code(0x10, (Name("fopen", "fopen"), Name("_IO_fopen", "_IO_fopen"))),
        Code(0x20, (Name("vfork", "vfork"), Name("__vfork", "__vfork"))),
        Code(0x30, (Name("memcpy", "memcpy"),), indirect=True),
        Code(0x40, (Name("_ZN2io3putEi", "io::put(int)"),)),
        Code(0x50, (Name("work", "work"),)),
        Code(0x60, (Name("work", "work"),)),
    ),
)


def run(*entries: str, material: Material | None = None, most: int = 1000) -> Resolution:
    spec = parse(("capture_probes:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries)).encode(), "h.yaml")
    found = {i: CALLS if entry.probe == "syscalls" else LIBC for i, entry in enumerate(spec.entries)}
    return resolve(spec, material or found, arch="x86_64", most=most)


def names(resolution: Resolution) -> list[str]:
    return [probe.name for probe in resolution.probes.probes]


@pytest.mark.parametrize(
    ("regex", "calls"),
    [
        ("read", ["read"]),
        ("sys_read", ["read"]),
        ("__x64_sys_read", ["read"]),
        ("sys_p?read.*", ["read", "pread64"]),
        ("READ|WRITE", ["read", "write"]),
        (".*read.*", ["read", "pread64"]),
        ("(?!p?read).*", ["write", "open64", "open64"]),
        ("sys_(?!open).*", ["read", "write", "pread64"]),
    ],
)
def test_system_calls_are_meant_by_any_of_their_names(regex: str, calls: list[str]) -> None:
    assert names(run(f"name: a, probe: syscalls, regex: '{regex}'")) == calls


def test_a_call_keeps_its_own_name_beside_the_one_in_the_trace() -> None:
    probe = run("name: a, probe: syscalls, regex: openat").probes.probes[0]
    assert (probe.name, probe.target) == ("open64", Syscall("openat", 257))


def test_calls_that_never_return_are_left_out_with_the_reason() -> None:
    result = run("name: a, probe: syscalls")
    assert "exit" not in names(result)
    assert result.probes.excluded == ("a: exit: does not return",)


def test_exclude_takes_patterns_names_and_cxx_names() -> None:
    entry = "name: a, probe: uprobe, file: libc.so.6"
    assert names(run(f"{entry}, exclude: [work, 'io::put(int)']")) == ["fopen"]
    assert names(run(f"{entry}, exclude: '.*o.*'", "name: b, probe: syscalls, regex: read")) == ["read"]


def test_excluding_one_name_excludes_the_function() -> None:
    assert "fopen" not in names(run("name: a, probe: uprobe, file: libc.so.6, exclude: _IO_fopen"))


def test_a_function_is_named_as_it_was_asked_for() -> None:
    assert names(run("name: a, probe: uprobe, file: libc.so.6, regex: _io_fopen")) == ["_IO_fopen"]


def test_cxx_functions_are_found_by_both_names() -> None:
    for regex in ("_ZN2io.*", "io::put.*"):
        probe = run(f"name: a, probe: uprobe, file: libc.so.6, regex: '{regex}'").probes.probes[0]
        assert probe.name == "io::put(int)"
        assert probe.target == Function(0, 0x40, "_ZN2io3putEi")


def test_offsets_tell_functions_of_one_name_apart() -> None:
    entry = "name: a, probe: uprobe, file: libc.so.6, regex: work"
    assert names(run(entry)) == ["work", "work"]
    assert names(run(f"{entry}, include_offsets: true")) == ["work:0x50", "work:0x60"]


def test_unsafe_functions_and_ifuncs_are_left_out_with_the_reason() -> None:
    left = run("name: a, probe: uprobe, file: libc.so.6").probes.excluded
    assert left == (
        "a: vfork: returns twice",
        "a: memcpy: is not the function but what chooses it when the program starts (IFUNC)",
    )


def test_the_first_entry_that_selects_a_function_keeps_it() -> None:
    result = run("name: a, probe: syscalls, regex: read", "name: b, probe: syscalls, regex: read|write")
    assert [(p.name, p.category) for p in result.probes.probes] == [("read", "a"), ("write", "b")]


def test_an_entry_that_adds_nothing_is_told() -> None:
    result = run("name: a, probe: syscalls, regex: read", "name: b, probe: syscalls, regex: raed")
    assert result.notes == ("entry 'b' (h.yaml:3:5) selects nothing that an earlier one has not, or nothing at all",)


def test_an_empty_selection_is_an_error() -> None:
    with pytest.raises(DataError, match=r"no function fits: 'a' \(h.yaml:2:5\) raed"):
        run("name: a, probe: syscalls, regex: raed")


def test_too_many_functions_are_an_error() -> None:
    with pytest.raises(DataError, match="5 functions are selected, 3 are allowed"):
        run("name: a, probe: syscalls", most=3)


def test_a_long_list_of_left_out_functions_is_cut() -> None:
    many = Functions(LIBC.binary, tuple(Code(i, (Name(f"_dl_{'x' * 20}{i}", ""),)) for i in range(500)))
    ok = "name: b, probe: syscalls, regex: read"
    spec_material = {0: many, 1: CALLS}
    left = run("name: a, probe: uprobe, file: libc.so.6", ok, material=spec_material).probes.excluded
    assert len(left) == 1
    assert len(left[0]) <= 1024
    assert " more: belongs to the dynamic loader" in left[0]


@pytest.mark.parametrize("symbol", ["vfork", "dlsym", "__sigsetjmp", "_dl_open", "foo.cold", "longjmp", "__restore_rt"])
def test_what_a_return_probe_would_break_is_known(symbol: str) -> None:
    assert unsafe.reason(symbol)


@pytest.mark.parametrize("symbol", ["fopen", "read", "fork", "foo.part.0", "foo.constprop.0", "my_exit", "executor"])
def test_ordinary_functions_are_not(symbol: str) -> None:
    assert unsafe.reason(symbol) is None


def test_every_kind_of_entry_has_a_source() -> None:
    """What a host YAML may say can be looked up, whatever it is."""
    assert {(probe, kind) for probe, kinds in TYPES.items() for kind in kinds} == set(SOURCES)


def test_the_kernel_lists_its_system_calls_by_the_names_of_the_manual() -> None:
    calls = kernel.available("x86_64").numbers
    assert (calls["read"], calls["stat"], calls["newfstatat"], calls["sendfile"]) == (0, 4, 262, 40)
    assert "newstat" not in calls


def test_a_header_limits_the_calls_and_a_missing_one_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "syscalls.h"
    (entry,) = parse(
        f"capture_probes: [{{name: a, probe: syscalls, type: header, file: {path}}}]".encode(), "h"
    ).entries
    found = header.find(entry)
    assert found.numbers == kernel.find(entry).numbers
    assert "is not on this machine" in found.notes[0]
    path.write_text("asmlinkage long sys_read(int fd);\nasmlinkage long sys_newstat(\n  char *);\nlong sys_no(void);")
    assert set(header.find(entry).numbers) == {"read", "stat"}
