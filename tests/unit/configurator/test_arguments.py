"""What is captured of arguments: said in a host YAML, known, or read from headers and debugging information."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from datacrumbs.configurator.arguments import dwarf, headers, known, words
from datacrumbs.configurator.arguments.signature import capture
from datacrumbs.configurator.sources import binary
from datacrumbs.configurator.spec import parse
from datacrumbs.core import elf
from datacrumbs.core.errors import DataError
from datacrumbs.core.probes import RESULT, Argument, Capture, FileRef, Place
from hypothesis import given
from hypothesis import strategies as st

SOURCE = """
#include <stdint.h>
#include <stdio.h>
typedef unsigned long count_t;
enum color { RED, GREEN };
struct pair { int a, b; };
struct large { long a[4]; };
int write_all(const char *name, const void *data, count_t count, enum color color) { return name && data && count; }
uint8_t mixed(float f, int8_t a, double d, uint16_t b, const char *s, const char *t, const char *u) { return a + b; }
struct large big_result(int a) { struct large l = {{a}}; return l; }
struct pair small_result(int a) { struct pair p = {a, a}; return p; }
long takes_small(long a, struct pair p, long c) { return a + p.a + c; }
long takes_large(struct large l, long a) { return l.a[0] + a; }
long many(long a, long b, long c, long d, long e, long f, struct large x, short g, long h, long i) { return a + g + h; }
void nothing(void) {}
static int hidden(int value) { return value * 3; }
int (*pointer_to(int which))(int) { return which ? hidden : 0; }
int variadic(const char *format, ...) { return !format; }
"""


def shown(what: Capture) -> str:
    return ", ".join(f"{a.name}:{a.type}@{a.index}" for a in what.arguments) + f" -> {what.returns}"


EXPECTED = {
    "write_all": "name:string@0, data:pointer@1, count:u64@2, color:{enum}@3 -> i32",
    "mixed": "a:i8@0, b:u16@1, s:string@2, t:string@3, u:pointer@4 -> u8",
    "nothing": " -> ",
    "many": "a:i64@0, b:i64@1, c:i64@2, d:i64@3, e:i64@4, f:i64@5, g:i16@10, h:i64@11 -> i64",
    "takes_small": "a:i64@0 -> i64",
    "takes_large": "a:i64@0 -> i64",
    "big_result": "a:i32@1 -> ",
    "small_result": " -> ",
    "variadic": "format:string@0 -> i32",
    "pointer_to": "which:i32@0 -> pointer",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signatures")
    (folder / "source.c").write_text(SOURCE)
    command = ["gcc", "-shared", "-fPIC", "-O0", "-w", "-g", "-Wl,--build-id", "-o", folder / "libmine.so"]
    subprocess.run([*command, folder / "source.c"], check=True)
    return folder / "libmine.so"


def signatures(path: Path, seconds: float = 60) -> tuple[dict[str, Capture], str]:
    image, functions = elf.read(path), binary.read(str(path)).functions
    names = {image.address_of(code.offset) or 0: code.names[0].symbol for code in functions}
    found, problem = dwarf.read(str(path), image.build_id, set(names), seconds=seconds)
    return {names[address]: capture(signature) for address, signature in found.items()}, problem


def compared(found: dict[str, Capture], enum: str) -> dict[str, str]:
    return {name: shown(found[name]) for name in EXPECTED if name in found} | {
        name: text.replace("{enum}", enum) for name, text in EXPECTED.items() if name not in found
    }


@pytest.mark.parametrize("form", ["-gdwarf-4", "-gdwarf-5", "-gz"])
def test_signatures_from_debugging_information(tmp_path: Path, form: str) -> None:
    """Types of every kind are where the calling convention puts them; what is not certain is left out."""
    (tmp_path / "source.c").write_text(SOURCE)
    library = tmp_path / "lib.so"
    options = ["-g", form] if form == "-gz" else [form]
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-w", *options, "-o", library, tmp_path / "source.c"], check=True)
    found, problem = signatures(library)
    assert problem == ""
    expected = {name: text.replace("{enum}", "u32") for name, text in EXPECTED.items()}
    assert {name: shown(found[name]) for name in expected} | {"write_all": ""} == expected | {"write_all": ""}
    assert shown(found["write_all"]).startswith("name:string@0, data:pointer@1, count:u64@2, color:")


def test_debugging_information_in_a_file_of_its_own(built: Path, tmp_path: Path) -> None:
    """Stripped files are served by the file that .gnu_debuglink names, beside them or in .debug."""
    stripped, debug = tmp_path / "libmine.so", tmp_path / ".debug" / "libmine.debug"
    debug.parent.mkdir()
    subprocess.run(["objcopy", "--only-keep-debug", built, debug], check=True)
    subprocess.run(["objcopy", "--strip-debug", f"--add-gnu-debuglink={debug}", built, stripped], check=True)
    found, problem = signatures(stripped)
    assert (problem, shown(found["takes_large"])) == ("", EXPECTED["takes_large"])


def test_debugging_information_under_its_build_id(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debuginfod's cache is looked into by build id; a file of another build is not believed."""
    stripped = tmp_path / "libmine.so"
    subprocess.run(["objcopy", "--strip-debug", built, stripped], check=True)
    cache = tmp_path / "cache" / elf.read(built).build_id
    cache.mkdir(parents=True)
    subprocess.run(["objcopy", "--only-keep-debug", built, cache / "debuginfo"], check=True)
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(tmp_path / "cache"))
    assert "many" in signatures(stripped)[0]
    (cache / "debuginfo").write_bytes(Path("/proc/self/exe").read_bytes())
    assert signatures(stripped) == ({}, f"{stripped} has no debugging information, neither in it nor beside it")


