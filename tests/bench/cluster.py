"""`make bench-cluster`: what a job of Slurm pays for being traced, and for tracing being there; and a burst of jobs.

All nodes share this machine's processors, so that the figures of many nodes are worse than they would be on real ones.
Exits with 0 where every target is met, 1 where one is missed, 69 where no nodes can be had. Needs root.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "containers")]

import figures  # noqa: E402
from bench import say  # noqa: E402
from figures import Figure  # noqa: E402
from jobs import Slurm, check_exact, metadata, probes_of, task, tasks  # noqa: E402
from nodes.cluster import Cluster, opened  # noqa: E402
from nodes.errors import LackError  # noqa: E402
from programs import compile_program  # noqa: E402

PLUGIN = "optional /usr/local/lib/slurm/datacrumbs_spank.so\n"
TEMPLATES = "/usr/local/etc/datacrumbs/configs"
FUNCTIONS = """\
capture_probes:
  - {name: crypto, probe: uprobe, type: binary, file: libcrypto.so.3, regex: "(ASN1|BIO|BN|X509)_.*"}
"""
COMMENT = f"--comment={metadata(probes_of('alice'))}"
BURST_NODES, BURST_JOBS = 8, 50
START_SECONDS = 40
"""What a job of the burst may wait for its trace: eight nodes' runtimes begin on this machine's few processors."""


def prepare(cluster: Cluster) -> None:
    """The program with the known calls, and a probes file with all I/O system calls."""
    (cluster.shared / "programs").mkdir()
    compile_program("calls", cluster.shared / "programs" / "calls")
    cluster.login.run("datacrumbs_probe_configurator", f"{TEMPLATES}/posix.yaml", "probes.json.gz", user="alice")


def job_seconds(cluster: Cluster, options: Sequence[str], times: int) -> list[float]:
    """How long each of some `srun true` takes, as its user sees it; the nodes are idle before each."""
    measured = []
    once = 'start=$(date +%s%N); srun "$@" true; end=$(date +%s%N); echo $((end - start))'
    for _ in range(times):
        cluster.wait_idle()
        said = cluster.login.run("sh", "-c", once, "sh", *options, user="alice", timeout=300).stdout
        measured.append(int(said.split()[-1]) / 1e9)
    return measured


def undisturbed(seconds: Sequence[float]) -> float:
    """The tenth percentile: what it takes when nobody else wants the processors."""
    return sorted(seconds)[len(seconds) // 10]


def plugin_cost(cluster: Cluster, rounds: int) -> list[Figure]:
    """Untraced jobs with and without the plugin, in turns, so that both meet the same machine.

    Medians, since the best tenth of jobs without the plugin are those that srun finds ready when it first asks.
    """
    seconds: dict[str, list[float]] = {"": [], PLUGIN: []}
    for number in range(rounds):
        for stack, found in seconds.items():
            say(f"untraced jobs {'with' if stack else 'without'} the plugin, round {number + 1}")
            cluster.configure(plugstack=stack)
            found += job_seconds(cluster, ["-N1"], 12)
    without, with_plugin = (statistics.median(found) * 1e3 for found in seconds.values())
    note = f"medians of {len(seconds[''])}: {without:.0f} and {with_plugin:.0f} ms"
    # srun asks whether its job is ready at once, then after 100 ms: a job without any prolog may be so the first time.
    lucky = [sum(s * 1e3 < 0.7 * without for s in found) for found in seconds.values()]
    note += f"; ready when srun first asks, and so 100 ms sooner: {lucky[0]} and {lucky[1]} of them"
    return [Figure("untraced `srun -N1 true`: added by the plugin", with_plugin - without, "ms", most=3, note=note)]


def trace_cost(cluster: Cluster, size: int, times: int) -> list[Figure]:
    """Traced and untraced jobs on some nodes, in turns. A job on one node is what real nodes come to, each with
    processors of its own.
    """
    untraced, traced = [], []
    for number in range(times):
        say(f"traced and untraced jobs on {size} nodes, {number + 1}")
        untraced += job_seconds(cluster, [f"-N{size}"], 1)
        traced += job_seconds(cluster, [f"-N{size}", COMMENT], 1)
    added = (undisturbed(traced) - undisturbed(untraced)) * 1e3
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    note = f"the best tenth of {times}: {undisturbed(untraced) * 1e3:.0f} and {undisturbed(traced) * 1e3:.0f} ms"
    note += f"; {load:.1f} processes for each processor of this machine"
    return [Figure(f"traced `srun -N{size} true`: added to an untraced one", added, "ms", most=300, note=note)]


def stop_cost(cluster: Cluster, times: int) -> list[Figure]:
    """`datacrumbs_node stop` with a thousand functions attached."""
    login = cluster.login
    (cluster.home("alice") / "crypto.yaml").write_text(FUNCTIONS)
    said = login.run("datacrumbs_probe_configurator", "crypto.yaml", "crypto.json.gz", user="alice")
    seconds = []
    for number in range(times):
        say(f"stop with many functions attached, {number + 1}")
        text = metadata("/shared/home/alice/crypto.json.gz")
        arguments = ["--job", f"stop{number}", "--user", "alice"]
        answer = login.run("datacrumbs_node", "start", *arguments, input=text).stdout
        if answer != "ready\n":
            return [Figure("stop with 1,000 functions attached", None, "s", most=0.5, note=answer.strip())]
        start = time.monotonic()
        login.run("datacrumbs_node", "stop", "--job", f"stop{number}")
        seconds.append(time.monotonic() - start)
    note = f"the best tenth of {times}; {' '.join((said.stdout + said.stderr).split())[:120]}"
    return [Figure("stop with 1,000 functions attached", undisturbed(seconds), "s", most=0.5, note=note)]


def burst(cluster: Cluster) -> list[Figure]:
    """Many jobs at once, each on two nodes: every trace must be exact, and nothing may be left.

    A node's 16 processors take four jobs at a time, so that 16 of the 50 run at once, and the rest as those end.
    """
    cluster.configure(plugstack=PLUGIN)
    for node in cluster.nodes:
        node.run("tee", "/etc/datacrumbs/datacrumbs.yaml", input=f"start_seconds: {START_SECONDS}\n")
    slurm = Slurm(cluster)
    for folder in ("burst", *(f"burst/{number}" for number in range(2 * BURST_JOBS))):
        (cluster.shared / folder).mkdir()
        (cluster.shared / folder).chmod(0o777)
    say(f"{BURST_JOBS} jobs on {BURST_NODES} nodes")
    start = time.monotonic()
    command = "burst/$((SLURM_PROCID + {first}))"
    jobs = [
        slurm.submit(f"srun {task(command.format(first=2 * number))}; exit 7", "-N2", "--cpus-per-task=4", COMMENT)
        for number in range(BURST_JOBS)
    ]
    codes = [job.wait().exit_code for job in jobs]
    seconds = time.monotonic() - start
    for job in jobs:
        ran = tasks(job.out())
        assert len(ran) == 2, (job.id, job.out(), job.said())
        check_exact(job, "burst", ran)
    slurm.nothing_is_left()
    wrong = sum(code != 7 for code in codes)
    note = f"{BURST_NODES} nodes, two for each job; every trace exact, nothing left; {seconds:.0f} s in all"
    return [Figure(f"burst of {BURST_JOBS} jobs: jobs with another exit code than their own", wrong, most=0, note=note)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", action="append", choices=["latency", "burst"], help="measure this part")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    found: list[Figure] = []
    try:
        if not options.only or "latency" in options.only:
            with opened(ROOT, count=3) as cluster:
                prepare(cluster)
                found += plugin_cost(cluster, 2 if options.quick else 8)
                cluster.configure(plugstack=PLUGIN)
                for size in (1, 3):
                    found += trace_cost(cluster, size, 5 if options.quick else 15)
                found += stop_cost(cluster, 3 if options.quick else 9)
        if not options.only or "burst" in options.only:
            with opened(ROOT, count=BURST_NODES) as cluster:
                prepare(cluster)
                found += burst(cluster)
    except LackError as error:
        say(f"no nodes can be had: {error}")
        return 69
    figures.show(found)
    if options.json:
        figures.write_json(options.json, found)
    return 1 if any(figure.failed for figure in found) else 0


if __name__ == "__main__":
    sys.exit(main())
