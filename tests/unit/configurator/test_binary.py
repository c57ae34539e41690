"""Functions of real ELF files, built here: which there are, where they are, and what hostile files come to."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from datacrumbs.configurator.material import Code, Functions
from datacrumbs.configurator.sources import binary, library
from datacrumbs.core import elf
from datacrumbs.core.errors import DataCrumbsError, DataError, NoInputError
from hypothesis import given, settings
from hypothesis import strategies as st

Build = Callable[..., Path]

SOURCE = r"""
__attribute__((noinline)) static int hidden(int x) { return x * 3; }
int visible(int x) { return hidden(x) + 1; }
int data = 7;
extern int alias(int) __attribute__((alias("visible")));
extern int _alias(int) __attribute__((alias("visible")));
static int chosen(int x) { return x; }
static void *choose(void) { return chosen; }
int indirect(int x) __attribute__((ifunc("choose")));
__asm__(".globl old_v1\n.type old_v1,@function\nold_v1: ret\n.symver old_v1,old@V1\n");
__asm__(".globl old_v2\n.type old_v2,@function\nold_v2: nop\nret\n.symver old_v2,old@@V2\n");
"""
VERSIONS = "V1 { global: visible; alias; _alias; indirect; data; };\nV2 { } V1;\n"


@pytest.fixture(scope="session")
def library_file(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = tmp_path_factory.mktemp("versions") / "v.map"
    script.write_text(VERSIONS)
    return build(SOURCE, f"-Wl,--version-script={script}", "-Wl,--build-id=0xabcdef0123456789")


def by_name(functions: Functions) -> dict[str, Code]:
    return {name.symbol: code for code in functions.functions for name in code.names}


def test_both_symbol_tables_are_read_and_data_is_not(library_file: Path) -> None:
    names = by_name(binary.read(str(library_file)))
    assert {"visible", "hidden", "chosen"} <= set(names)
    assert "data" not in names


def test_names_at_one_place_are_one_function_and_the_plainest_name_comes_first(library_file: Path) -> None:
    names = by_name(binary.read(str(library_file)))
    assert names["alias"] is names["visible"] is names["_alias"]
    assert [name.symbol for name in names["visible"].names] == ["alias", "visible", "_alias"]


def test_versions_are_cut_off_and_other_places_stay_apart(library_file: Path) -> None:
    old = [code for code in binary.read(str(library_file)).functions if "old" in {n.symbol for n in code.names}]
    assert len(old) == 2


def test_an_ifunc_is_marked(library_file: Path) -> None:
    names = by_name(binary.read(str(library_file)))
    assert names["indirect"].indirect
    assert not names["visible"].indirect


def test_offsets_are_in_the_file_not_in_memory(build: Build) -> None:
    """Linked so that code lies at another address than offset; objdump's bytes must be where we say they are."""
    file = build("int here(void) { return 0x5eed; }", "-Wl,-Ttext-segment=0x400000", "-Wl,-z,max-page-size=0x10000")
    code = by_name(binary.read(str(file)))["here"]
    address = int(subprocess.check_output(f"nm {file} | grep ' here$' | cut -d' ' -f1", shell=True), 16)
    assert address != code.offset
    assert struct.pack("<I", 0x5EED) in file.read_bytes()[code.offset : code.offset + 16]


def test_the_build_id_is_read_and_a_file_without_one_is_hashed(library_file: Path, build: Build) -> None:
    assert binary.read(str(library_file)).binary.build_id == "abcdef0123456789"
    bare = build("int f(void) { return 1; }", "-Wl,--build-id=none")
    digest = subprocess.check_output(["sha256sum", str(bare)], text=True).split()[0]
    assert binary.read(str(bare)).binary.build_id == f"sha256:{digest}"