def test_debugging_information_that_files_share(tmp_path: Path) -> None:
    """What dwz has moved into a common file is found there, packed or not; without that file the rest is still read,
    and it is said what is missing.
    """
    if shutil.which("dwz") is None:
        pytest.skip("no dwz")
    (tmp_path / "source.c").write_text(SOURCE)
    libraries = [tmp_path / name for name in ("one.so", "two.so", "three.so")]
    for library in libraries:
        command = [
            "gcc",
            "-shared",
            "-fPIC",
            "-O0",
            "-w",
            "-gdwarf-4",
            "-Wl,--build-id",
            f"-DNAME={library.stem}",
            "-o",
        ]
        subprocess.run([*command, library, tmp_path / "source.c"], check=True)
        alone = signatures(library)
    subprocess.run(["dwz", "-m", tmp_path / "common.dwz", "-M", "common.dwz", *libraries], check=True)
    assert ".gnu_debugaltlink" in subprocess.check_output(["readelf", "-SW", libraries[0]], text=True)
    assert signatures(libraries[0]) == alone == (alone[0], "")
    (tmp_path / "common.dwz").rename(tmp_path / "elsewhere")
    found, problem = signatures(libraries[0])
    assert found["nothing"] == alone[0]["nothing"]
    assert "does not say what the types of" in problem or "is damaged" in problem


def test_damaged_debugging_information_is_told(built: Path, tmp_path: Path) -> None:
    """Whatever stands in the sections, the answer is a sentence."""
    data = bytearray(built.read_bytes())
    with built.open("rb") as stream:
        from elftools.elf.elffile import ELFFile

        section = ELFFile(stream).get_section_by_name(".debug_abbrev")
        offset, size = section["sh_offset"], section["sh_size"]
    data[offset : offset + size] = b"\xff" * size
    damaged = tmp_path / "damaged.so"
    damaged.write_bytes(data)
    found, problem = signatures(damaged)
    assert not found
    assert "damaged" in problem


def test_time_for_debugging_information_is_bounded(built: Path) -> None:
    """When the time is over, what was found so far counts, and a remark says that some is missing."""
    found, problem = signatures(built, seconds=0)
    assert not found
    assert "took over 0 s" in problem


