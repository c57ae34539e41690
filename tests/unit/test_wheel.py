"""The wheel holds exactly what it should: tests/golden/wheel.txt. `make golden` writes it anew for review."""

from __future__ import annotations

import re
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "wheel.txt"


def listing(wheel: Path) -> list[str]:
    """The names in a wheel, without what depends on this machine's Python and our version."""
    names = zipfile.ZipFile(wheel).namelist()
    names = [re.sub(r"^datacrumbs-[^/]*\.(dist-info|data)", r"datacrumbs.\1", name) for name in names]
    return sorted(re.sub(r"\.cpython-[^/]*\.so$", ".so", name) for name in names)


@pytest.fixture(scope="module")
def wheel() -> Path:
    """The wheel that `make build` made."""
    (path,) = (ROOT / "build" / "dist").glob("datacrumbs-*.whl")
    return path


def test_wheel_holds_what_the_golden_listing_says(wheel: Path) -> None:
    """A file that strayed into a component, or one that the build dropped, shows here."""
    assert listing(wheel) == GOLDEN.read_text().split()


def test_every_tracked_python_source_is_in_the_wheel(wheel: Path) -> None:
    """Install tags have dropped whole folders before: the golden listing alone could be wrong in the same way."""
    tracked = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "*/datacrumbs/*"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    expected = {path.split("/", 1)[1] for path in tracked if path.split("/")[1] == "datacrumbs"}
    assert expected and expected <= set(zipfile.ZipFile(wheel).namelist())
