"""Compiles the programs that tests trace."""

from __future__ import annotations

import subprocess
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "bpf" / "programs"
_INCLUDE = FOLDER.parents[2] / "core" / "include"


def compile_program(name: str, target: Path, *flags: str) -> Path:
    """Compiles FOLDER/NAME.c to `target`; everybody may run it."""
    options = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-pthread", f"-I{_INCLUDE}"]
    subprocess.run(["gcc", *options, *flags, FOLDER / f"{name}.c", "-o", target], check=True)
    target.chmod(0o755)
    return target
