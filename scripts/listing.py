#!/usr/bin/env python3
"""Prints what the build needs to know of the checkout: a component's files, or the project's version.

A component's folder is its listing: a file that lies there is built and installed, so that adding one is one step.
tests/golden/wheel.txt says what the result must hold, so that a file that strayed in does not ship.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def files(component: str, patterns: list[str]) -> list[str]:
    """The files below `component` that match one of the patterns, relative to it, sorted."""
    base = ROOT / component
    found = {path for pattern in patterns for path in base.glob(pattern) if path.is_file()}
    return sorted(str(path.relative_to(base)) for path in found if wanted(path.relative_to(base)))


def wanted(path: Path) -> bool:
    """Whether a file is a source: no bytecode, nothing hidden, no editor's backup."""
    parts = path.parts
    return not (
        "__pycache__" in parts or any(p.startswith(".") for p in parts) or path.name.endswith(("~", ".orig", ".so"))
    )


def main() -> None:
    """`listing.py --version`, or `listing.py COMPONENT PATTERN…`."""
    if sys.argv[1:] == ["--version"]:
        print(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])
        return
    print("\n".join(files(sys.argv[1], sys.argv[2:])))


if __name__ == "__main__":
    main()
