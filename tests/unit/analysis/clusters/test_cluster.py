"""An answer that a Dask cluster makes is the one that this machine makes; what can go wrong there is told in a line."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from datacrumbs.analysis.clusters.cluster_sums import read_share
from datacrumbs.analysis.explaining.explain import explain
from datacrumbs.analysis.explaining.parted import opened
from tracegen import EPOCH_NS, Process, TraceWriter, synthetic

ROOT = Path(__file__).resolve().parents[4]
PATIENCE = 100
"""Seconds that processes may take for anything."""

pytestmark = pytest.mark.timeout(300)


@dataclass
class Cluster:
    """A scheduler and its workers: processes of their own, as on a cluster."""

    address: str
    workers: list[subprocess.Popen[bytes]]

    def ask(self, code: str) -> str:
        """What a client prints that has the scheduler as `state`."""
        script = f"import distributed\nwith distributed.Client({self.address!r}) as client:\n"
        script += f"    print(client.run_on_scheduler(lambda dask_scheduler: {code}))"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE)
        return done.stdout.strip()

    def wait(self, code: str) -> None:
        """Waits until that is true."""
        deadline = time.monotonic() + PATIENCE
        while self.ask(code) != "True":
            assert time.monotonic() < deadline, f"never: {code}"
            time.sleep(0.1)


@contextmanager
def running(folder: Path, workers: int) -> Iterator[Cluster]:
    """Starts a cluster and ends it."""
    file = folder / "scheduler.json"
    log = (folder / "cluster.log").open("wb")

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *arguments, "--scheduler-file", str(file)]
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    module = "distributed.cli.dask_{}"
    processes = [start(module.format("scheduler"), "--host", "127.0.0.1", "--port", "0", "--no-dashboard")]
    try:
        deadline = time.monotonic() + PATIENCE
        while not file.exists() or not file.read_text().strip():
            assert time.monotonic() < deadline and processes[0].poll() is None, (folder / "cluster.log").read_text()
            time.sleep(0.05)
        for number in range(workers):
            name = f"worker{number}"
            processes.append(
                start(module.format("worker"), "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name)
            )
        cluster = Cluster(json.loads(file.read_text())["address"], processes[1:])
        cluster.wait(f"len(dask_scheduler.workers) == {workers}")
        yield cluster
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()
        log.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trace that is read in several ranges."""
    path = tmp_path_factory.mktemp("large") / "large.pfw.gz"
    synthetic(path, 450_000, host="node9", seed=9)
    assert path.stat().st_size > 8 << 20
    return path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("cluster"), 2) as two:
        yield two


def command(*arguments: str | Path) -> list[str | Path]:
    """datacrumbs_analyze as it is typed."""
    return [sys.executable, "-c", "from datacrumbs.analysis.command import main; raise SystemExit(main())", *arguments]


def analyze(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=PATIENCE, **options)  # type: ignore[call-overload,no-any-return]


def assert_same(cluster: Cluster, *traces: Path, question: Sequence[str] = ("summary",)) -> None:
    """The same JSON, to the byte, and something in it."""
    here = analyze(*question, "--json", *traces)
    there = analyze(*question, "--json", "--scheduler", cluster.address, *traces)
    assert (there.returncode, there.stderr) == (here.returncode, here.stderr) == (0, "")
    assert there.stdout == here.stdout and '"calls"' in here.stdout


def test_many_nodes_and_a_large_trace_in_ranges(cluster: Cluster, large: Path, tmp_path: Path) -> None:
    for node in range(3):
        synthetic(tmp_path / f"node{node}.pfw.gz", 20_000, host=f"node{node}", seed=node)
    assert_same(cluster, tmp_path, large)


def test_every_member_is_read_once_however_short_the_ranges_are(tmp_path: Path) -> None:
    """Also where most of them have no member's beginning."""
    path = tmp_path / "t.pfw.gz"
    synthetic(path, 30_000)
    size = path.stat().st_size
    cuts = [*range(0, size, 7_001), size]
    shares = [read_share(path, 0, *ends, size) for ends in itertools.pairwise(cuts)]
    events = [share.kept.partial.sums.events for share in shares]
    lines = b"".join(line for share in shares for line in share.told.lines)
    whole = read_share(path, 0, 0, size, size)
    assert sum(events) == 30_000 and events.count(0) > len(events) / 2
    assert sorted(lines.splitlines()) == sorted(b"".join(whole.told.lines).splitlines())


def test_real_and_foreign_traces(cluster: Cluster, tmp_path: Path) -> None:
    """The golden traces, one compressed and one not, regions of a program, profiles, and lines of an unusual form."""
    golden = ROOT / "tests" / "golden"
    (tmp_path / "plain.pfw").write_bytes((golden / "example.pfw").read_bytes())
    (tmp_path / "packed.pfw.gz").write_bytes(gzip.compress((golden / "trace.pfw").read_bytes()))
    with TraceWriter(tmp_path / "odd.pfw.gz", host="odd") as trace:
        worker = trace.process(5, "worker")
        for number in range(300):
            at = EPOCH_NS + 10_000 * number
            trace.call(worker, "read", at, 4000, ret=10, fname="caf\u00e9", extra={"deep": [1]})
            trace.call(worker, "epoch", at, 9000, cat="COMPUTE")
            trace.call(worker, "read", at, 4000, ret=10, fname="/data/a", count=number)
    assert_same(cluster, tmp_path)


