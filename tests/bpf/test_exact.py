"""Every call is in the trace once, with its process, thread, paths, arguments and result: no more and no less."""

from __future__ import annotations

import itertools
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calls import below, by_thread, path_work, pipe_work, said, seen, work
from datacrumbs.core.runid import fnv1a
from tracing import BIN, Run

pytestmark = pytest.mark.ebpf


def check(run: Run, output: str, folder: Path, workers: int) -> None:
    """The trace holds what the workers said they would do below the folder, thread by thread, and no loss."""
    assert run.stop() == 0, run.output
    expected = said(output)
    assert len(output.splitlines()) == workers
    actual = by_thread(below(run.events(), folder))
    assert actual.keys() == expected.keys()
    for thread, calls in expected.items():
        assert actual[thread] == calls
    assert run.closing()["lost"] == run.closing()["unnamed"] == run.closing()["unwritten"] == 0


@pytest.mark.parametrize(
    ("mode", "workers"),
    [
        ("direct", 1),
        ("fork", 4),
        ("orphan", 1),
        ("exec", 1),
        ("spawn", 1),
        ("vfork", 1),
        ("threads", 3),
        ("thread-exec", 1),
    ],
)
@pytest.mark.parametrize("build", [(), ("-static",)], ids=["dynamic", "static"])
def test_calls_are_exact_from(
    run: Run, compiled: Callable[..., Path], folder: Path, mode: str, workers: int, build: tuple[str, ...]
) -> None:
    """Every way to become a process or a thread is followed, and each worker's calls are exact."""
    program = compiled("calls", *build)
    where = folder / "0" if workers == 1 else folder
    command = [program, mode, where]
    done = run.command(command)  # until its output ends, which an orphan does after its parents
    check(run, done.stdout, folder, workers)


CROWD = """
for i in $(seq 500); do sleep 60 & done
for i in $(seq 40); do "$1" fork "$2/$i"; done
kill $(jobs -p)
"""


def test_a_crowd(run: Run, calls: Path, folder: Path) -> None:
    """Hundreds of processes at once, of which some share a place in the kernel's table of tags, are each exact."""
    for team in range(1, 41):
        for worker in range(4):
            (folder / str(team) / str(worker)).mkdir(parents=True)
    done = run.command(["bash", "-c", CROWD, "bash", calls, folder])
    check(run, done.stdout, folder, 160)


def test_raw_system_calls(run: Run, compiled: Callable[..., Path], folder: Path) -> None:
    """Calls made with syscall(2), past the C library, are exact."""
    done = run.command([compiled("calls", "-DRAW"), "fork", folder])
    check(run, done.stdout, folder, 4)


