"""Slurm's side of a node: lines in slurm.conf or plugstack.conf, in a marked block that can be taken away again."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from datacrumbs.core.errors import NoInputError
from datacrumbs.core.setup import Record, has_block, without_block

_FOLDERS: Final = (Path("/etc/slurm"), Path("/etc/slurm-llnl"), Path("/usr/local/etc/slurm"), Path("/opt/slurm/etc"))
_SECONDS: Final = 60.0
_HOOKS: Final = {"Prolog": "prolog", "TaskProlog": "task_prolog", "Epilog": "epilog"}


def configuration() -> Path:
    """The folder of slurm.conf on this node.

    Raises:
        NoInputError: there is none that may be edited, as on a node that gets it from the controller.
    """
    named = os.environ.get("SLURM_CONF")
    folders = (Path(named).parent, *_FOLDERS) if named else _FOLDERS
    for folder in folders:
        if (folder / "slurm.conf").is_file():
            return folder
    raise NoInputError(
        "no slurm.conf is on this node", "set SLURM_CONF, or add the lines of docs/slurm.md where your site keeps it"
    )


def plugin(prefix: Path) -> Path:
    """Where `make install` puts the plugin, if it was built."""
    return prefix / "lib" / "slurm" / "datacrumbs_spank.so"


def set_up(stage: str, prefix: Path, record: Record) -> list[str]:
    """Adds the lines of a stage.

    Args:
        stage: `plugin`, `scheduler-hooks`, or `all`: the plugin where it was built, else the hooks.
        prefix: of the installation.
        record: what was put on the node.

    Raises:
        NoInputError: there is no slurm.conf, or the plugin was not built.
        OutputError: a file cannot be written.
    """
    folder = configuration()
    if stage == "plugin" or (stage == "all" and plugin(prefix).exists()):
        return _plugin(prefix, folder, record)
    return _hooks(prefix, folder, record)


def _plugin(prefix: Path, folder: Path, record: Record) -> list[str]:
    path = plugin(prefix)
    if not path.exists():
        raise NoInputError(f"{path} was not built", "install slurm's header (libslurm-dev) and 'make install' again")
    stack = folder / "plugstack.conf"
    if str(path.name) in without_block(stack):
        return [f"{stack} names {path.name} already"]
    record.add_block(stack, f"optional {path}")
    return ["the hooks are in slurm.conf as well: one of the two is enough"] if _has_hooks(folder) else []


def _hooks(prefix: Path, folder: Path, record: Record) -> list[str]:
    places = {name: prefix / "libexec" / "datacrumbs" / "slurm" / hook for name, hook in _HOOKS.items()}
    missing = [path for path in places.values() if not path.exists()]
    if missing:
        raise NoInputError(f"{missing[0]} is not installed", "install DataCrumbs with 'make install'")
    conf = folder / "slurm.conf"
    own = without_block(conf)
    notes, lines = [], []
    for name, path in places.items():
        taken = re.search(rf"^\s*{name}\s*=\s*(\S+)", own, re.MULTILINE | re.IGNORECASE)
        if taken and taken[1] != str(path):
            notes.append(f"slurm.conf has a {name} of its own: let {taken[1]} call {path}")
        elif not taken:
            lines.append(f"{name}={path}")
    if not re.search(r"^\s*PrologFlags\s*=", own, re.MULTILINE | re.IGNORECASE):
        lines.append("PrologFlags=Alloc")
    if lines:
        record.add_block(conf, "\n".join(lines))
    both = ["the plugin is in plugstack.conf as well: one of the two is enough"] if _has_plugin(folder) else []
    return [*notes, *both]


def reload() -> list[str]:
    """Restarts slurmd, which jobs survive: it looks at plugstack.conf when it starts, and at slurm.conf as well.

    A controller on this node reads slurm.conf anew.
    """
    notes = []
    if not _runs("systemctl", "try-restart", "slurmd.service"):
        notes.append("slurmd could not be restarted: restart it, so that it reads its configuration")
    if _runs("systemctl", "is-active", "--quiet", "slurmctld.service") and not _runs("scontrol", "reconfigure"):
        notes.append("slurmctld could not be told: scontrol reconfigure")
    return notes


def _runs(*command: str) -> bool:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False, env=None
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _has_plugin(folder: Path) -> bool:
    stack = folder / "plugstack.conf"
    return has_block(stack) or "datacrumbs_spank" in without_block(stack)


def _has_hooks(folder: Path) -> bool:
    conf = folder / "slurm.conf"
    return has_block(conf) or "/datacrumbs/slurm/prolog" in without_block(conf)


def check(prefix: Path) -> dict[str, str]:
    """What of Slurm's side is on this node."""
    try:
        folder = configuration()
    except NoInputError:
        return {"slurm": "no slurm.conf on this node"}
    return {
        "slurm plugin": (f"in {folder}/plugstack.conf" if _has_plugin(folder) else "not in plugstack.conf")
        + ("" if plugin(prefix).exists() else ", not built"),
        "slurm hooks": f"in {folder}/slurm.conf" if _has_hooks(folder) else "not in slurm.conf",
    }