def test_signatures_from_headers(tmp_path: Path) -> None:
    """Declarations are read past macros, attributes and errors, with the types of included headers."""
    (tmp_path / "types.h").write_text("typedef unsigned long count_t; typedef struct pair { int a; } pair; enum color;")
    (tmp_path / "mine.h").write_text(
        '#include "types.h"\n#include <not/there.h>\n#define DLL __attribute__((visibility("default")))\n'
        '#ifdef __cplusplus\nextern "C" {\n#endif\n'
        "DLL int write_all(const char *name, const void *data, count_t count, enum color color);\n"
        "what is this; }}} @@@ %%\n"
        "DLL int after_errors(int a) __attribute__((nonnull(1)));\n"
        "DLL char *named(const char *restrict, int (*callback)(int), unsigned char flags[], ...);\n"
        "float ratio(double d, int a);\nvoid by_value(int a, pair p, int c);\n"
        "static inline int body(int x) { return x; }\n"
    )
    found = {name: shown(capture(one)) for name, one in headers.read([str(tmp_path / "mine.h")]).items()}
    assert found["write_all"] == "name:string@0, data:pointer@1, count:u64@2, color:i32@3 -> i32"
    assert found["after_errors"] == "a:i32@0 -> i32"
    assert found["named"] == "arg0:string@0, callback:pointer@1, flags:pointer@2 -> pointer"
    assert found["ratio"] == "a:i32@0 -> "
    assert found["by_value"] == "a:i32@0 -> "
    assert found["body"] == "x:i32@0 -> i32"


@given(st.binary(max_size=300), st.integers(0, 2**31))
def test_headers_of_any_content_are_read(noise: bytes, seed: int) -> None:
    """No bytes in a header make the reader fail."""
    text = b"int f(int a);\n" + noise + b"\ntypedef " + noise[: seed % 50] + b" x; long g(" + noise + b");\n"
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".h") as file:
        file.write(text)
        file.flush()
        for signature in headers.read([file.name]).values():
            capture(signature)


def test_every_known_line_makes_sense() -> None:
    """The shipped tables hold no mistake, and say of the best-known functions what they mean."""
    libc, hdf5, mpi = (known.captures(name) for name in ("libc.so.6", "libhdf5.so.310", "libmpi.so.40.30.4"))
    assert libc["fwrite"].files == (FileRef(descriptor=3, stream=True),)
    assert libc["fwrite"].size == (RESULT, 0)
    assert libc["open"].files == (FileRef(path=0, returned=True),)
    assert hdf5["H5Fopen"].files == (FileRef(path=0, returned=True, handle="hdf5"),)
    assert hdf5["H5Dopen2"].files == (FileRef(descriptor=0, returned=True, handle="hdf5"),)
    assert mpi["MPI_File_open"].files == (FileRef(path=1, returned=True, handle="mpi"),)
    assert mpi["PMPI_File_write_at"].size == (2, 3)
    assert mpi["MPI_File_write_at"].arguments[3] == Argument("type_size", 4, "u64", Place("", 24, dereference=True))
    assert not known.captures("libother.so")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("count", "not an argument"),
        ("count:u65", "not a type"),
        ("-> thing", "not a type"),
        ("_, _; nothing", "not among the arguments"),
        ("_; ret", "no type"),
        ("fh:handle", "handles are known"),
        ("a:i8, b:i8, c:i8, d:i8, e:i8, f:i8, g:i8, h:i8, i:i8", "over 8 values"),
        ("a:string, b:string, c:string", "2 texts"),
        ("_, _, _, _, _, _, fd", "first 6"),
        ("text:string*4", "behind two pointers"),
        ("x" * 2000, "characters"),
    ],
)
def test_wrong_lines_are_explained(line: str, problem: str) -> None:
    """A mistake in a line of function_arguments is named."""
    with pytest.raises(ValueError, match=problem):
        words.parse(line)


def test_lines_in_a_host_yaml() -> None:
    """function_arguments, headers and arguments are read; a mistake is told with its place."""
    text = "capture_probes:\n- {name: a, probe: uprobe, file: /x, function_arguments: {put: '%s'}}\n"
    (entry,) = parse((text % "fd, _, count:u64 -> i64; ret").encode(), "x.yaml").entries
    ((name, line),) = entry.function_arguments
    assert (name, line.files, line.size, line.returns) == ("put", (FileRef(descriptor=0),), (RESULT,), "i64")
    with pytest.raises(DataError, match=r"x\.yaml: line 2.*not a type|x\.yaml:2.*not a type"):
        parse((text % "a:b").encode(), "x.yaml")
    with pytest.raises(DataError, match="absolute"):
        parse(b"capture_probes:\n- {name: a, probe: uprobe, file: /x, headers: mine.h}\n", "x.yaml")
    (entry,) = parse(b"capture_probes:\n- {name: a, probe: uprobe, file: /x, headers: /m.h}\n", "x.yaml").entries
    assert (entry.arguments, entry.headers) == ("all", ("/m.h",))
