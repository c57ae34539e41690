"""Other releases of Debian than this machine's: another Slurm, systemd and Python.

A release is a folder in CACHE with a root of its own (debootstrap), in which DataCrumbs is built from this checkout.
That takes some minutes for the first time, and later what `make build` takes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nodes.errors import LackError, NodesError
from nodes.world import FOLDER, World

CACHE: Final = Path("/var/cache/datacrumbs-nodes")
RELEASES: Final = {"bookworm": "Debian 12: Slurm 22.05", "trixie": "Debian 13: Slurm 24.11"}
_SECONDS: Final = 1800
_SOURCES: Final = Path("usr/src/datacrumbs")
_INCLUDE: Final = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates,libslurm-dev"
_PREPARE: Final = """set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get update -qq
scripts/install-dependencies.sh build
"""
INSTALL: Final = f"cd /{_SOURCES} && PREFIX=/usr/local DESTDIR= scripts/install.sh"
"""Installs what was built in a release, in a root that lies over it."""
_HOST_FILES: Final = ("etc/resolv.conf", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")
"""What this machine needs to reach its mirrors, the release needs as well."""


def root(world: World, release: str, checkout: Path) -> Path:
    """The root of a release, with the checkout built in it; `/` for "", this machine's own.

    Raises:
        LackError: it cannot be had here.
        NodesError: it cannot be made, or DataCrumbs cannot be built in it.
    """
    if not release:
        return Path("/")
    if release not in RELEASES:
        raise NodesError(f"there is no recipe for '{release}': {', '.join(RELEASES)}")
    if not shutil.which("debootstrap"):
        raise LackError("missing packages: debootstrap")
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (CACHE / f"{release}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = CACHE / f"{release}-{hashlib.sha256(f'{_INCLUDE}{_PREPARE}'.encode()).hexdigest()[:8]}"
        if not (place / "etc" / "debian_version").exists():
            _bootstrap(release, place)
        _copy_sources(checkout, place / _SOURCES)
        with _entered(world, place) as inside:
            _chroot(world, inside, f"[ -e /etc/prepared ] || {{ {_PREPARE} touch /etc/prepared; }}")
            _chroot(world, inside, "scripts/build.sh /usr/local")
    return place


def place_of(checkout: Path, release: str) -> Path:
    """Where a node of a release, "" for this machine's own, has the checkout and what was built in it."""
    return Path("/", _SOURCES) if release else checkout


def _bootstrap(release: str, place: Path) -> None:
    draft = place.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={_INCLUDE}", release, str(draft)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        raise LackError(f"{release} cannot be had: {(done.stderr + done.stdout).strip()[-500:]}")
    draft.rename(place)


def _copy_sources(checkout: Path, to: Path) -> None:
    """The checkout as it is, without what was built in it; what was built there from an earlier one stays."""
    to.mkdir(parents=True, exist_ok=True)
    for path in to.iterdir():
        if path.name not in ("build", ".venv"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    ignore = shutil.ignore_patterns("build", ".venv", ".git", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(checkout, to, symlinks=True, ignore=ignore, dirs_exist_ok=True)
    os.chown(to, 0, 0)


@contextlib.contextmanager
def _entered(world: World, place: Path) -> Iterator[Path]:
    """The root itself, mounted in the world with what package scripts and builds expect."""
    for name in _HOST_FILES:
        if Path("/", name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).unlink(missing_ok=True)
            shutil.copyfile(Path("/", name), place / name)
    inside = FOLDER / "release"
    world.path(inside).mkdir(exist_ok=True)
    world.run("mount", "--bind", place, inside)
    try:
        world.run("mount", "--rbind", "/dev", inside / "dev")
        world.run("mount", "-t", "proc", "proc", inside / "proc")
        yield inside
    finally:
        world.run("umount", "--recursive", "--lazy", inside)


def _chroot(world: World, inside: Path, script: str) -> None:
    done = world.run(
        "chroot", inside, "sh", "-c", f"cd /{_SOURCES} && {{ {script}\n}}", timeout=_SECONDS, check=False
    )  # fmt: skip
    if done.returncode:
        raise NodesError(f"DataCrumbs cannot be built there: {(done.stderr + done.stdout).strip()[-2000:]}")