def test_cxx_names_are_shown_as_people_write_them(build: Build) -> None:
    file = build("namespace io { int put(int x, char) { throw x; } }", cxx=True)
    functions = binary.read(str(file))
    shown = {name.shown: name.symbol for code in functions.functions for name in code.names}
    assert shown["io::put(int, char)"] == "_ZN2io3putEic"
    assert functions.unwinds


def test_a_stripped_library_still_has_its_dynamic_symbols(library_file: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "stripped.so"
    subprocess.run(["strip", "-o", str(stripped), str(library_file)], check=True)
    names = by_name(binary.read(str(stripped)))
    assert "visible" in names
    assert "hidden" not in names


def test_a_bare_library_name_is_found_as_the_loader_finds_it() -> None:
    assert Path(library.locate("libc.so.6")).name.startswith("libc")
    with pytest.raises(NoInputError, match=r"no library 'libnone\.so\.0'"):
        library.locate("libnone.so.0")


def damaged(file: Path, tmp_path: Path, change: Callable[[bytearray], None]) -> str:
    data = bytearray(file.read_bytes())
    change(data)
    out = tmp_path / "damaged.so"
    out.write_bytes(data)
    return str(out)


def put(offset: int, layout: str, value: int) -> Callable[[bytearray], None]:
    return lambda data: struct.pack_into(layout, data, offset, value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.clear(), "not a valid ELF file"),
        (lambda d: d.__delitem__(slice(40, None)), "not a valid ELF file"),
        (put(0, "<I", 0), "not a valid ELF file"),
        (put(4, "<B", 1), "ELF file|32-bit"),
        (put(5, "<B", 2), "ELF file|-bit"),
        (put(18, "<H", 183 if os.uname().machine == "x86_64" else 62), "this machine is"),
        (put(18, "<H", 3), "this machine is"),
        (put(32, "<Q", 2**63), "not a valid ELF file"),
        (put(40, "<Q", 2**63), "not a valid ELF file"),
        (put(56, "<H", 0xFFF0), "segments|not a valid"),
        (put(60, "<H", 1), "not a valid ELF file|symbol table"),
        (put(40, "<Q", 0), "symbol table|not a valid"),
    ],
    ids=[
        "empty", "header-only", "magic", "class", "order", "machine", "i386", "program-headers", "section-headers",
        "segments", "sections", "no-sections",
    ],
)  # fmt: skip
def test_each_kind_of_damage_is_a_data_error(
    library_file: Path, tmp_path: Path, change: Callable[[bytearray], None], reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        binary.read(damaged(library_file, tmp_path, change))


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing.so", "No such file"), ("folder", "is a directory"), ("fifo", "is a FIFO"), ("text", "not a valid ELF")],
)
def test_what_is_no_elf_file_is_told(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "text").write_text("#!/bin/sh\n")
    with pytest.raises(DataCrumbsError, match=reason):
        binary.read(str(tmp_path / name))


def test_an_object_without_symbols_is_told(library_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "bare"
    shutil.copy("/bin/true", out)
    subprocess.run(["objcopy", "-S", "-R", ".dynsym", str(out)], check=False, capture_output=True)
    try:
        binary.read(str(out))
    except DataError as error:
        assert "symbol table" in error.message or "not a valid ELF" in error.message


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), min_size=1, max_size=12), st.data())
def test_whatever_is_changed_in_a_file_the_outcome_is_functions_or_an_error_of_ours(
    library_file: Path, changes: list[tuple[int, int]], data: st.DataObject
) -> None:
    content = bytearray(library_file.read_bytes())
    table = struct.unpack_from("<Q", content, 40)[0]
    for where, value in changes:
        content[where if data.draw(st.booleans()) else min(table + where % 2048, len(content) - 1)] = value
    out = library_file.with_name("fuzzed.so")
    out.write_bytes(content)
    try:
        image = elf.read(out)
        functions = binary.read.__wrapped__(str(out))
    except DataCrumbsError:
        return
    assert all(image.holds_code(code.offset) for code in functions.functions)
