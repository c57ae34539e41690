"""The shape that ARCHITECTURE.md promises holds: who imports whom, and where things are."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = sorted(
    path.parent.name for path in ROOT.glob("*/datacrumbs") if path.is_dir() and not path.parent.name.startswith(".")
)
SOURCES = sorted(path for c in COMPONENTS for path in (ROOT / c / "datacrumbs" / c).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The names of all modules that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_there_are_components() -> None:
    assert {"core", "configurator", "runtime", "client", "analysis"} <= set(COMPONENTS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_its_own_component_and_core(path: Path) -> None:
    """Arrows go to core and nowhere else; core itself points to nothing of ours."""
    component = path.relative_to(ROOT).parts[0]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "datacrumbs":
            assert len(parts) > 1 and parts[1] in {component, "core"}, f"{component} imports {name}"


ROOMS = {
    "reading": set(), "summing": {"reading"}, "explaining": {"reading", "clusters"},
    "comparing": {"reading", "explaining"}, "clusters": {"reading", "summing", "explaining"},
    "report": {"reading", "summing", "explaining"}, "exports": {"reading", "explaining"},
    "reporters": {"reading", "summing", "explaining", "comparing"},
}  # fmt: skip
"""What each package of the analysis may know of the others: answers know nobody who prints them."""


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_between_the_rooms_of_the_analysis_go_one_way(room: str) -> None:
    """Only `explaining` asks `clusters`, which asks back: whether calls are here or there is the question's to say."""
    folder = ROOT / "analysis" / "datacrumbs" / "analysis" / room
    names = [name.split(".") for path in folder.rglob("*.py") for name in imports(path)]
    known = {name[2] for name in names if name[:2] == ["datacrumbs", "analysis"]} & (ROOMS.keys() | {"commands"})
    assert known - {room} <= ROOMS[room]


def test_namespace_package_has_no_init() -> None:
    """`datacrumbs` is a PEP 420 namespace: an __init__.py in one component would hide the others."""
    assert not [path for path in ROOT.glob("*/datacrumbs/__init__.py") if not path.parts[-3].startswith(".")]


def test_package_inits_do_no_work() -> None:
    """They hold a docstring, and names of their own package for users: imports and `__all__`."""
    for path in SOURCES:
        if path.name == "__init__.py":
            for node in ast.parse(path.read_text()).body:
                docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                listing = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
                assert docstring or listing or isinstance(node, ast.ImportFrom), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_hold_one_idea(path: Path) -> None:
    """Past 400 lines a second idea has moved in."""
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_begin_with_a_docstring(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), "say what the file is for"


def test_every_folder_with_a_description_is_built() -> None:
    """A component's meson.build that the top one does not name would never ship."""
    named = (ROOT / "meson.build").read_text()
    for path in ROOT.glob("*/meson.build"):
        assert f"'{path.parent.name}'" in named, path


def test_dependencies_are_bounded_below() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert all(">=" in dependency for dependency in project["dependencies"])


def test_every_dependency_has_its_reason() -> None:
    """ARCHITECTURE.md says of each dependency why it and not our own code."""
    page = (ROOT / "ARCHITECTURE.md").read_text().lower()
    for dependency in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]:
        name = re.split(r"[<>=~ ]", dependency)[0].lower()
        assert f"| {name} " in page, dependency
