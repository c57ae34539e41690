"""Every kind of ELF file, sound and damaged, as the configurator meets them: an answer or one clear line, in bounds."""

from __future__ import annotations

import os
import re
import resource
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import elffiles
import pytest
from datacrumbs.configurator import command
from datacrumbs.configurator.arguments import debugfile, dwarf
from datacrumbs.configurator.arguments.signature import capture
from datacrumbs.configurator.sources import binary, usdt
from datacrumbs.core import cli, elf
from datacrumbs.core.errors import DataCrumbsError
from elffiles import BUILD_ID, Change, Die, ElfFile, body, cut, header, named, unit
from hypothesis import given, settings
from hypothesis import strategies as st

PUT = "fd:i32, path:string, data:pointer, count:u64 -> i64"
HOST = "capture_probes: [{name: made, probe: uprobe, file: %s, arguments: all}]\n"
MANY_BYTES = 1 << 40
SOUND = elffiles.elf(ElfFile())


@dataclass
class Said:
    """What a command said."""

    code: int
    out: str
    err: str


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs the configurator on a file of given bytes."""

    def run(data: bytes, *options: str) -> Said:
        file, host = tmp_path / "libmade.so", tmp_path / "host.yaml"
        file.write_bytes(data)
        host.write_text(HOST % file)
        (tmp_path / "site.yaml").write_text("max_functions: 10000\n")
        capsys.readouterr()
        words = [str(host), "--config", str(tmp_path / "site.yaml"), *(options or ["--list"])]
        code = cli.main(command.PROG, command.run, words)
        return Said(code, *capsys.readouterr())

    return run


def signatures(path: Path) -> tuple[dict[str, str], str]:
    """Signatures by symbol as the golden lines have them, and what was said about them."""
    image, functions = elf.read(path), binary.read.__wrapped__(str(path)).functions
    names = {image.address_of(code.offset) or 0: code.names[0].symbol for code in functions}
    found, problem = dwarf.read(str(path), image.build_id, set(names), seconds=60)
    lines = {}
    for address, signature in found.items():
        capture(signature)
        words = ", ".join(f"{name}:{kind.shown}" for name, kind in signature.parameters)
        lines[names[address]] = f"{words} -> {signature.returns.shown if signature.returns else 'void'}".strip()
    return lines, problem


def test_a_file_of_our_making_is_read_as_readelf_would(said: Callable[..., Said]) -> None:
    """The builder makes sound files: functions, their places, and their signatures come out."""
    done = said(SOUND)
    assert done.code == 0, done.err
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert [(row[0], row[3].rpartition("+")[2]) for row in rows] == [
        ("put", "0x1000"),
        ("none", "0x1010"),
        ("ratio", "0x1020"),
    ]
    assert re.search(r"3 .*libmade\.so +result, arguments of 1", said(SOUND, "--dry-run").out)


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (ElfFile(), ""),
        (ElfFile(symbols="dynsym"), ""),
        (ElfFile(packed="zlib"), ""),
        (ElfFile(packed="old"), ""),
        (ElfFile(build_id=b""), ""),
        (ElfFile(packed="zstd"), "packed as only objcopy can unpack"),
        (ElfFile(debug=None), "has no debugging information, neither in it nor beside it"),
    ],
    ids=["plain", "dynamic", "packed", "packed-old", "no-build-id", "zstd", "none"],
)
def test_debugging_information_of_every_form(tmp_path: Path, made: ElfFile, problem: str) -> None:
    """Signatures come from plain and packed sections; what cannot be unpacked, or is not there, is said."""
    path = tmp_path / "libmade.so"
    path.write_bytes(elffiles.elf(made))
    found, told = signatures(path)
    assert found == ({} if problem else {"put": PUT, "none": "-> void", "ratio": "x:hex -> hex"})
    assert problem in told and bool(problem) == bool(told)


def test_debugging_information_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By .gnu_debuglink beside it and in .debug, and by build id below /usr/lib/debug; another build's is not taken."""
    stripped, whole = elffiles.elf(ElfFile(debug=None, symbols="dynsym", link="made.debug")), SOUND
    path = tmp_path / "libmade.so"
    path.write_bytes(stripped)
    assert signatures(path) == ({}, f"{path} has no debugging information, neither in it nor beside it")
    monkeypatch.setattr(debugfile, "FOLDERS", (tmp_path / "usr",))
    hexed = BUILD_ID.hex()
    for place in (
        "made.debug",
        ".debug/made.debug",
        f"usr/.build-id/{hexed[:2]}/{hexed[2:]}.debug",
        f"usr{tmp_path}/made.debug",
    ):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(whole)
        assert signatures(path)[0]["put"] == PUT, place
        file.write_bytes(elffiles.elf(ElfFile(build_id=BUILD_ID[::-1])))
        assert signatures(path)[0] == {}, place
        file.write_bytes(whole[:100])
        assert "not a valid ELF file" in signatures(path)[1], place
        file.unlink()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (ElfFile(bits=32, machine=elffiles.I386), "is a 32-bit EM_386 file, this machine is"),
        (ElfFile(bits=32), "is a 32-bit EM_"),
        (
            ElfFile(machine=elffiles.AARCH64 if elffiles.HERE != elffiles.AARCH64 else elffiles.X86_64),
            "is a 64-bit EM_",
        ),
        (ElfFile(machine=elffiles.PPC64, little=False), "is a 64-bit EM_PPC64 file, this machine is"),
        (ElfFile(machine=0xBEEF), "is a 64-bit 48879 file, this machine is"),
        (ElfFile(symbols=""), "has no symbol table"),
        (ElfFile(functions=()), "no function fits"),
        (ElfFile(functions=["x" * 5000]), "no function fits"),
        (ElfFile(functions=["", "@V1", "@@V2"]), "no function fits"),
    ],
    ids=[
        "i386",
        "32-bit",
        "foreign",
        "big-endian",
        "unknown-machine",
        "stripped",
        "no-functions",
        "overlong",
        "nameless",
    ],
)
def test_files_that_cannot_be_probed(said: Callable[..., Said], made: ElfFile, message: str) -> None:
    """One line that says what the file is, exit code 65."""
    done = said(elffiles.elf(made))
    assert (done.code, done.out, done.err.count("\n")) == (65, "", 1), done.err
    assert message in done.err


