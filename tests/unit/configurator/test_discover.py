"""What is found on a machine becomes a host YAML that works."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from datacrumbs.configurator import discover, spec
from datacrumbs.configurator.command import run
from datacrumbs.core.errors import DataError, NoInputError, UsageError


def library(folder: Path, name: str, *options: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.c").write_text(f"int {name.split('.')[0]}_function(void) {{ return 1; }}\n")
    command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", folder / name, folder / "source.c", *options]
    subprocess.run(command, check=True)
    return folder / name


def found(environment: dict[str, str], program: str = "") -> dict[str, str]:
    findings = discover.discover(environment, program)
    return {one.path: one.kind.name if one.kind else "python" for one in findings}


def test_libraries_are_found_where_environments_lead(tmp_path: Path) -> None:
    """LD_LIBRARY_PATH, variables of modules, and Spack's tree of installations."""
    hdf5 = library(tmp_path / "a", "libhdf5.so.310")
    netcdf = library(tmp_path / "netcdf" / "lib", "libnetcdf.so.19")
    spack = library(tmp_path / "spack/opt/spack/linux/gcc-13/hdf5-1.14/lib", "libhdf5.so.200")
    flat = library(tmp_path / "spack/opt/spack/linux-x86/adios2-2.10/lib64", "libadios2_c.so.2")
    library(tmp_path / "a", "libother.so.1")
    environment = {
        "LD_LIBRARY_PATH": f"{tmp_path / 'a'}:/nonexistent:",
        "NETCDF_ROOT": str(tmp_path / "netcdf"),
        "SPACK_ROOT": str(tmp_path / "spack"),
        "PATH": "/nonexistent",
    }
    own = {path: name for path, name in found(environment).items() if path.startswith(str(tmp_path))}
    assert own == {str(hdf5): "hdf5", str(netcdf): "netcdf", str(spack): "hdf5", str(flat): "adios2"}


def test_a_program_leads_to_what_it_needs(tmp_path: Path) -> None:
    """Its libraries and theirs, by RUNPATH and by LD_LIBRARY_PATH; nothing else of the machine."""
    library(tmp_path / "deep", "libhdf5.so.310")
    library(tmp_path / "near", "libmiddle.so.1", "-Wl,--no-as-needed", f"-L{tmp_path / 'deep'}", "-l:libhdf5.so.310")
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    search = ["-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", f"-L{tmp_path / 'near'}", "-l:libmiddle.so.1"]
    program = tmp_path / "app"
    rpath = ["-Wl,-rpath,$ORIGIN/near", f"-Wl,-rpath-link,{tmp_path / 'deep'}"]
    subprocess.run(["gcc", "-o", program, tmp_path / "main.c", *search, *rpath], check=True)
    assert "libhdf5.so.310" not in "".join(found({}, str(program)))
    names = found({"LD_LIBRARY_PATH": str(tmp_path / "deep")}, str(program))
    assert names[str(tmp_path / "deep" / "libhdf5.so.310")] == "hdf5"
    assert sorted(names.values()) == ["hdf5", "libc"]


def test_what_is_written_is_a_host_yaml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file loads; one that exists stays as it is; without a name it goes to the screen."""
    odd = library(tmp_path / 'it\'s "odd" #', "libhdf5.so.1")
    written = tmp_path / "host.yaml"
    text = discover.host_yaml(discover.discover({"LD_LIBRARY_PATH": str(odd.parent)}))
    entries = {entry.name: entry for entry in spec.parse(text.encode(), "host.yaml").entries}
    assert entries["hdf5"].file == str(odd)
    assert run(["--for", "/bin/true", str(written)]) == 0
    assert {entry.name for entry in spec.parse(written.read_bytes(), "host.yaml").entries} == {"io", "libc"}
    with pytest.raises(UsageError):
        run(["--discover", str(written)])
    capsys.readouterr()
    assert run(["--for", "/bin/true"]) == 0
    assert capsys.readouterr().out == written.read_text()


def test_a_program_that_is_none_is_told(tmp_path: Path) -> None:
    """Missing files and texts are errors with their names."""
    with pytest.raises(NoInputError):
        discover.discover({}, str(tmp_path / "missing"))
    (tmp_path / "text").write_text("hello")
    os.chmod(tmp_path / "text", 0o755)
    with pytest.raises(DataError):
        discover.discover({}, str(tmp_path / "text"))
