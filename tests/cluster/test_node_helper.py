"""The node helper, the reaper and the setup of nodes, on real nodes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from datacrumbs.core.metadata import Metadata
from leaks import nothing_is_left
from nodes.cluster import Cluster
from nodes.node import Node

pytestmark = [pytest.mark.cluster, pytest.mark.ebpf, pytest.mark.timeout(600)]

PROBES = "/shared/home/alice/probes.json.gz"
SETUP = ("datacrumbs_cluster_setup", "--node-list", "n[1-3]")


def begin(node: Node, job: str, *words: str, probes: str = PROBES) -> str:
    return node.run(
        "datacrumbs_node", "start", "--job", job, "--user", "alice", *words, input=Metadata(probes).dump()
    ).stdout.strip()


def end(node: Node, job: str) -> str:
    return node.run("datacrumbs_node", "stop", "--job", job).stdout.strip()


def state(node: Node, job: str) -> str:
    return node.run("systemctl", "is-active", f"datacrumbs@{job}.service", check=False).stdout.strip()


def files_of(node: Node, job: str) -> list[str]:
    names = node.run("ls", "-A", "/run/datacrumbs", "/run/systemd/units").stdout.split()
    return [name for name in names if re.search(rf"(^|[@-]){job}\b", name)]


def test_each_verb_may_be_repeated(cluster: Cluster) -> None:
    """Started twice is ready twice, with one trace; stopped twice is absent; nothing is left behind."""
    node = cluster.nodes[1]
    assert [begin(node, "helper1"), begin(node, "helper1")] == ["ready", "ready"]
    assert state(node, "helper1") == "active"
    assert [end(node, "helper1"), end(node, "helper1")] == ["stopped", "absent"]
    assert state(node, "helper1") == "inactive" and not files_of(node, "helper1")
    assert len(list(cluster.home("alice").glob("datacrumbs/*/helper1-n2*.pfw.gz"))) == 1
    nothing_is_left()


def test_a_path_with_every_strange_character_arrives(cluster: Cluster) -> None:
    """The environment file that systemd reads holds the path as it was given, and nothing in it means anything."""
    node = cluster.nodes[1]
    name = "p \"'`$HOME$(id)\\ #;%n=ä.json.gz"
    (cluster.home("alice") / name).write_bytes((cluster.home("alice") / "probes.json.gz").read_bytes())
    (cluster.home("alice") / name).chmod(0o644)
    assert begin(node, "helper2", probes=f"/shared/home/alice/{name}") == "ready"
    assert end(node, "helper2") == "stopped"


def test_messages_bear_the_jobs_id(cluster: Cluster) -> None:
    """What the helper and the runtime say of a job is found by it."""
    node = cluster.nodes[1]
    assert begin(node, "helper3") == "ready"
    assert end(node, "helper3") == "stopped"
    deadline = time.monotonic() + 60
    while True:
        said = node.run("journalctl", "--quiet", "--output=cat", "JOB_ID=helper3", check=False).stdout
        if all(words in said for words in ("is traced", "READY: run helper3", "captured", "is closed")):
            return
        assert time.monotonic() < deadline, said
        time.sleep(0.1)


def test_the_reaper_ends_what_no_job_needs_and_nothing_else(cluster: Cluster) -> None:
    """A job whose time is over and that has no process is reaped; not one that has, nor a run of no scheduler, nor a
    file that is no run's, which is told.
    """
    node = cluster.nodes[1]
    assert begin(node, "901", "--scheduler", "slurm", "--until", "1") == "ready"
    assert begin(node, "902", "--scheduler", "slurm", "--until", "1") == "ready"
    assert begin(node, "903") == "ready"
    node.run("sh", "-c", "SLURM_JOB_ID=902 setsid sleep 300 >/dev/null 2>&1 </dev/null & echo $! >/run/sleeper")
    node.run("touch", "/run/datacrumbs/0 no-run.env")
    try:
        done = node.run("datacrumbs_node", "reap")
        assert done.stdout == "reaped: nothing\n" and "/run/datacrumbs/0 no-run.env is left alone" in done.stderr
        assert node.run("datacrumbs_node", "reap", "--grace", "0").stdout == "reaped: 901\n"
        assert [state(node, job) for job in ("901", "902", "903")] == ["inactive", "active", "active"]
    finally:
        node.run("rm", "/run/datacrumbs/0 no-run.env")
        node.run("sh", "-c", "kill $(cat /run/sleeper)")
        assert [end(node, job) for job in ("902", "903")] == ["stopped", "stopped"]
    nothing_is_left()


@pytest.fixture
def unconfigured(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster whose Slurm knows nothing of us; as it was, after the test."""
    conf, stack = cluster.slurm_folder / "slurm.conf", cluster.slurm_folder / "plugstack.conf"
    before = {path: path.read_text() if path.exists() else "" for path in (conf, stack)}
    conf.write_text(re.sub(r"^(Prolog|TaskProlog|Epilog)=.*\n", "", before[conf], flags=re.MULTILINE))
    stack.unlink(missing_ok=True)
    try:
        yield cluster
    finally:
        cluster.login.run(*SETUP, "--unsetup", check=False, timeout=110)
        for path, text in before.items():
            path.write_text(text)
        for node in cluster.nodes:
            node.run("systemctl", "restart", "slurmd")
        cluster.login.run("scontrol", "reconfigure")
        cluster.wait_idle()


