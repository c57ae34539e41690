"""What tests on real nodes share: three nodes that are booted once, users with signed probes, programs to trace."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from jobs import Slurm
from nodes.cluster import Cluster, opened
from nodes.errors import LackError
from programs import compile_program

ROOT = Path(__file__).resolve().parents[2]
HOOKS = "/usr/local/libexec/datacrumbs/slurm"
SITES = {
    "spank": ("", "optional /usr/local/lib/slurm/datacrumbs_spank.so\n"),
    "hooks": (f"Prolog={HOOKS}/prolog\nTaskProlog={HOOKS}/task_prolog\nEpilog={HOOKS}/epilog\n", ""),
}
"""What a site has in slurm.conf and in plugstack.conf."""
_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Nodes n1, n2, n3 with systemd, Slurm and DataCrumbs; programs `calls` and `static` are in /shared/programs, and
    /shared/home/USER/probes.json.gz is signed for each user.
    """
    try:
        with opened(ROOT, count=3, release=os.environ.get("DATACRUMBS_NODES_RELEASE", "")) as cluster:
            programs = cluster.shared / "programs"
            programs.mkdir()
            compile_program("calls", programs / "calls")
            compile_program("calls", programs / "static", "-static")
            for user in ("alice", "bob"):
                template = "/usr/local/etc/datacrumbs/configs/posix.yaml"
                cluster.login.run("datacrumbs_probe_configurator", template, "probes.json.gz", user=user)
            yield cluster
    except LackError as error:
        pytest.skip(f"cluster: {error}")


@pytest.fixture
def work(cluster: Cluster) -> str:
    """The name of a new folder below /shared that every user can write, with a folder for each of 16 workers; beside it
    is one for signs, NAME-signs, so that calls on those are not mixed with the workers'.
    """
    name = f"work-{next(_NUMBERS)}"
    make_folders(cluster, [name, f"{name}-signs", *(f"{name}/{i}" for i in range(16))])
    return name


def make_folders(cluster: Cluster, names: Sequence[str]) -> None:
    """Makes folders below /shared that every user can write."""
    for name in names:
        path = cluster.shared / name
        path.mkdir()
        path.chmod(0o777)


@pytest.fixture(scope="module", params=SITES)
def site(request: pytest.FixtureRequest, cluster: Cluster) -> str:
    """A site with the SPANK plugin, and one with the hooks."""
    cluster.configure(*SITES[request.param])
    return str(request.param)


@pytest.fixture
def slurm(cluster: Cluster, site: str) -> Iterator[Slurm]:
    """Slurm; when the test is over, nothing of its jobs may be left, and all nodes must be idle."""
    slurm = Slurm(cluster)
    yield slurm
    slurm.nothing_is_left()