def test_threads_that_were_there_before_the_tag(run: Run, calls: Path, folder: Path) -> None:
    """A process that tags itself is followed with all its threads, from the tag until it ends it."""
    done = subprocess.run(
        [calls, "threads", folder, str(fnv1a(run.run_id.encode()))],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    inside = [line for line in done.stdout.splitlines() if not line.endswith("/3")]
    check(run, "\n".join(inside), folder, 3)


def test_killed_process(run: Run, calls: Path, folder: Path) -> None:
    """All that a process did before SIGKILL is there, and its end with the signal's number."""
    done = run.command([calls, "killed", folder / "0"], check=False)
    assert done.returncode == -signal.SIGKILL
    check(run, done.stdout, folder, 1)
    pid = int(done.stdout.split()[0])
    (end,) = (e for e in run.events("dftracer") if e["name"] == "end" and e["pid"] == pid)
    assert end["args"]["signal"] == signal.SIGKILL
    assert "exit" not in end["args"]


def test_tracked_program(run: Run, site: object, calls: Path, folder: Path) -> None:
    """A program patched by datacrumbs_track is followed without datacrumbs_wrap."""
    copy = folder / "tracked"
    copy.write_bytes(calls.read_bytes())
    copy.chmod(0o755)
    subprocess.run([BIN / "datacrumbs_track", "--executable", copy], check=True, capture_output=True)
    environment = {"DATACRUMBS_RUN_DIR": str(run.run_dir), "DATACRUMBS_RUN_ID": run.run_id, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [copy, "fork", folder], env=environment, check=True, capture_output=True, text=True, timeout=60
    )
    assert run.stop() == 0
    events = [e for e in below(run.events(), folder) if e["path"] != str(copy)]
    assert by_thread(events) == said(done.stdout)


@pytest.fixture(params=["as is", "overlay"])
def work_in(request: pytest.FixtureRequest, folder: Path) -> Iterator[Path]:
    """A folder on the machine's own file system, and one on overlayfs, which gives inode numbers again at once."""
    if request.param == "as is":
        yield folder / "0"
        return
    places = dict(zip(("lowerdir", "upperdir", "workdir"), (folder / str(i) for i in range(3)), strict=True))
    options = ",".join(f"{name}={place}" for name, place in places.items())
    command = ["mount", "-t", "overlay", "overlay", "-o", options, folder / "3"]
    if subprocess.run(command, stderr=subprocess.PIPE).returncode:
        pytest.skip("this file system cannot be an overlay's upper layer, as when it is one itself: tested as it is")
    try:
        yield folder / "3"
    finally:
        subprocess.run(["umount", folder / "3"], check=True)


def test_all_ways_to_name_a_file(run: Run, compiled: Callable[..., Path], work_in: Path) -> None:
    """Relative paths, descriptors of folders, redirection, inherited descriptors, renamed and linked files, pipes."""
    (work_in / "in").write_text("abc")
    with (work_in / "in").open() as stdin:
        done = run.command([compiled("paths"), work_in], stdin=stdin)
    assert run.stop() == 0
    events = run.events()
    assert [seen(e) for e in below(events, work_in)] == path_work(work_in)
    pipe = pipe_work(int(done.stdout))
    assert [seen(e) for e in events if e["path"] == pipe[0][1]] == pipe


def test_descriptors_are_told_exactly(run: Run, calls: Path, folder: Path) -> None:
    """The return value of open and dup is the descriptor: in a process of its own they are the lowest free numbers."""
    run.command([calls, "direct", folder / "0"])
    assert run.stop() == 0
    events = [e for e in below(run.events(), folder) if e["name"] in ("open64", "dup")]
    assert [e["args"]["ret"] for e in events] == [3, 4, -2, 3, 4, 3]


def test_times(run: Run, calls: Path, folder: Path) -> None:
    """Calls of a thread do not overlap, and `dur` is the whole microseconds between the two ends."""
    run.command([calls, "direct", folder / "0"])
    assert run.stop() == 0
    events = below(run.events(), folder)
    for one, following in itertools.pairwise(events):
        assert one["ts"] + one["dur"] <= following["ts"]
    for event in events:
        assert event["args"]["dur_ns"] // 1000 <= event["dur"] <= event["args"]["dur_ns"] // 1000 + 1


MOVED_ROOT = """
set -e
mount -t tmpfs none "$1"
mkdir "$1/old" "$1/apart"
cp "$2" "$1/calls"
cd "$1"
pivot_root . old
exec /calls direct /apart
"""


def test_another_mount_namespace(run: Run, compiled: Callable[..., Path], folder: Path) -> None:
    """A program in a mount namespace with a root of its own, without any file of the host's, is followed; paths are
    those that the program itself sees.
    """
    program = compiled("calls", "-static")
    root = folder / "root"
    root.mkdir()
    done = run.command(["unshare", "--mount", "sh", "-c", MOVED_ROOT, "sh", root, program])
    check(run, done.stdout, Path("/apart"), 1)


def test_changed_root(run: Run, compiled: Callable[..., Path], folder: Path) -> None:
    """After chroot(2) paths are still those of the mount namespace: a file has one name, whoever uses it."""
    program = folder / "jail" / "calls"
    (program.parent / "work").mkdir(parents=True)
    program.write_bytes(compiled("calls", "-static").read_bytes())
    program.chmod(0o755)
    done = run.command(["chroot", program.parent, "/calls", "direct", "/work"])
    output = done.stdout.replace(" /work", f" {program.parent}/work")
    check(run, output, program.parent / "work", 1)
    (jump,) = (e for e in run.events() if e["name"] == "chroot")
    assert jump["path"] == str(program.parent)


def test_bind_mounts(run: Run, calls: Path, folder: Path) -> None:
    """A file reached through a bind mount has the path that it was opened by."""
    script = 'mount --bind "$1" "$2"; exec "$3" --run-id "$5" "$4" direct "$2"'
    wrap = BIN / "datacrumbs_wrap"
    command = ["unshare", "--mount", "sh", "-ec", script, "sh", folder / "0", folder / "1", wrap, calls, run.run_id]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    check(run, done.stdout, folder / "1", 1)


def test_another_pid_namespace(run: Run, calls: Path, folder: Path) -> None:
    """A process that is number 1 of its own pid namespace has, in the trace, the number of the runtime's."""
    done = run.command(["unshare", "--pid", "--fork", calls, "direct", folder / "0"])
    assert done.stdout.split()[:2] == ["1", "1"]
    assert run.stop() == 0
    ((thread, events),) = by_thread(below(run.events(), folder)).items()
    assert events == work(folder / "0")
    starts = {e["pid"]: e["args"]["ppid"] for e in run.events("dftracer") if e["name"] == "start"}
    assert thread[0] == thread[1] > 1
    assert starts[thread[0]] in starts  # its parent is the unshare that was tagged
