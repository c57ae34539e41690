"""The cluster: nodes n1, n2, …, all idle; n1 is login node, controller and compute node at once."""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nodes import cgroups, layers, missing, releases, slurm
from nodes.errors import LackError, NodesError
from nodes.node import BOOT_SECONDS, Node
from nodes.world import FOLDER, World, created

IDLE_SECONDS: Final = 180
MOST: Final = 64
_OURS: Final = (
    "etc/datacrumbs",
    "var/lib/datacrumbs*",
    "usr/local/lib/*datacrumbs*",
    "usr/local/lib/*/*datacrumbs*",
    "usr/local/lib/systemd/system/datacrumbs*",
    "usr/local/bin/datacrumbs*",
    "usr/local/etc/datacrumbs",
    "usr/local/libexec/datacrumbs",
)
"""Where a machine has what belongs to DataCrumbs; the first two are not what `make install` installs."""
_SHARED: Final = FOLDER / "shared"
_SLURM: Final = FOLDER / "slurm"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes that see each other; the first one is login node and controller."""

    nodes: Sequence[Node]
    checkout: Path
    """Where they have DataCrumbs' checkout, with its .venv."""
    _world: World

    @property
    def login(self) -> Node:
        """Where users type."""
        return self.nodes[0]

    @property
    def shared(self) -> Path:
        """The nodes' /shared, as a path of ours."""
        return self._world.path(_SHARED)

    @property
    def slurm_folder(self) -> Path:
        """The nodes' /etc/slurm, one for all, as a path of ours."""
        return self._world.path(_SLURM)

    def home(self, user: str) -> Path:
        """A user's home, as a path of ours."""
        return self.shared / "home" / user

    def states(self) -> dict[str, str]:
        """What Slurm says of each node: idle, mixed, drained*, …"""
        lines = self.login.run("sinfo", "--noheader", "--Node", "--format=%N %T").stdout.splitlines()
        return dict(line.split() for line in lines)

    def configure(self, more: str = "", plugstack: str = "") -> None:
        """Has all of Slurm run with another configuration; waits until all nodes are idle with it.

        Args:
            more: further lines of slurm.conf, such as Prolog=.
            plugstack: the text of plugstack.conf.

        Raises:
            NodesError: they do not get idle.
        """
        (self.slurm_folder / "slurm.conf").write_text(slurm.slurm_conf([node.name for node in self.nodes], more=more))
        (self.slurm_folder / "plugstack.conf").write_text(plugstack)
        # A slurmd reads its plugins when it starts, not when it is told to reconfigure.
        self.login.run("systemctl", "restart", "slurmctld", timeout=BOOT_SECONDS)
        for node in self.nodes:
            node.run("systemctl", "restart", "slurmd", timeout=BOOT_SECONDS)
        self.wait_idle()

    def wait_idle(self, seconds: float = IDLE_SECONDS) -> None:
        """Waits until all nodes are idle.

        Raises:
            NodesError: they are not in time; with their states.
        """
        deadline = time.monotonic() + seconds
        said = "slurmctld does not answer"
        while time.monotonic() < deadline:
            with contextlib.suppress(NodesError):
                states = self.states()
                if len(states) == len(self.nodes) and set(states.values()) == {"idle"}:
                    return
                said = str(states)
            time.sleep(0.1)
        reasons = self.login.run("sinfo", "--list-reasons", check=False).stdout
        raise NodesError(f"the nodes are not idle after {seconds:.0f} s: {said}\n{reasons}")


