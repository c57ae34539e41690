"""`make install` stages a whole installation below DESTDIR, and `make uninstall` takes all of it away."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "/usr/local"


def script(name: str, stage: Path) -> None:
    """Runs scripts/install.sh or uninstall.sh: the recipe of the make target after its build."""
    environment = {**os.environ, "PREFIX": PREFIX, "DESTDIR": str(stage)}
    subprocess.run([ROOT / "scripts" / name], env=environment, check=True, capture_output=True, timeout=110)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A staged installation."""
    folder = tmp_path_factory.mktemp("stage")
    script("install.sh", folder)
    yield folder
    script("uninstall.sh", folder)
    assert not [path for path in folder.rglob("*") if not path.is_dir()]
    assert not list(folder.rglob("*datacrumbs*"))


def test_commands_units_library_and_templates_are_where_the_documentation_says(stage: Path) -> None:
    base = stage / PREFIX[1:]
    for name in ("datacrumbs", "datacrumbs_probe_configurator", "datacrumbs_wrap", "datacrumbs_analyze"):
        assert os.access(base / "bin" / name, os.X_OK), name
    assert (base / "lib" / "libdatacrumbs_client.so").is_file()
    assert (base / "include" / "datacrumbs" / "client.h").is_file()
    assert (base / "etc" / "datacrumbs" / "configs" / "posix.yaml").is_file()
    for unit in ("datacrumbs@.service", "datacrumbs_sign_probes.service", "datacrumbs_sign_probes.socket"):
        assert (base / "lib" / "systemd" / "system" / unit).is_file(), unit


def test_commands_are_isolated_from_their_callers_python(stage: Path) -> None:
    """PYTHONPATH and ~/.local have no say in what root runs."""
    first = (stage / PREFIX[1:] / "bin" / "datacrumbs").read_text().splitlines()[0]
    assert first == f"#!{PREFIX}/lib/datacrumbs/bin/python -I"


def test_staged_commands_work(stage: Path) -> None:
    private = stage / PREFIX[1:] / "lib" / "datacrumbs"
    done = subprocess.run(
        [private / "bin" / "python", "-I", private / "bin" / "datacrumbs", "--help"], capture_output=True, check=True
    )
    assert b"usage: datacrumbs" in done.stdout


def test_nothing_refers_to_the_staging_folder_or_the_checkout(stage: Path) -> None:
    for path in stage.rglob("*"):
        if path.is_symlink():
            assert not str(path.readlink()).startswith((str(stage), str(ROOT))), path
        elif path.is_file() and ("datacrumbs" in path.name or path.suffix in {".service", ".cfg", ".py", ".pyc"}):
            data = path.read_bytes()
            assert str(stage).encode() not in data and b"datacrumbs.new" not in data, path


def test_units_start_the_installed_commands(stage: Path) -> None:
    for unit, command in (("datacrumbs@", "datacrumbs"), ("datacrumbs_sign_probes", "datacrumbs_sign_probes")):
        text = (stage / PREFIX[1:] / "lib" / "systemd" / "system" / f"{unit}.service").read_text()
        assert f"\nExecStart={PREFIX}/bin/{command}\n" in text


def test_installing_twice_is_harmless(stage: Path) -> None:
    before = sorted(str(path) for path in stage.rglob("*"))
    script("install.sh", stage)
    assert sorted(str(path) for path in stage.rglob("*")) == before