DAMAGES: dict[str, tuple[Change, str]] = {
    "empty": (lambda data: data.clear(), "not a valid ELF file"),
    "one byte": (lambda data: data.__delitem__(slice(1, None)), "not a valid ELF file"),
    "cut in the header": (lambda data: data.__delitem__(slice(50, None)), "not a valid ELF file"),
    "cut in the code": (lambda data: data.__delitem__(slice(0x1010, None)), "not a valid ELF file"),
    "cut in the section headers": (lambda data: data.__delitem__(slice(-100, None)), "not a valid ELF file"),
    "section headers far away": (lambda data: struct.pack_into("<Q", data, 40, 2**62), "not a valid ELF file"),
    "section headers of a size": (lambda data: struct.pack_into("<H", data, 58, 8), "valid ELF file|no symbol table"),
    "65,000 segments": (lambda data: struct.pack_into("<H", data, 56, 65_000), "65000 segments"),
    "titles are no table": (lambda data: struct.pack_into("<H", data, 62, 60_000), "not a valid ELF file"),
    "symbols far away": (header(".symtab", "sh_offset", 2**60), "not a valid ELF file"),
    "symbols without end": (header(".symtab", "sh_size", MANY_BYTES), "not a valid ELF file"),
    "symbols of half a size": (cut(".symtab", 23), "no function fits|not a valid ELF file"),
    "no symbols": (cut(".symtab", 0), "no function fits"),
    "names far away": (header(".strtab", "sh_offset", 2**60), "not a valid ELF file"),
    "names without end": (header(".strtab", "sh_size", MANY_BYTES), "not a valid ELF file"),
    "names nowhere": (header(".symtab", "sh_link", 60_000), "not a valid ELF file"),
    "no names": (cut(".strtab", 0), "no function fits"),
    "one name without end": (body(".strtab", lambda old: b"x" * len(old)), "no function fits"),
    "symbols beyond all code": (body(".symtab", lambda old: old.replace(b"\x10", b"\xff")), "no function fits"),
    "names in the middle of symbols": (header(".symtab", "sh_link", 3), "no function fits|not a valid"),
    "unpacked names larger than memory": (header(".strtab", "sh_flags", 0x800), "not a valid ELF file"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_files(said: Callable[..., Said], name: str) -> None:
    """Whatever is wrong with the headers, symbols or names: one line of what, exit code 65, and no memory for it."""
    change, message = DAMAGES[name]
    data = bytearray(SOUND)
    change(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = said(bytes(data))
    assert (done.code, done.out, done.err.count("\n")) == (65, "", 1), done.err
    assert re.search(message, done.err), done.err
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


def cyclic(links: int) -> Die:
    """A unit in which the type of a parameter leads back to itself over some links."""
    made = unit()
    put = next(die for die in made.children if die.attributes.get(elffiles.NAME, (0, ""))[1] == "put")
    chain = [named(elffiles.TYPEDEF, f"t{i}") for i in range(links)]
    for index, die in enumerate(chain):
        die.attributes[elffiles.TYPE] = (elffiles.REF4, chain[(index + 1) % links])
    put.children[3].attributes[elffiles.TYPE] = (elffiles.REF4, chain[0])
    made.children += chain
    return made


def origin() -> Die:
    """A function that is an instance of itself."""
    made = unit()
    put = next(die for die in made.children if die.attributes.get(elffiles.NAME, (0, ""))[1] == "put")
    del put.attributes[elffiles.TYPE]
    put.attributes[elffiles.ORIGIN] = (elffiles.REF4, put)
    return made


def elsewhere(form: int) -> Die:
    """A parameter whose type is in another file, or nowhere."""
    made = unit()
    put = next(die for die in made.children if die.attributes.get(elffiles.NAME, (0, ""))[1] == "put")
    put.children[3].attributes[elffiles.TYPE] = (form, 0x7FFFFFFF)
    return made


def deep(levels: int) -> Die:
    """Blocks within blocks in a function."""
    made = unit()
    within = next(die for die in made.children if die.attributes.get(elffiles.NAME, (0, ""))[1] == "none")
    for _ in range(levels):
        within.children.append(Die(0x0B))
        within = within.children[-1]
    return made


@pytest.mark.parametrize(
    ("made", "put"),
    [
        (cyclic(1), "fd:i32, path:string, data:pointer, count:hex -> i64"),
        (cyclic(3), "fd:i32, path:string, data:pointer, count:hex -> i64"),
        (origin(), "fd:i32, path:string, data:pointer, count:u64 -> void"),
        (elsewhere(elffiles.REF4), None),
        (elsewhere(elffiles.REF_ALT), None),
        (deep(100), PUT),
        (deep(900), PUT),
    ],
    ids=["itself", "cycle", "own-origin", "nowhere", "other-file", "deep", "deeper"],
)
def test_references_that_lead_nowhere(tmp_path: Path, made: Die, put: str | None) -> None:
    """A type that leads in a circle is unknown; a function whose type cannot be found has no arguments, and that is
    said; the others keep theirs.
    """
    path = tmp_path / "libmade.so"
    path.write_bytes(elffiles.elf(ElfFile(debug=made)))
    found, problem = signatures(path)
    assert found.get("put") == put
    assert found["ratio"] == "x:hex -> hex"
    assert ("1 function" in problem) == (put is None)


def nothing_of_great_size(data: bytearray) -> None:
    """Makes a section one that has no bytes in the file, and claims many."""
    header(".debug_abbrev", "sh_type", 8)(data)
    header(".debug_abbrev", "sh_size", MANY_BYTES)(data)


DEBUG_DAMAGES: dict[str, Change] = {
    "no abbreviations": cut(".debug_abbrev", 0),
    "half of the abbreviations": cut(".debug_abbrev", 40),
    "abbreviations of noise": body(".debug_abbrev", lambda old: b"\xff" * len(old)),
    "abbreviations far away": header(".debug_abbrev", "sh_offset", 2**60),
    "abbreviations without end": header(".debug_abbrev", "sh_size", MANY_BYTES),
    "half of the unit": cut(".debug_info", 60),
    "seven bytes of the unit": cut(".debug_info", 7),
    "a unit without end": body(".debug_info", lambda old: struct.pack("<I", 0xFFFFFFEF) + old[4:]),
    "a unit of the 64-bit kind without end": body(".debug_info", lambda old: b"\xff" * 12 + old[12:]),
    "a unit of version 99": body(".debug_info", lambda old: old[:4] + struct.pack("<H", 99) + old[6:]),
    "addresses of no size": body(".debug_info", lambda old: old[:10] + b"\0" + old[11:]),
    "a unit of noise": body(".debug_info", lambda old: old[:11] + b"\xfe" * len(old)),
    "packed, in name only": header(".debug_info", "sh_flags", 0x800),
    "a section that is nothing, larger than memory": nothing_of_great_size,
}


@pytest.mark.parametrize("name", DEBUG_DAMAGES)
def test_damaged_debugging_information(said: Callable[..., Said], name: str) -> None:
    """Functions are probed all the same, without what cannot be read, which a remark says, in bounds."""
    data = bytearray(SOUND)
    DEBUG_DAMAGES[name](data)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    done = said(bytes(data), "--dry-run")
    assert done.code == 0, done.err
    assert "put, none, ratio" in done.out
    if "arguments of" not in done.out:
        assert re.search(
            r"no arguments: .*(is damaged \(\w+\)|has over|not a valid ELF file|no debugging information)", done.err
        )
        assert done.err.count("\n") == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    assert time.process_time() - started < 20


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A section that claims to unpack to more than fits is refused before it is."""
    data = bytearray(elffiles.elf(ElfFile(packed="zlib")))
    body(".debug_info", lambda old: old[:8] + struct.pack("<Q", MANY_BYTES) + old[16:])(data)
    path = tmp_path / "libmade.so"
    path.write_bytes(data)
    assert "has over 2147483648 bytes" in signatures(path)[1]


@pytest.mark.parametrize("link", ["x" * 255, "x" * 4000, "../../etc/passwd", "/etc/passwd", "\xff\xfe"])
def test_names_of_debug_files_are_not_believed(tmp_path: Path, link: str) -> None:
    """An overlong name, or one that leads elsewhere, is as good as none."""
    path = tmp_path / "libmade.so"
    path.write_bytes(elffiles.elf(ElfFile(debug=None, link=link)))
    found, problem = signatures(path)
    assert (found, problem) == ({}, f"{path} has no debugging information, neither in it nor beside it")
    assert all(
        len(file.name) <= 255 and file.resolve() != Path("/etc/passwd") for file in debugfile.candidates(str(path), "")
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: run sudo make test")
@pytest.mark.parametrize("name", ["empty", "symbols without end", "names nowhere"])
def test_the_installed_command_says_it_in_one_line(site: Any, name: str) -> None:
    """The same through the command as users start it, as another user."""
    data, file, host = bytearray(SOUND), site.folder / "libmade.so", site.folder / "host.yaml"
    DAMAGES[name][0](data)
    file.write_bytes(data)
    host.write_text(HOST % file)
    done = site.configure(host, "--list", uid=65534)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (65, "", 1)
    assert re.search(DAMAGES[name][1], done.stderr)


def read_all(path: Path) -> None:
    """All readers of ELF files; each may raise our errors alone."""
    for reader in (elf.read, binary.read.__wrapped__, usdt.read, signatures):
        try:
            reader(path if reader in (elf.read, signatures) else str(path))
        except DataCrumbsError as error:
            assert "\n" not in error.message


BITS = st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 7)), min_size=1, max_size=16)


@settings(max_examples=200, deadline=None)
@given(flips=BITS, where=st.sampled_from(["anywhere", "headers", "debug"]), keep=st.integers(0, 2 * len(SOUND)))
def test_flipped_bits_and_cut_ends(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]], where: str, keep: int
) -> None:
    """Whatever bits are flipped and wherever a file ends, the readers answer or raise our errors, soon."""
    data, begin = bytearray(SOUND), {"anywhere": 0, "headers": len(SOUND) - 9 * 64, "debug": 0x1030}[where]
    for at, bit in flips:
        data[begin + at % (len(SOUND) - begin)] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "flipped.so"
    path.write_bytes(data[: keep if keep < len(SOUND) else None])
    started = time.process_time()
    read_all(path)
    assert time.process_time() - started < 20
