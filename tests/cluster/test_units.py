"""The units under real systemd, on real nodes: what every scheduler's hooks rely on."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from calls import below, by_thread
from calls import work as work_of
from leaks import nothing_is_left
from nodes.cluster import Cluster
from nodes.node import Node
from tracing import events_of, read_lines

pytestmark = [pytest.mark.cluster, pytest.mark.ebpf, pytest.mark.timeout(600)]

UID = {"alice": 5001, "bob": 5002}


def start(node: Node, run_id: str, user: str, probes: str = "") -> None:
    """What a hook does: writes the environment, starts the unit. It returns when every probe is attached."""
    probes = probes or f"/shared/home/{user}/probes.json.gz"
    text = f"DATACRUMBS_PROBE_FILE={probes}\nDATACRUMBS_USER={UID[user]}\nDATACRUMBS_RUN_ID={run_id}\n"
    node.run("mkdir", "-p", "/run/datacrumbs")
    node.run("tee", f"/run/datacrumbs/{run_id}.env", input=text)
    node.run("systemctl", "start", f"datacrumbs@{run_id}.service", timeout=90)


def state(node: Node, run_id: str) -> str:
    return node.run("systemctl", "is-active", f"datacrumbs@{run_id}.service", check=False).stdout.strip()


def traced(node: Node, run_id: str, user: str, folder: str, program: str = "calls") -> None:
    """Runs the program with the known calls under tracing."""
    node.run("datacrumbs_wrap", "--run-id", run_id, f"/shared/programs/{program}", "direct", folder, user=user)


def trace_of(cluster: Cluster, user: str, run_id: str, node: str) -> Path:
    (path,) = cluster.home(user).glob(f"datacrumbs/*/{run_id}-{node}.pfw.gz")
    return path


def workers(path: Path, folder: str) -> list[list[object]]:
    """What each thread in the trace did below a folder of the nodes."""
    return list(by_thread(below(events_of(read_lines(path)), folder)).values())


def test_the_signer_is_started_by_its_socket_and_knows_the_caller(cluster: Cluster) -> None:
    """Under systemd the first request starts the signer; what it signs is for the user that the kernel names."""
    login = cluster.login
    login.run("systemctl", "stop", "datacrumbs_sign_probes.service")
    assert login.run("systemctl", "is-active", "datacrumbs_sign_probes.socket").stdout == "active\n"
    template = "/usr/local/etc/datacrumbs/configs/posix.yaml"
    login.run("datacrumbs_probe_configurator", template, "again.json.gz", user="bob")
    assert login.run("systemctl", "is-active", "datacrumbs_sign_probes.service").stdout == "active\n"
    assert '"uid":5002' in login.run("zcat", "/shared/home/bob/again.json.gz").stdout


def test_start_returns_when_attached_and_stop_when_the_trace_is_closed(cluster: Cluster, work: str) -> None:
    """On every node: active when start returns, so that the next call is traced; inactive when stop returns, with the
    trace exact, closed and the user's, and nothing left in /run or in the kernel. The unit may ask about the clock.
    """
    for number, node in enumerate(cluster.nodes):
        start(node, "unit1", "alice")
        assert state(node, "unit1") == "active"
        traced(node, "unit1", "alice", f"/shared/{work}/{number}", "static" if number else "calls")
    for number, node in enumerate(cluster.nodes):
        node.run("systemctl", "stop", "datacrumbs@unit1.service", timeout=90)
        assert state(node, "unit1") == "inactive"
        path = trace_of(cluster, "alice", "unit1", node.name)
        assert workers(path, f"/shared/{work}") == [work_of(f"/shared/{work}/{number}")]
        lines = read_lines(path)
        assert lines[-1]["args"]["lost"] == 0 and abs(lines[-1]["args"]["clock_step_us"]) < 1000
        assert any(line["args"].get("clock_max_error_us", -1) >= 0 for line in lines)
        assert path.stat().st_uid == UID["alice"]
        assert not list((node.root / "run").glob("datacrumbs/*unit1.ready"))
    nothing_is_left()


def test_runs_of_two_users_on_one_node(cluster: Cluster, work: str) -> None:
    """Each run sees its own user's processes, although both work at once."""
    node = cluster.nodes[1]
    for user in UID:
        start(node, f"of-{user}", user)
    for number, user in enumerate(UID):
        traced(node, f"of-{user}", user, f"/shared/{work}/{number}")
        node.run("datacrumbs_wrap", "/shared/programs/calls", "direct", f"/shared/{work}/{number + 2}", user=user)
    for number, user in enumerate(UID):
        node.run("systemctl", "stop", f"datacrumbs@of-{user}.service", timeout=90)
        seen = workers(trace_of(cluster, user, f"of-{user}", node.name), f"/shared/{work}")
        assert seen == [work_of(f"/shared/{work}/{number}"), work_of(f"/shared/{work}/{number + 2}")]


def test_a_start_that_fails_says_why_in_the_journal(cluster: Cluster) -> None:
    """A probes file of another user's is refused; the unit is gone, not failed, and another start may follow."""
    node = cluster.nodes[2]
    text = "DATACRUMBS_PROBE_FILE=/shared/home/alice/probes.json.gz\nDATACRUMBS_USER=5002\nDATACRUMBS_RUN_ID=no\n"
    node.run("mkdir", "-p", "/run/datacrumbs")
    node.run("tee", "/run/datacrumbs/no.env", input=text)
    done = node.run("systemctl", "start", "datacrumbs@no.service", check=False, timeout=90)
    assert done.returncode != 0
    assert state(node, "no") == "inactive"
    deadline = time.monotonic() + 60
    while "cannot" not in (said := node.run("journalctl", "--unit=datacrumbs@no.service").stdout):
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
    assert "[user]" in said or "[administrator]" in said
    nothing_is_left()


def test_a_node_without_power_leaves_nothing_and_comes_back(cluster: Cluster, work: str) -> None:
    """A power cut in mid-run: the trace reads to its last second; after the boot the node is idle, and traces again."""
    node = cluster.nodes[2]
    start(node, "cut", "alice")
    traced(node, "cut", "alice", f"/shared/{work}/0")
    path = trace_of(cluster, "alice", "cut", node.name)
    deadline = time.monotonic() + 60
    while workers(path, f"/shared/{work}") != [work_of(f"/shared/{work}/0")]:
        assert time.monotonic() < deadline, Counter(line["name"] for line in read_lines(path))
        time.sleep(0.1)
    node.power_off()
    nothing_is_left()
    node.boot()
    cluster.wait_idle()
    assert state(node, "cut") == "inactive"
    start(node, "cut", "alice")
    traced(node, "cut", "alice", f"/shared/{work}/1")
    node.run("systemctl", "stop", "datacrumbs@cut.service", timeout=90)
    (again,) = cluster.home("alice").glob("datacrumbs/*/cut-n3.2.pfw.gz")
    assert workers(again, f"/shared/{work}") == [work_of(f"/shared/{work}/1")]