@contextlib.contextmanager
def opened(checkout: Path, *, count: int = 3, bare: bool = False, release: str = "") -> Iterator[Cluster]:
    """A cluster with all nodes idle; nothing of it is left after the context.

    Args:
        checkout: of DataCrumbs, built; the nodes see it at the same place, and its installation in /usr/local.
        count: nodes.
        bare: without DataCrumbs.
        release: of Debian, see `releases`; "": what this machine is.

    Raises:
        LackError: this machine cannot have one.
        NodesError: a part does not come up.
    """
    lack = missing.find()
    if lack:
        raise LackError(lack)
    if not 1 <= count <= MOST:
        raise NodesError(f"1 to {MOST} nodes, not {count}")
    cgroups.sweep()
    nodes: list[Node] = []
    try:
        with created() as world:
            base = releases.root(world, release, checkout)
            over = [layers.slurm(world, base), base]
            if not bare:
                over.insert(0, layers.datacrumbs(world, checkout, base))
            _make_shared(world)
            names = [f"n{number}" for number in range(1, count + 1)]
            binds = [f"--bind={_SHARED}:{layers.SHARED}", f"--bind={_SLURM}:/etc/slurm", f"--bind-ro={checkout}"]
            for number, name in enumerate(names, 1):
                nodes.append(Node(world, name, over, binds))
                _forget_this_machine(nodes[-1], _OURS[:2] if not bare else _OURS)
                _configure(nodes[-1], number, names)
            _configure_slurm(world, nodes, names)
            for node in nodes:
                node.start()
            for node in nodes:
                node.wait()
            cluster = Cluster(nodes, releases.place_of(checkout, release), world)
            cluster.wait_idle()
            if not bare:
                _trust_signer(cluster)
            yield cluster
    finally:
        for node in nodes:
            node.abandon()


def _make_shared(world: World) -> None:
    shared = world.path(_SHARED)
    world.path(_SLURM).mkdir()
    shared.mkdir()
    (shared / "home").mkdir()
    for user, uid in layers.USERS.items():
        home = shared / "home" / user
        home.mkdir(mode=0o750)
        world.run("chown", f"{uid}:{uid}", _SHARED / "home" / user)


def _forget_this_machine(node: Node, patterns: Sequence[str]) -> None:
    """Removes from a node what this machine has of DataCrumbs itself: keys that it trusts, an installation."""
    for pattern in patterns:
        for path in node.root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _configure(node: Node, number: int, names: Sequence[str]) -> None:
    etc = node.root / "etc"
    hosts = "".join(f"{_address(i)}\t{name}\n" for i, name in enumerate(names, 1))
    # An installation's own files are replaced, never written through: they may be links to this machine's.
    for name, text in {
        "hosts": f"127.0.0.1\tlocalhost\n{hosts}",
        "hostname": f"{node.name}\n",
        "machine-id": f"{uuid.uuid4().hex}\n",
        "node-address": f"{_address(number)}/16\n",
        "resolv.conf": "",
    }.items():
        (etc / name).unlink(missing_ok=True)
        (etc / name).write_text(text)
    wants = etc / "systemd" / "system" / "multi-user.target.wants"
    for service in ("slurmctld", "slurmd") if number == 1 else ("slurmd",):
        (wants / f"{service}.service").symlink_to(f"/lib/systemd/system/{service}.service")


def _address(number: int) -> str:
    return f"10.77.0.{number}"


def _configure_slurm(world: World, nodes: Sequence[Node], names: Sequence[str]) -> None:
    version = world.run("chroot", str(nodes[0].root).removeprefix(str(world.path(""))), "slurmd", "-V").stdout
    folder = world.path(_SLURM)
    (folder / "slurm.conf").write_text(slurm.slurm_conf(names))
    (folder / "cgroup.conf").write_text(slurm.cgroup_conf(version))


def _trust_signer(cluster: Cluster) -> None:
    """The signer runs on the login node; every node trusts what it signs."""
    cluster.login.run("systemctl", "enable", "--quiet", "--now", "datacrumbs_sign_probes.socket")
    cluster.login.run("systemctl", "start", "datacrumbs_sign_probes.service")
    key = cluster.login.run("datacrumbs_sign_probes", "--show-key").stdout
    for node in cluster.nodes[1:]:
        (node.root / "etc" / "login.pub").write_text(key)
        node.run("datacrumbs_sign_probes", "--trust", "/etc/login.pub")
