"""Whatever happens to the runtime or to the traced program: nothing stays attached, nobody is disturbed."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calls import below, by_thread, said
from leaks import nothing_is_left, programs_of
from tracing import BIN, Run, Site, read_lines

pytestmark = pytest.mark.ebpf


@pytest.fixture
def writer(compiled: Callable[..., Path]) -> Path:
    """The program writer.c."""
    return compiled("writer")


def start_writer(run_dir: Path, run_id: str, *command: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [BIN / "datacrumbs_wrap", "--run-id", run_id, *command],
        env={"DATACRUMBS_RUN_DIR": str(run_dir)},
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    """The traced program ended as it should, without a word."""
    assert process.communicate(timeout=30)[1] == ""
    assert process.returncode == 0


def test_runtime_is_killed_while_it_starts(site: Site, probes: Path, calls: Path, folder: Path) -> None:
    """SIGKILL at random moments of the start leaves nothing in the kernel, and the same run id can be used again."""
    chance = random.Random(1)
    for _ in range(8):
        process = site.start(probes, "again")
        time.sleep(chance.uniform(0.05, 0.35))
        held = programs_of(process.pid)
        process.kill()
        process.wait(timeout=30)  # before its stdin ends
        process.communicate(timeout=30)
        nothing_is_left(*held)
    with site.run(probes, "again") as run:
        done = run.command([calls, "direct", folder / "0"])
    assert by_thread(below(run.events(), folder)) == said(done.stdout)


@pytest.mark.parametrize("seconds", [0.3, 1.35, 2.2])
def test_runtime_is_killed_while_programs_write(
    site: Site, probes: Path, writer: Path, folder: Path, seconds: float
) -> None:
    """SIGKILL in mid-run: the program goes on undisturbed, nothing stays attached, and the trace reads to within its
    last second (and what its writer needs, on a loaded machine, to notice that a second is over).
    """
    with site.run(probes, "killed") as run:
        process = start_writer(site.run_dir, "killed", writer, folder / "file", str(seconds + 0.7), "2000")
        time.sleep(seconds)
        held = programs_of(run.process.pid)
        assert len(held) >= 5
        killed = time.time()
        assert run.stop(signal.SIGKILL) == -signal.SIGKILL
        nothing_is_left(*held)
        finish(process)
    text = run.trace.read_bytes()
    if seconds < 1:
        return  # less than a second: it may be empty
    assert text
    last = max(line["ts"] for line in read_lines(run.trace) if line["ph"] == "X")
    assert killed - 2 < last / 1e6 <= killed


def test_stale_ready_file_of_a_killed_runtime(site: Site, probes: Path, calls: Path, folder: Path) -> None:
    """After SIGKILL datacrumbs_wrap does not believe the ready file that is left, and a new runtime takes it over."""
    with site.run(probes, "stale") as run:
        run.stop(signal.SIGKILL)
    assert (site.run_dir / "datacrumbs-stale.ready").exists()
    done = run.command([calls, "direct", folder / "0"])
    assert "running untraced" in done.stderr
    with site.run(probes, "stale") as run:
        assert run.command([calls, "direct", folder / "0"]).stderr == ""
    assert not (site.run_dir / "datacrumbs-stale.ready").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for very little."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_disk_full(small_disk: Path, writer: Path, folder: Path) -> None:
    """A full disk disturbs nobody: the runtime goes on, keeps whole lines only, and tells at its end how many are
    missing (exit code 73).
    """
    with Site(trace_dir=small_disk) as site:
        process = site.start(site.sign_syscalls(), "full")
        while not (site.run_dir / "datacrumbs-full.ready").exists():
            assert process.poll() is None
            time.sleep(0.02)
        for _ in range(2):  # again once the disk is full
            finish(start_writer(site.run_dir, "full", writer, folder / "file", "2.3", "8000"))
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=30)[1]
    assert process.returncode == 73
    assert "lines could not be written" in error
    assert "No space left on device" in error
    assert "Traceback" not in error
    (trace,) = small_disk.glob("*.pfw.gz")
    lines = read_lines(trace)
    assert sum(line["name"] == "pwrite64" for line in lines) > 1000
    subprocess.run(["gzip", "-t", trace], check=True)
    nothing_is_left()


def test_unwritable_trace_folder(tmp_path: Path) -> None:
    """A user who cannot write the trace folder gets one line that says so, exit code 73, and nothing attached."""
    tmp_path.chmod(0o755)
    with Site(trace_dir=tmp_path) as site:
        process = site.start(site.sign_syscalls(uid=65534), "unwritable", user="nobody")
        error = process.communicate(timeout=30)[1]
        assert list(site.run_dir.iterdir()) == []
    assert process.returncode == 73
    assert len(error.splitlines()) == 1
    assert "nobody cannot create the trace" in error
    nothing_is_left()


def test_second_runtime_with_the_same_run_id(site: Site, probes: Path, calls: Path, folder: Path) -> None:
    """The second one says that the id is taken, exit code 75; the first goes on."""
    with site.run(probes, "twice") as run:
        second = site.start(probes, "twice")
        error = second.communicate(timeout=30)[1]
        assert second.returncode == 75
        assert len(error.splitlines()) == 1
        assert "'twice' is active already" in error
        done = run.command([calls, "direct", folder / "0"])
    assert by_thread(below(run.events(), folder)) == said(done.stdout)


def test_target_dies_in_mid_call(run: Run) -> None:
    """A process killed inside read(2): the call is there as the kernel broke it off (ERESTARTSYS, which no program ever
    sees), and then the end.
    """
    with subprocess.Popen(
        [BIN / "datacrumbs_wrap", "--run-id", run.run_id, "cat"],
        env={"DATACRUMBS_RUN_DIR": str(run.run_dir)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        process.stdin.write(b"first\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"first\n"
        time.sleep(0.3)
        process.kill()
        process.wait(timeout=30)  # before its stdin ends
    assert run.stop() == 0
    last = [e for e in run.events() if e["pid"] == process.pid][-1]
    assert (last["name"], last["args"]["errno"]) == ("read", "ERESTARTSYS")
    assert last["path"].startswith("pipe:[")
    assert 0.2 < last["args"]["dur_ns"] / 1e9 < 5
    (end,) = (e for e in run.events("dftracer") if e["name"] == "end" and e["pid"] == process.pid)
    assert end["args"]["signal"] == signal.SIGKILL


@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,), (signal.SIGHUP,)])
def test_signals_end_the_run_in_order(
    site: Site, probes: Path, calls: Path, folder: Path, numbers: tuple[int, ...]
) -> None:
    """SIGINT (and again: an impatient Ctrl-C), SIGTERM and SIGHUP close the trace, while a program is still traced."""
    with site.run(probes, "ending") as run:
        held = programs_of(run.process.pid)
        done = run.command([calls, "direct", folder / "0"])
        with subprocess.Popen(
            [BIN / "datacrumbs_wrap", "--run-id", "ending", calls, "loop", folder / "1"],
            env={"DATACRUMBS_RUN_DIR": str(site.run_dir)}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        ) as loop:  # fmt: skip
            time.sleep(0.1)
            for number in numbers:
                run.process.send_signal(number)
            assert run.stop(numbers[-1]) == 0, run.output
            nothing_is_left(*held)
        assert loop.returncode == 0
    assert by_thread(below(run.events(), folder / "0")) == said(done.stdout)
    assert run.closing()["reason"] == signal.Signals(numbers[0]).name
    assert "Traceback" not in run.output
    assert list(site.run_dir.glob("datacrumbs-ending.*")) == []
