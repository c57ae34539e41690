"""The documentation names all that a user can meet: commands, exit codes, settings; and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from datacrumbs.core import errors
from datacrumbs.core.config import Config

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
USER_TEXT = "\n".join(path.read_text() for path in PAGES if path.name not in {"ARCHITECTURE.md", "CONTRIBUTING.md"})
COMMANDS = sorted([*tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"], "datacrumbs_wrap"])


def error_classes(base: type[errors.DataCrumbsError] = errors.DataCrumbsError) -> list[type[errors.DataCrumbsError]]:
    """All error classes of core, the deepest included."""
    found = [base]
    for child in base.__subclasses__():
        if child.__module__ == errors.__name__:
            found += error_classes(child)
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert re.search(rf"\b{command}\b(?!@)", USER_TEXT), f"{command} is in no page"


@pytest.mark.parametrize("error", error_classes(), ids=lambda e: e.__name__)
def test_every_exit_code_is_in_the_table(error: type[errors.DataCrumbsError]) -> None:
    table = (ROOT / "docs" / "troubleshooting.md").read_text()
    assert re.search(rf"^\| {error.exit_code} \|", table, re.MULTILINE), f"{error.__name__}: {error.exit_code}"


@pytest.mark.parametrize("setting", Config._fields)
def test_every_setting_is_documented(setting: str) -> None:
    assert f"`{setting}`" in (ROOT / "docs" / "configuration.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.name)
def test_every_page_is_in_the_table_of_the_readme(page: Path) -> None:
    assert f"](docs/{page.name})" in (ROOT / "README.md").read_text()


def test_make_targets_in_the_documentation_exist() -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        code = "\n".join(re.findall(r"```.*?```|`[^`]+`", page.read_text(), re.DOTALL))
        for target in re.findall(r"(?:^|[`&;] ?|sudo )make ([a-z][a-z-]*)", code, re.MULTILINE):
            assert target in known, f"{page.name}: make {target}"


def test_make_help_lists_every_target() -> None:
    text = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for target in re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split():
        assert f"make {target} " in text, target


def test_pages_that_the_sources_name_exist() -> None:
    """Messages and comments send readers to pages."""
    for source in [
        *ROOT.glob("*/datacrumbs/**/*.py"),
        *ROOT.glob("*/*/*.[ch]"),
        *ROOT.glob("configurator/templates/*"),
    ]:
        for page in re.findall(r"\bdocs/[\w-]+\.md", source.read_text()):
            assert (ROOT / page).exists(), f"{source.relative_to(ROOT)}: {page}"
