"""Nodes and sites on which something is other than it should be, for the length of a context."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from nodes.cluster import Cluster
from nodes.node import Node

_DROP_IN = "/run/systemd/system/datacrumbs@.service.d"


@contextlib.contextmanager
def settings(node: Node, text: str) -> Iterator[None]:
    """A node with a datacrumbs.yaml."""
    path = node.root / "etc" / "datacrumbs" / "datacrumbs.yaml"
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink()


@contextlib.contextmanager
def drop_in(node: Node, text: str) -> Iterator[None]:
    """A node whose units of runs differ."""
    node.run("mkdir", "-p", _DROP_IN)
    node.run("tee", f"{_DROP_IN}/fault.conf", input=text)
    node.run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        node.run("rm", "-r", _DROP_IN)
        node.run("systemctl", "daemon-reload")


@contextlib.contextmanager
def plugin_arguments(cluster: Cluster, words: str) -> Iterator[None]:
    """A site whose plugin has further arguments; slurmd's prologs and slurmstepd read them each time."""
    path = cluster.slurm_folder / "plugstack.conf"
    before = path.read_text()
    path.write_text(f"{before.rstrip()} {words}\n")
    try:
        yield
    finally:
        path.write_text(before)
