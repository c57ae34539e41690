"""What lies over this machine's `/`, or over another release, in every node: a layer with Slurm, one with DataCrumbs.

A layer is a folder with what differs, as an overlay's upper directory leaves it. Slurm's takes a download and some
seconds to make, so it is kept as an archive in CACHE, under a name that says what it was made from: other packages on
this machine, or another recipe below, make a new one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nodes import releases
from nodes.errors import LackError, NodesError
from nodes.releases import CACHE
from nodes.world import FOLDER, World

USERS: Final = {"alice": 5001, "bob": 5002}
"""Accounts on every node; their homes are in SHARED."""
SHARED: Final = Path("/shared")
"""What all nodes see, as a cluster's network file system."""
_KEPT: Final = 4
"""Archives of other machines' states that are kept."""
_BUILD_SECONDS: Final = 600
_NO_PACKAGES: Final = 69

_PACKAGES: Final = "slurmctld slurmd munge openssh-server openssh-client iproute2 dbus"
# A node is a bare machine: services that this one has enabled are none of its business.
_RECIPE: Final = f"""set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
get() {{ apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 {_PACKAGES}; }}
get || {{ apt-get update -qq; get; }} || exit {_NO_PACKAGES}
apt-get clean
rm -rf /usr/sbin/policy-rc.d /etc/systemd/system /etc/systemd/network /var/log/journal /etc/slurm
mkdir -p /etc/systemd/system/multi-user.target.wants /etc/systemd/journald.conf.d /etc/slurm /var/lib/slurm/slurmctld
mkdir -p {SHARED} /root/.ssh /var/spool/slurmd /var/log/slurm
chown slurm: /var/lib/slurm/slurmctld /var/log/slurm
for timer in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim man-db logrotate; do
  ln -s /dev/null /etc/systemd/system/$timer.timer
done
for unit in systemd-resolved systemd-networkd systemd-timesyncd systemd-udevd systemd-logind getty@ console-getty; do
  ln -s /dev/null /etc/systemd/system/$unit.service
done
printf '[Journal]\\nStorage=volatile\\nRateLimitBurst=0\\n' > /etc/systemd/journald.conf.d/node.conf
cat > /etc/systemd/system/node-network.service <<'UNIT'
[Unit]
Description=The node's address
DefaultDependencies=no
Before=network-pre.target munge.service slurmctld.service slurmd.service ssh.service
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip link set lo up; ip address replace "$(cat /etc/node-address)" dev host0; ip link set host0 up'
[Install]
WantedBy=multi-user.target
UNIT
for unit in ssh munge; do
  ln -s /lib/systemd/system/$unit.service /etc/systemd/system/multi-user.target.wants/$unit.service
done
ln -s ../node-network.service /etc/systemd/system/multi-user.target.wants/node-network.service
ln -s /lib/systemd/system/dbus.socket /etc/systemd/system/dbus.socket
head -c 128 /dev/urandom > /etc/munge/munge.key
chown -R munge: /etc/munge && chmod 400 /etc/munge/munge.key
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -A
rm -f /root/.ssh/id_ed25519
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
printf 'StrictHostKeyChecking accept-new\\nConnectTimeout 10\\n' > /root/.ssh/config
chmod -R go= /root/.ssh
""" + "".join(
    # The host may have somebody of that name, who is left out here.
    f'if [ "$(id -u {name} 2>/dev/null)" != {uid} ]; then userdel -f {name} 2>/dev/null || true; '
    f"useradd --uid {uid} --user-group --no-create-home --shell /bin/bash --home-dir {SHARED}/home/{name} {name}; fi\n"
    for name, uid in USERS.items()
)


def slurm(world: World, base: Path) -> Path:
    """The layer with munge, Slurm, ssh and users, from the cache or made now.

    Args:
        world: where it is made.
        base: the root that it lies over.

    Raises:
        LackError: no mirror has the packages.
        NodesError: it cannot be made.
    """
    layer = FOLDER / "layers" / "slurm"
    world.path(layer).mkdir(parents=True)
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds the nodes' keys
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        archive = CACHE / f"slurm-{_key(base)}.tar"
        # Unpacked as it is: whiteouts are devices, and what hides a folder of the machine's is an attribute.
        tar = ["tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-C", str(layer)]
        if archive.exists():
            world.run(*tar, "-xf", archive, timeout=_BUILD_SECONDS)
            os.utime(archive)
            return layer
        _build(world, base, layer)
        draft = archive.with_suffix(".new")
        world.run(*tar, "-cf", draft, ".", timeout=_BUILD_SECONDS)
        draft.rename(archive)
        _forget_old()
    return layer


def _key(base: Path) -> str:
    files = (base / "var/lib/dpkg/status", base / "etc/passwd")
    made_from = _RECIPE.encode() + b"".join(path.read_bytes() for path in files)
    return hashlib.sha256(made_from).hexdigest()[:16]


def _forget_old() -> None:
    archives = sorted(CACHE.glob("slurm-*.tar"), key=lambda path: path.stat().st_mtime)
    for archive in archives[:-_KEPT]:
        archive.unlink()


def _build(world: World, base: Path, layer: Path) -> None:
    with _rooted(world, base, layer) as root:
        done = world.run("chroot", root, "sh", "-c", _RECIPE, timeout=_BUILD_SECONDS, check=False)
    if done.returncode == _NO_PACKAGES:
        raise LackError(f"Slurm's packages cannot be had: {done.stderr.strip()[-500:]}")
    if done.returncode:
        raise NodesError(f"the nodes' layer cannot be made: {done.stderr.strip()[-2000:]}")


@contextlib.contextmanager
def _rooted(world: World, base: Path, layer: Path) -> Iterator[Path]:
    """An overlay that writes into the layer, with what package scripts expect of a root."""
    place = FOLDER / "build"
    for part in ("work", "root"):
        world.path(place / part).mkdir(parents=True, exist_ok=True)
    root = place / "root"
    options = f"lowerdir={base},upperdir={layer},workdir={place}/work"
    world.run("mount", "-t", "overlay", "-o", options, "build", root)
    try:
        world.run("mount", "--rbind", "/dev", root / "dev")
        world.run("mount", "-t", "proc", "proc", root / "proc")
        yield root
    finally:
        world.run("umount", "--recursive", "--lazy", root)


def datacrumbs(world: World, checkout: Path, base: Path) -> Path:
    """The layer with DataCrumbs as `make install` leaves it in /usr/local; the checkout must be built.

    Raises:
        NodesError: it cannot be installed.
    """
    layer = FOLDER / "layers" / "datacrumbs"
    world.path(layer).mkdir(parents=True)
    if base != Path("/"):
        with _rooted(world, base, layer) as root:
            world.run("chroot", root, "sh", "-c", releases.INSTALL, timeout=_BUILD_SECONDS)
        return layer
    if not list(checkout.glob("build/dist/datacrumbs-*.whl")):
        raise NodesError(f"{checkout} is not built: make build")
    world.run(
        "env", "PREFIX=/usr/local", f"DESTDIR={layer}", checkout / "scripts" / "install.sh", timeout=_BUILD_SECONDS
    )
    return layer