def ours(node: Node) -> set[str]:
    """Files and links of ours outside of the installation, keys included; an empty folder may come and go."""
    named = ("(", "-name", "*datacrumbs*", "-o", "-path", "*/datacrumbs/*", ")", "-not", "-type", "d")
    return set(node.run("find", "/etc", "/var/lib", "-xdev", *named).stdout.split())


def test_setup_makes_nodes_ready_and_takes_all_of_it_away(unconfigured: Cluster) -> None:
    """Stage all, check, a traced job, the other stage by mistake, unsetup; each twice, with nothing left at the end."""
    cluster = unconfigured
    login, home = cluster.login, cluster.home("alice")
    before = {node.name: ours(node) for node in cluster.nodes}
    for _ in range(2):
        assert login.run(*SETUP, timeout=110).stdout == "n[1-3]:\n  ready\n"
    cluster.wait_idle()
    said = login.run(*SETUP, "--check", timeout=110).stdout
    assert "reaper: active" in said and "slurm plugin: in /etc/slurm/plugstack.conf" in said
    assert "system calls: yes" in said
    traced(cluster, home)
    both = login.run(*SETUP, "--stage", "scheduler-hooks", timeout=110).stdout
    assert "one of the two is enough" in both
    cluster.wait_idle()
    traced(cluster, home)
    for _ in range(2):
        assert login.run(*SETUP, "--unsetup", timeout=110).stdout.rstrip().endswith("nothing is left")
    cluster.wait_idle()
    assert {node.name: ours(node) for node in cluster.nodes} == before
    assert not (cluster.slurm_folder / "plugstack.conf").exists()
    assert "datacrumbs" not in (cluster.slurm_folder / "slurm.conf").read_text()
    assert login.run("srun", "-N3", "true", user="alice").returncode == 0
    nothing_is_left()


def traced(cluster: Cluster, home: Path) -> None:
    """A job by its comment has a trace on each node, and all its nodes are idle afterwards."""
    traces = set(home.glob("datacrumbs/*/*.pfw.gz"))
    cluster.login.run("srun", "-N3", f"--comment={Metadata(PROBES).dump()}", "true", user="alice", timeout=110)
    cluster.wait_idle()
    new = {path.name.split("-")[1] for path in set(home.glob("datacrumbs/*/*.pfw.gz")) - traces}
    assert new == {"n1.pfw.gz", "n2.pfw.gz", "n3.pfw.gz"}
