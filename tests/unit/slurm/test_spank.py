"""The SPANK plugin as a file: what it lets others see. tests/cluster loads it into a real Slurm."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = ROOT / "build" / "meson" / "slurm" / "datacrumbs_spank.so"

pytestmark = pytest.mark.skipif(not PLUGIN.exists(), reason="no libslurm-dev when it was built")


def test_exports_nothing_but_what_slurm_looks_for() -> None:
    """A plugin's other names could take the place of slurmstepd's own."""
    lines = subprocess.run(["nm", "-D", "--defined-only", PLUGIN], capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1] for line in lines.splitlines()}
    assert {"plugin_name", "plugin_type", "plugin_version", "spank_plugin_version"} <= names
    hooks = names - {"plugin_name", "plugin_type", "plugin_version", "spank_plugin_version"}
    assert hooks == {f"slurm_spank_{x}" for x in ("init", "init_post_opt", "job_prolog", "job_epilog", "task_init")}


def test_the_one_liner_of_the_documentation_builds_it(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "slurm.md").read_text()
    (line,) = [line for line in page.splitlines() if line.startswith("gcc ")]
    built = tmp_path / "datacrumbs_spank.so"
    subprocess.run(line.replace("-o datacrumbs_spank.so", f"-o {built}"), shell=True, cwd=ROOT, check=True, timeout=60)
    assert built.exists()
