"""Custom probes in the unit's sandbox: BCC compiles and attaches with what datacrumbs@.service leaves it."""

from __future__ import annotations

import platform
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from nodes.cluster import Cluster
from nodes.node import Node
from tracing import events_of, read_lines

pytestmark = [pytest.mark.cluster, pytest.mark.ebpf, pytest.mark.timeout(600)]

CUSTOM = Path(__file__).parents[1] / "bpf" / "custom"
HOST = f"""
capture_probes:
  - {{name: sys_io, probe: custom, file: {CUSTOM}/sys_io.bpf.c, probes: {CUSTOM}/probes.json}}
  - {{name: io, probe: syscalls, category: POSIX, regex: "openat|read|write|close"}}
"""


@pytest.fixture(scope="module", autouse=True)
def bcc() -> None:
    """The system's Python has BCC, and there are kernel headers: nodes see both."""
    if subprocess.run(["/usr/bin/python3", "-I", "-c", "import bcc"], capture_output=True, check=False).returncode:
        pytest.skip("cluster: no python3-bpfcc")
    build = Path("/lib/modules", platform.release(), "build")
    if not (list(Path("/usr/src").glob("linux-headers-*")) or build.exists()):
        pytest.skip("cluster: no kernel headers")


@pytest.fixture
def probes(cluster: Cluster) -> str:
    """Probes of alice's with the site's custom probe, which the policy allows by its content."""
    node = cluster.login
    home = cluster.home("alice")
    (home / "custom.yaml").write_text(HOST)
    sign = ("datacrumbs_probe_configurator", "custom.yaml", "custom.json.gz")
    refused = node.run(*sign, user="alice", check=False)
    assert refused.returncode == 77
    digest = refused.stderr.split("may add '")[1].split("'")[0]
    policy = node.root / "etc" / "datacrumbs" / "policy.yaml"
    policy.write_text(f'default: {{custom: ["{digest}"]}}\n')
    try:
        node.run(*sign, user="alice")
    finally:
        policy.unlink()
    return "/shared/home/alice/custom.json.gz"


@pytest.fixture(params=["in /usr/src", "of the running kernel"])
def headers(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Node]:
    """A node with kernel headers where the distribution's package puts them, or only where /lib/modules leads to."""
    node = cluster.nodes[1]
    if request.param == "in /usr/src":
        yield node
        return
    common = sorted(Path("/usr/src").glob("linux-headers-*-common"))
    flavours = [
        tree for tree in sorted(Path("/usr/src").glob("linux-headers-*")) if (tree / "include/generated").is_dir()
    ]
    if not common or not flavours:
        pytest.skip("cluster: no headers of Debian's form")
    modules = node.root / "usr/lib/modules" / platform.release()
    node.run("mkdir", "-p", "/opt/src", f"/usr/lib/modules/{platform.release()}")
    node.run("mount", "--bind", "/usr/src", "/opt/src")
    node.run("mount", "--make-private", "/opt/src")  # else what comes over one comes over the other
    node.run("mount", "-t", "tmpfs", "none", "/usr/src")
    for name, tree in (("build", flavours[-1]), ("source", common[-1])):
        (modules / name).unlink(missing_ok=True)
        (modules / name).symlink_to(f"/opt/src/{tree.name}")
    try:
        yield node
    finally:
        node.run("sh", "-c", "rm -f /run/datacrumbs/custom*.env")
        node.run("umount", "/usr/src", "/opt/src")
        for name in ("build", "source"):
            (modules / name).unlink()


def unit(node: Node, run_id: str, probes: str) -> None:
    """Starts a run of alice's as a hook does."""
    text = f"DATACRUMBS_PROBE_FILE={probes}\nDATACRUMBS_USER=5001\nDATACRUMBS_RUN_ID={run_id}\n"
    node.run("mkdir", "-p", "/run/datacrumbs")
    node.run("tee", f"/run/datacrumbs/{run_id}.env", input=text)
    done = node.run("systemctl", "start", f"datacrumbs@{run_id}.service", timeout=90, check=False)
    if done.returncode:
        journal = node.run("journalctl", "-u", f"datacrumbs@{run_id}.service", "--no-pager", "-o", "cat", check=False)
        pytest.fail(f"{done.stderr}\n{journal.stdout}")


def test_a_custom_probe_works_under_the_unit(cluster: Cluster, headers: Node, probes: str) -> None:
    """With the unit's sandbox as it is shipped, a custom probe sees every call that the system call probes see."""
    node, run_id = headers, f"custom{time.time_ns()}"
    data = cluster.shared / "custom-data"
    data.write_bytes(bytes(100_000))
    data.chmod(0o644)
    unit(node, run_id, probes)
    node.run("datacrumbs_wrap", "--run-id", run_id, "md5sum", "/shared/custom-data", user="alice")
    pid = node.run("systemctl", "show", "-P", "MainPID", f"datacrumbs@{run_id}.service").stdout.strip()
    status = node.run("cat", f"/proc/{pid}/status").stdout
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status  # the sandbox is there
    node.run("systemctl", "stop", f"datacrumbs@{run_id}.service", timeout=90)
    (path,) = cluster.home("alice").glob(f"datacrumbs/*/{run_id}-{node.name}.pfw.gz")
    lines = read_lines(path)

    def seen(category: str, name: str) -> Counter[tuple[int, int]]:
        return Counter((e["tid"], e["args"]["ret"]) for e in events_of(lines, category) if e["name"] == name)

    for name, shown in (("openat", "open64"), ("read", "read"), ("write", "write"), ("close", "close")):
        assert seen("sys_io", name) == seen("POSIX", shown), name
    own = [e for e in events_of(lines, "sys_io") if e["name"] == "read" and e["path"] == "/shared/custom-data"]
    assert sum(event["args"]["size"] for event in own) == 100_000
    assert lines[-1]["args"]["lost"] == 0
