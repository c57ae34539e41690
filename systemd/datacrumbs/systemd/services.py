"""The stage `services` on one node: units where systemd finds them, folders, keys, the reaper."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from datacrumbs.core.config import DEFAULT_PATH, Config
from datacrumbs.core.errors import DataCrumbsError, NoInputError
from datacrumbs.core.keys import KeyRing
from datacrumbs.core.setup import Record
from datacrumbs.systemd import unit

RECORD: Final = Path("/var/lib/datacrumbs/setup.json")
MISSING: Final = "missing"
NEEDED: Final = ("software", "runtime unit", "reaper", "trusted keys", "system calls")
_UNITS: Final = ("datacrumbs@.service", "datacrumbs_reap.service", "datacrumbs_reap.timer")
_SEARCHED: Final = (Path("/usr"), Path("/usr/local"))
"""Prefixes below which systemd looks for units by itself (systemd.unit(5))."""
_KEYS: Final = Path("/etc/datacrumbs/keys.d")
_QUICK: Final = 60.0


def set_up(prefix: Path, record: Record, keys: Mapping[str, str], settings: str) -> list[str]:
    """Makes this node ready to run traces.

    Args:
        prefix: of the installation.
        record: what was put on the node.
        keys: public keys to trust, by file name.
        settings: text of datacrumbs.yaml; empty: none. One that is there already stays.

    Returns:
        Notes for the administrator.

    Raises:
        UnavailableError: systemd does not run here.
        NoInputError: the installation lacks its units.
    """
    unit.require_systemd()
    notes = []
    _install_units(prefix, record)
    for name, text in keys.items():
        record.write(_KEYS / Path(name).name, text.encode())
    if settings and not DEFAULT_PATH.exists():
        record.write(DEFAULT_PATH, settings.encode())
    if not keys and not list(_KEYS.glob("*.pub")):
        notes.append("no signer's key is trusted here: name one with --trust KEY.pub")
    _run("systemctl", "daemon-reload")
    _run("systemctl", "enable", "--quiet", "--now", "datacrumbs_reap.timer")
    return notes


def _install_units(prefix: Path, record: Record) -> None:
    folder = prefix / "lib" / "systemd" / "system"
    missing = [name for name in _UNITS if not (folder / name).exists()]
    if missing:
        raise NoInputError(f"{folder} lacks {missing[0]}", "install DataCrumbs with 'make install'")
    temporary = prefix / "lib" / "tmpfiles.d" / "datacrumbs.conf"
    if prefix not in _SEARCHED:
        for name in _UNITS:
            record.write(Path("/etc/systemd/system") / name, (folder / name).read_bytes())
        record.write(Path("/etc/tmpfiles.d/datacrumbs.conf"), temporary.read_bytes())
    _run("systemd-tmpfiles", "--create", str(temporary))


def stop() -> None:
    """Ends all traces on this node, and the reaper."""
    with contextlib.suppress(DataCrumbsError):
        unit.require_systemd()
        for run in unit.active_runs():
            unit.stop(f"datacrumbs@{run}.service", _QUICK)
    _run("systemctl", "disable", "--quiet", "--now", "datacrumbs_reap.timer")


def forget(prefix: Path) -> None:
    """After the files are gone: systemd forgets them, and empty folders of ours go as well."""
    _run("systemctl", "daemon-reload")
    if prefix in _SEARCHED and (prefix / "lib" / "systemd" / "system").exists():
        return  # the software itself is installed here; its folders are its own
    for kind in ("starting", "env", "why", "error", "seen"):
        for path in Path("/run/datacrumbs").glob(f"*.{kind}"):
            path.unlink(missing_ok=True)
    for folder in (_KEYS, _KEYS.parent, RECORD.parent, Path("/run/datacrumbs")):
        with contextlib.suppress(OSError):  # what is not ours stays
            folder.rmdir()


def check(prefix: Path, settings: Config) -> dict[str, str]:
    """What of ours is on this node, which keys it trusts, what its kernel can do."""
    states = {"software": str(prefix) if (prefix / "bin" / "datacrumbs").exists() else MISSING}
    loaded = _run("systemctl", "show", "--property=FragmentPath", "--value", "datacrumbs@check.service")
    states["runtime unit"] = loaded or MISSING
    timer = _run("systemctl", "is-active", "datacrumbs_reap.timer")
    states["reaper"] = timer if timer == "active" else MISSING
    try:
        states["trusted keys"] = " ".join(KeyRing.load(settings.keys_dir).keys) or MISSING
    except DataCrumbsError as error:
        states["trusted keys"] = error.message
    features = _run(str(prefix / "bin" / "datacrumbs"), "--features")
    states["system calls"] = MISSING
    for line in features.splitlines():
        name, _, state = line.partition(": ")
        states[name] = state
    return states


def _run(*command: str) -> str:
    """What a command prints; empty when it fails: what that means shows in what `check` says."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_QUICK, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