def test_lives_of_a_process_id_in_many_ranges(cluster: Cluster, large: Path, tmp_path: Path) -> None:
    """The large trace once more, on the same node and with the same ids, after its processes have ended."""
    with TraceWriter(tmp_path / "end.pfw.gz", host="node9") as trace:
        for pid in range(2000, 2800, 100):
            trace.exit(Process(pid, ""), EPOCH_NS + 200_000_000, exit=0)
            trace.process(pid, "again", start_ns=EPOCH_NS + 200_000_000)
    assert_same(cluster, large, tmp_path)
    rows = json.loads(analyze("summary", "--json", large, tmp_path).stdout)["processes"]
    assert sorted((row["pid"], row["life"]) for row in rows) == [
        (pid, life) for pid in range(2000, 2800, 100) for life in (0, 1)
    ]


def test_damaged_cut_and_hostile_traces(cluster: Cluster, tmp_path: Path) -> None:
    """What could not be read is told in the same words."""
    for name in ("damaged", "cut"):
        with TraceWriter(tmp_path / f"{name}.pfw.gz", host=name, member_bytes=30_000) as trace:
            worker = trace.process(5, "worker")
            for number in range(2000):
                trace.call(worker, "read", EPOCH_NS + 5000 * number, 4000, ret=number)
    data = bytearray((tmp_path / "damaged.pfw.gz").read_bytes())
    data[len(data) // 2] ^= 0x55
    (tmp_path / "damaged.pfw.gz").write_bytes(data)
    os.truncate(tmp_path / "cut.pfw.gz", (tmp_path / "cut.pfw.gz").stat().st_size - 300)
    (tmp_path / "noise.pfw.gz").write_bytes(b"\x1f\x8b\x08" + bytes(range(256)) * 400)
    (tmp_path / "empty.pfw").write_bytes(b"")
    (tmp_path / "hostile.pfw").write_bytes(b'{"name":\n\0\0\n[[[\n{"name":"a","ph":"X","ts":1e300}\n' * 50)
    assert_same(cluster, tmp_path)


@pytest.mark.parametrize("question", [["summary"], ["explain", "read"]], ids=" ".join)
def test_a_worker_that_is_killed_costs_time_and_nothing_else(large: Path, tmp_path: Path, question: list[str]) -> None:
    (tmp_path / "nodes").mkdir()
    traces = nodes(tmp_path / "nodes"), large
    expected = analyze(*question, "--json", *traces).stdout
    with running(tmp_path, 2) as cluster:
        cluster.workers[0].send_signal(signal.SIGSTOP)
        arguments = command(*question, "--json", "--scheduler", cluster.address, *traces)
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
            cluster.wait("any(w.name == 'worker0' and len(w.processing) > 0 for w in dask_scheduler.workers.values())")
            cluster.workers[0].kill()
            out, errors = client.communicate(timeout=PATIENCE)
    assert (client.returncode, errors) == (0, "")
    assert out == expected


def nodes(folder: Path) -> Path:
    """Three nodes, of which the first has two traces: with requests at the device, unusual calls, and profiles."""
    for number in range(4):
        host = f"node{max(1, number)}"
        with TraceWriter(folder / f"t{number}.pfw.gz", host=host, run_id=f"run{number}") as trace:
            trace.opening()
            worker, file = trace.process(5, f"rank{number}"), trace.file(f"/data/{host}")
            for call in range(300):
                at, cold = EPOCH_NS + 1_000_000 * call + 7000 * number, (call + number) % 10 == 0
                if cold:
                    trace.call(worker, "block_rq", at + 3000, 400_000, cat="block", tid=10_000_000, cause="request",
                               thread=5, fhash=file, bytes=4096)  # fmt: skip
                trace.call(worker, "read", at, 500_000 if cold else 9000 + number, ret=4096, fhash=file)
                if number == 3:
                    trace.call(worker, "epoch", at, 600_000, cat="COMPUTE", fname="/caf\u00e9", deep=[1])
            if number == 2:
                trace.added_up(worker, "fsync", EPOCH_NS - 500_000_000, {5000: 7}, fhash=file, errors=1)
                trace.added_up(worker, "read", EPOCH_NS + 9_000_000, {2000: 70}, fhash=file, moved=70)
            trace.closing(ended=EPOCH_NS // 1000 + 400_000)
    return folder


@pytest.mark.parametrize(
    "question",
    [
        ["explain", "read"],
        ["explain", "read", "--slowest", "60", "--file", "node1"],
        ["explain", "epoch", "--host", "node3", "--time", "0.51:0.7"],
        ["explain", "read", "--process", "rank2"],
        ["explain", "fsync"],
        ["compare", "--function", "read"],
        ["compare", "--a", "host=node1", "--b", "host=node2"],
        ["compare", "--a", "time=0.5:0.6", "--b", "time=0.6:0.7", "--b", "file=*node*", "--function", "read"],
    ],
    ids=" ".join,
)
def test_questions_about_single_calls(cluster: Cluster, tmp_path: Path, question: list[str]) -> None:
    """Times are since the first call of all nodes, which here was only added up, on one of them."""
    assert_same(cluster, nodes(tmp_path), question=question)


def test_two_sets_of_traces(cluster: Cluster, tmp_path: Path, large: Path) -> None:
    (tmp_path / "nodes").mkdir()
    assert_same(cluster, nodes(tmp_path / "nodes"), large, question=["compare"])


def test_golden_traces_explained(cluster: Cluster, tmp_path: Path) -> None:
    """One of this project, plain, and copies of one that names no host: each is a node of its own."""
    golden = ROOT / "tests" / "golden"
    (tmp_path / "plain.pfw").write_bytes((golden / "example.pfw").read_bytes())
    for number in range(3):
        lines = (golden / "trace.pfw").read_bytes().replace(b'"hhash"', b'"nohash"').splitlines(keepends=True)
        (tmp_path / f"{number}.pfw.gz").write_bytes(gzip.compress(b"".join(x for x in lines if b'"HH"' not in x)))
    assert_same(cluster, tmp_path, question=["explain", "write"])


def test_a_node_that_cannot_be_told_by_the_first_lines_is_one_all_the_same(cluster: Cluster, tmp_path: Path) -> None:
    """A process whose calls are in two files, of which one does not say where it is from before its calls do."""
    for number in range(2):
        with TraceWriter(tmp_path / f"t{number}.pfw", host="node1", plain=True) as trace:
            worker = trace.process(5, "worker")
            for call in range(100):
                at = EPOCH_NS + 10_000 * call
                trace.call(
                    worker, ("outer", "inner")[number], at + 100 * number, 5000 - 1000 * number, cat="C", ts_ns=0
                )
    second = tmp_path / "t1.pfw"
    second.write_bytes(b"".join(line for line in second.read_bytes().splitlines(keepends=True) if b'"HH"' not in line))
    assert_same(cluster, tmp_path, question=["explain", "outer"])
    assert '"inner"' in analyze("explain", "outer", "--json", tmp_path).stdout


@pytest.mark.parametrize(
    "question", [["explain", "raed"], ["explain", "read", "--process", "none"], ["compare", "--function", "none"]]
)  # fmt: skip
def test_what_no_node_has_is_told_once(cluster: Cluster, tmp_path: Path, question: list[str]) -> None:
    here = analyze(*question, nodes(tmp_path))
    there = analyze(*question, "--scheduler", cluster.address, tmp_path)
    assert (there.returncode, there.stderr) == (here.returncode, here.stderr) and there.stderr.count("\n") == 1


def test_a_worker_that_dies_between_two_questions_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    with running(tmp_path, 2) as two, opened([str(nodes(tmp_path / "nodes"))], two.address) as parted:
        before = explain(parted, "read")
        two.workers[0].kill()
        assert explain(parted, "read") == before and before.spread.calls == 1200


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("tcp://127.0.0.1:1", 69, "no Dask scheduler answers at tcp://127.0.0.1:1"),
        ("nonsense://x", 64, "is not the address of a Dask scheduler"),
        ("tcp://127.0.0.1:port", 64, "is not the address of a Dask scheduler"),
    ],
)
def test_a_scheduler_that_is_not_there_is_told_in_a_line(tmp_path: Path, address: str, code: int, message: str) -> None:
    synthetic(tmp_path / "t.pfw.gz", 10)
    done = analyze("summary", "--scheduler", address, tmp_path)
    assert done.returncode == code and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_trace_that_only_the_client_has_is_told_in_a_line(cluster: Cluster, tmp_path: Path) -> None:
    """Workers look for the same absolute name, which here means something else to them."""
    gone = tmp_path / "gone.pfw.gz"
    synthetic(gone, 10)
    link = tmp_path / "link.pfw.gz"
    link.symlink_to("/proc/self/fd/0")
    with gone.open("rb") as here:
        done = analyze("summary", "--scheduler", cluster.address, link, stdin=here)
    assert done.returncode == 66 and done.stderr.count("\n") == 1, done.stderr


def test_without_dask_the_way_to_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "distributed.py").write_text("raise ImportError('none')")
    synthetic(tmp_path / "t.pfw.gz", 10)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = analyze("summary", "--scheduler", "tcp://x:1", tmp_path, env=environment)
    assert done.returncode == 69 and "pip install 'datacrumbs[dask]'" in done.stderr and done.stderr.count("\n") == 1
