"""What tests on real nodes share: three nodes that are booted once, users with signed probes, programs to trace."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from nodes.cluster import Cluster, opened
from nodes.errors import LackError
from programs import compile_program

ROOT = Path(__file__).resolve().parents[2]
_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Nodes n1, n2, n3 with systemd, Slurm and DataCrumbs; programs `calls` and `static` are in /shared/programs, and
    /shared/home/USER/probes.json.gz is signed for each user.
    """
    try:
        with opened(ROOT, count=3) as cluster:
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
    """The name of a new folder below /shared that every user can write, with a folder for each of 16 workers."""
    name = f"work-{next(_NUMBERS)}"
    folder = cluster.shared / name
    for path in (folder, *(folder / str(i) for i in range(16))):
        path.mkdir()
        path.chmod(0o777)
    return name
