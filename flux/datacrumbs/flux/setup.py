"""Flux's side of a node: our files in the folders where the installed Flux looks for such."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datacrumbs.core.errors import ConfigError, NoInputError
from datacrumbs.core.files import read_regular
from datacrumbs.core.setup import Record
from datacrumbs.flux import command

OLDEST: Final = (0, 78)
"""The first with prolog.d, epilog.d and housekeeping.d."""
_PLUGINS: Final = Path(__file__).parent / "plugins"
_MOST: Final = 16 << 20
_NAME: Final = "datacrumbs"


@dataclass(frozen=True, slots=True)
class Part:
    """One file."""

    stage: str
    """`plugin` or `scheduler-hooks`."""
    source: str
    """Below `plugins` in this package; scripts have @PLACES@ to fill in."""
    key: str
    """Where Flux looks: a key of `flux config builtin`."""
    below: str
    """The file's name below that folder."""
    mode: int


PARTS: Final = (
    Part("plugin", "cli/datacrumbs.py", "confdir", f"cli/plugins/{_NAME}.py", 0o644),
    Part("plugin", "jobtap/jobtap.so", "jobtap_pluginpath", f"{_NAME}.so", 0o755),
    Part("plugin", "hooks/load.sh", "confdir", f"rc1.d/{_NAME}", 0o755),
    Part("plugin", "shell/shell.so", "shell_pluginpath", f"{_NAME}.so", 0o755),
    Part("scheduler-hooks", "hooks/start.sh", "libexecdir", f"prolog.d/{_NAME}", 0o755),
    Part("scheduler-hooks", "hooks/stop.sh", "libexecdir", f"epilog.d/{_NAME}", 0o755),
    Part("scheduler-hooks", "hooks/stop.sh", "libexecdir", f"housekeeping.d/{_NAME}", 0o755),
)


def set_up(stage: str, prefix: Path, record: Record) -> list[str]:
    """Puts the files of a stage where Flux looks.

    Args:
        stage: `plugin` (options, jobtap, shell), `scheduler-hooks` (prolog, epilog, housekeeping), or `all`.
        prefix: of the installation.
        record: what was put on the node.

    Returns:
        What is left for the administrator to do.

    Raises:
        NoInputError: there is no Flux here, or the plugins were not built.
        ConfigError: Flux is too old.
        OutputError: a file cannot be written.
    """
    flux = _flux()
    _require_version(flux)
    for part, target in _targets(flux):
        if stage in (part.stage, "all"):
            record.write(target, _content(part, prefix, flux), part.mode)
    return _advice(flux)


def reload() -> list[str]:
    """Has the running instance, if this is its first node, load the jobtap plugin anew, or let go of it.

    Everything else is read for each job, or by each command.
    """
    flux = command.find()
    if not flux or command.ask(flux, "getattr", "rank") != "0":
        return []
    path = next(target for part, target in _targets(flux) if part.source == "jobtap/jobtap.so")
    command.ask(flux, "jobtap", "remove", path.name)
    if path.exists() and command.ask(flux, "jobtap", "load", str(path)) is None:
        return [f"the running instance does not load {path}: flux jobtap load {path.name} says why"]
    return []


def check(prefix: Path) -> dict[str, str]:
    """What of Flux's side is on this node."""
    flux = command.find()
    if not flux:
        return {"flux": "not on this node"}
    states = {"flux": ".".join(map(str, _version(flux))) or "does not say its version"}
    for part, target in _targets(flux):
        if not target.exists():
            state = "missing"
        elif target.read_bytes() != _content(part, prefix, flux):
            state = f"another version in {target}"
        else:
            state = f"in {target}"
        states[f"flux {part.key}/{part.below}"] = state
    for number, advice in enumerate(_advice(flux), 1):
        states[f"flux advice {number}"] = advice
    return states


def _flux() -> str:
    flux = command.find()
    if not flux:
        raise NoInputError("there is no flux on this node", "install Flux first, or put its folder into PATH")
    return flux


def _version(flux: str) -> tuple[int, ...]:
    found = re.search(r"libflux-core:\s+([0-9]+)\.([0-9]+)\.([0-9]+)", command.ask(flux, "version") or "")
    return tuple(map(int, found.groups())) if found else ()


def _require_version(flux: str) -> None:
    version = _version(flux)
    if version and version < OLDEST:
        raise ConfigError(
            f"{flux} is version {'.'.join(map(str, version))}", "install 0.78 or newer: it has prolog.d and epilog.d"
        )


def _targets(flux: str) -> Iterator[tuple[Part, Path]]:
    folders: dict[str, Path] = {}
    for part in PARTS:
        if part.key not in folders:
            # A list of folders, as the plugin paths are: the last one is Flux's own.
            folder = command.folder(flux, part.key)
            if folder is None:
                raise NoInputError(
                    f"'flux config builtin {part.key}' names no folder", "repair the installation of Flux"
                )
            folders[part.key] = Path(str(folder).rsplit(":", 1)[-1])
        yield part, folders[part.key] / part.below


def _content(part: Part, prefix: Path, flux: str) -> bytes:
    source = _PLUGINS / part.source
    if not (source.exists() and (_PLUGINS / "hooks" / "ask").exists()):
        raise NoInputError(
            f"{source} was not built",
            "install jansson's header (libjansson-dev, jansson-devel) and 'make install' again",
        )
    data = read_regular(source, _MOST)
    if source.suffix != ".sh":
        return data
    jobtap = next(part for part in PARTS if part.source == "jobtap/jobtap.so")
    folder = command.folder(flux, jobtap.key) or Path()
    places = {
        "flux": flux,
        "bindir": prefix / "bin",
        "jobtap": folder / jobtap.below,
        "plugins": _PLUGINS,
        "libflux": _library(flux),
    }
    for name, place in places.items():
        data = data.replace(f"@{name}@".encode(), str(place).encode())
    return data


def _library(flux: str) -> Path:
    """libflux-core: its folder is above that of its connectors; elsewhere, the dynamic linker finds it."""
    connectors = command.folder(flux, "connector_path") or Path("/usr/lib/flux/connectors")
    return Path(str(connectors).rsplit(":", 1)[-1]).parent.parent / "libflux-core.so.2"


def _advice(flux: str) -> list[str]:
    """What Flux's configuration lacks for our hooks: the files of the system instance are asked, no running one."""

    def value(key: str) -> str | None:
        return command.ask(flux, "config", "get", "--config-path=system", key)

    advice = []
    for table in ("prolog", "epilog", "housekeeping"):
        # Without a command Flux runs `flux-imp run prolog`: flux-config-job-manager(5).
        if value(f"job-manager.{table}") is None:
            advice.append(f"Flux's configuration has no [job-manager.{table}]: see docs/flux.md")
        elif not value(f"job-manager.{table}.command") and not value("exec.imp"):
            advice.append(f"Flux's configuration has neither job-manager.{table}.command nor exec.imp")
    if value("access.allow-root-owner") != "true":
        advice.append("Flux's configuration has no access.allow-root-owner = true: hooks cannot ask about jobs")
    return advice
