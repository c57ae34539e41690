"""libdatacrumbs_client.so: what it does to a process, and what it leaves alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

ROOT = Path(__file__).resolve().parents[3]
NATIVE = ROOT / "client" / "native"
PROGRAMS = ROOT / "tests" / "native"
START, STOP, REGION = 1, 2, 3
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def test_it_exports_its_interface_and_nothing_else(library):
    with library.open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".dynsym").iter_symbols()
        defined = {s.name for s in symbols if s["st_shndx"] not in {"SHN_UNDEF", "SHN_ABS"}}
    assert defined == {
        "datacrumbs_start", "datacrumbs_stop", "datacrumbs_region_begin", "datacrumbs_region_text",
        "datacrumbs_region_integer", "datacrumbs_region_number", "datacrumbs_region_end",
    }  # fmt: skip


def test_it_needs_only_libc_and_nothing_newer_than_ten_years(library):
    """So that it loads in the old containers that people run on new clusters."""
    with library.open("rb") as file:
        elf = ELFFile(file)
        dynamic = next(s for s in elf.iter_sections() if isinstance(s, DynamicSection))
        needed = [tag.needed for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_NEEDED"]
        wanted = {
            aux.name for _, entries in elf.get_section_by_name(".gnu.version_r").iter_versions() for aux in entries
        }
    assert needed == ["libc.so.6"]
    assert {name for name in wanted if name.startswith("GLIBC_") and int(name.split(".")[1]) > 17} == set()


@pytest.mark.parametrize(
    ("variables", "marker"),
    [
        ({}, (START, "")),
        ({"DATACRUMBS_RUN_ID": "my run"}, (START, "my run")),
        ({"DATACRUMBS_RUN_ID": ""}, (START, "")),
        ({"DATACRUMBS_RUN_ID": "x" * 5000}, (START, "x" * 5000)),
        ({"DATACRUMBS_DISABLE": "0"}, (START, "")),
        ({"DATACRUMBS_DISABLE": "1", "DATACRUMBS_RUN_ID": "r"}, (STOP, "")),
    ],
)
def test_loading_it_makes_one_marker_and_no_sound(calls, strace, token_of, variables, marker):
    seen = strace(calls, "nothing", **variables)
    assert (seen.code, seen.out, seen.err) == (0, "", "")
    assert seen.markers == [(marker[0], token_of(marker[1]))]


def test_loading_it_leaves_errno_alone(calls, environment):
    assert subprocess.run([calls, "errno"], env=environment(), check=False).returncode == 0


def test_preloading_it_brings_a_foreign_program_in(library, strace):
    seen = strace("/bin/true", LD_PRELOAD=str(library))
    assert (seen.code, seen.err, seen.markers) == (0, "", [(START, 0)])


def test_a_setuid_program_heeds_no_environment(calls, strace, tmp_path):
    """Whoever calls it must not choose the run, nor keep it out."""
    program = Path(shutil.copy(calls, tmp_path / "setuid"))
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(0o711)
    program.chmod(0o4755)
    seen = strace(program, "nothing", user="nobody", DATACRUMBS_RUN_ID="r", DATACRUMBS_DISABLE="1")
    assert (seen.code, seen.markers) == (0, [(START, 0)])


def test_start_and_stop_make_the_markers_of_marker_h(calls, strace, token_of):
    """0x85944171f73967e8 is the published FNV-1a of "foobar"."""
    seen = strace(calls, "start-stop")
    assert token_of("foobar") == 0x85944171F73967E8
    assert seen.code == 0, "errno changed"
    assert seen.markers == [(START, 0), (START, token_of("foobar")), (START, 0), (START, 0), (STOP, 0)]


@pytest.mark.parametrize(("case", "more"), [("fork", ["child"]), ("vfork", ["child"]), ("threads", ["thread"] * 4)])
def test_it_works_in_threads_and_children(calls, strace, token_of, case, more):
    seen = strace(calls, case)
    assert seen.code == 0
    assert seen.markers == [(START, 0), *((START, token_of(name)) for name in more)]
    assert len(set(seen.marked_processes)) == 1 + len(more), "each from a thread or process of its own"


def test_an_executed_program_joins_again(calls, strace):
    assert strace(calls, "exec").markers == [(START, 0)] * 2


def test_a_region_is_one_marker_with_its_address_and_size(calls, strace):
    seen = strace(calls, "region")
    address, size = seen.out.split()
    assert seen.code == 0, "errno changed"
    assert seen.markers[1:] == [(REGION, int(address, 16))]
    assert f", {int(size):#x}," in seen.calls[-1][1]


def test_regions_keep_their_layout_and_limits_under_sanitizers(compile_c, environment):
    program = compile_c("region", PROGRAMS / "client_region.c", *SANITIZE)
    subprocess.run([program], env=environment(), check=True)


@pytest.mark.parametrize("case", ["start-stop", "threads", "fork", "vfork", "region"])
def test_the_whole_library_runs_clean_under_sanitizers(compile_c, environment, case):
    sources = [PROGRAMS / "client_calls.c", NATIVE / "client.c", NATIVE / "load.c"]
    program = compile_c("sanitized", *sources, *SANITIZE)
    done = subprocess.run([program, case], env=environment(), check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("flags", [["-static"], ["-static-pie"]])
def test_it_can_be_linked_into_static_programs(compile_c, strace, flags):
    program = compile_c("static", PROGRAMS / "client_calls.c", NATIVE / "client.c", *flags)
    assert strace(program, "start-stop").markers[-1] == (STOP, 0)


@pytest.mark.parametrize("compiler", [("gcc", "-std=c99"), ("gcc", "-std=c11"), ("g++", "-x", "c++", "-std=c++11")])
def test_the_header_stands_alone_in_c_and_cxx(compile_c, library, tmp_path, compiler):
    if not shutil.which(compiler[0]):
        pytest.skip(f"no {compiler[0]}")
    source = tmp_path / "main.c"
    source.write_text(
        "#include <datacrumbs/client.h>\n"
        "int main(void) { struct datacrumbs_region r; datacrumbs_region_begin(&r, 0); datacrumbs_region_end(&r); }\n"
    )
    compile_c("header", source, "-x", "none", library, compiler=compiler)
