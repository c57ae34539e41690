"""A runtime, a signer's key and a trace for tests: everything is real, in folders of its own.

with Site() as site:
probes = site.sign(probe_set)                    # or site.sign_syscalls()
with site.run(probes, "myrun") as run:
run.trace_command(["dd", ...])               # under datacrumbs_wrap
events = run.events()
"""

from __future__ import annotations

import contextlib
import ctypes
import gzip
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datacrumbs.core import elf, envelope, keys, placement
from datacrumbs.core.probes import Binary, Capture, Function, Probe, ProbeSet, Syscall
from datacrumbs.core.syscalls import IO_CALLS, capture, trace_name
from elftools.elf.elffile import ELFFile
from system_calls import syscalls

BIN = Path(__file__).resolve().parents[2] / ".venv" / "bin"
READY_SECONDS = 90
STOP_SECONDS = 60


def syscall_probes(names: Sequence[str] = IO_CALLS, category: str = "POSIX") -> list[Probe]:
    """Probes on system calls, captured as the configurator would."""
    table = syscalls()
    known = [name for name in names if table.get(name, os.uname().machine) is not None and name in _numbers(table)]
    return [
        Probe(trace_name(name), category, "syscall", Syscall(name, table.get(name, os.uname().machine)), capture(name))
        for name in known
    ]


def _numbers(table: Any) -> set[str]:
    return set(table.load_arch_table(os.uname().machine) or {})


def function_probes(
    path: Path,
    names: Sequence[str],
    file: int = 0,
    category: str = "C",
    captures: Mapping[str, Capture] | None = None,
) -> list[Probe]:
    """Probes on functions of an ELF file, found in its symbol tables."""
    of = captures or {}
    image = elf.read(path)
    with path.open("rb") as stream:
        binary = ELFFile(stream)
        tables = [t for t in (binary.get_section_by_name(".symtab"), binary.get_section_by_name(".dynsym")) if t]
        symbols = {s.name: s["st_value"] for t in tables for s in t.iter_symbols() if s["st_value"]}
    offsets = {name: image.offset_of(symbols[name]) for name in names}
    starts = sorted(filter(None, (image.offset_of(address) for address in set(symbols.values()))))
    with path.open("rb") as stream:
        segments = placement.read_segments(stream.fileno(), image.code)
        skips = placement.skips(segments, [o for o in offsets.values() if o], starts, os.uname().machine)
    return [
        Probe(
            name,
            category,
            "uprobe",
            Function(file, offset or 0, name, skips.get(offset or 0, 0)),
            of.get(name, Capture()),
        )
        for name, offset in offsets.items()
    ]


def binary(path: Path) -> Binary:
    return Binary(str(path), elf.read(path).build_id)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a trace, also of one that still grows or was cut off."""
    data, text = path.read_bytes(), b""
    while data:
        unpacker = zlib.decompressobj(31)
        try:
            text += unpacker.decompress(data)
        except zlib.error:
            break
        if not unpacker.eof:
            break
        data = unpacker.unused_data
    lines = text.decode().splitlines()
    assert lines[:1] in ([], ["["])
    return [json.loads(line) for line in lines[1:]]


def events_of(lines: list[dict[str, Any]], category: str = "POSIX") -> list[dict[str, Any]]:
    """Events of a category among the lines of a trace, with `path` and `path2` beside their hashes."""
    names = {x["args"]["value"]: x["args"]["name"] for x in lines if x["name"] == "FH" and x["ph"] == "M"}
    events = [x for x in lines if x["ph"] == "X" and x["cat"] == category]
    for event in events:
        event["path"] = names.get(event["args"].get("fhash", ""))
        event["path2"] = names.get(event["args"].get("fhash2", ""))
    return events


@dataclass
class Run:
    """A runtime that is ready, and after the context: its trace and its last words."""

    run_id: str
    process: subprocess.Popen[str]
    trace: Path
    run_dir: Path
    output: str = ""
    _names: dict[str, str] = field(default_factory=dict)

    def command(self, command: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command under datacrumbs_wrap, for this run only."""
        environment = {**os.environ, "DATACRUMBS_RUN_DIR": str(self.run_dir), **options.pop("env", {})}
        return subprocess.run(
            [BIN / "datacrumbs_wrap", "--run-id", self.run_id, *command],
            env=environment,
            check=options.pop("check", True),
            text=True,
            capture_output=True,
            timeout=60,
            **options,
        )

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ends the runtime and waits for it; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.output += self.process.communicate(timeout=STOP_SECONDS)[1]
        return self.process.returncode

    def lines(self) -> list[dict[str, Any]]:
        return read_lines(self.trace)

    def events(self, category: str = "POSIX") -> list[dict[str, Any]]:
        """Events of a category, with `path` and `path2` beside their hashes."""
        return events_of(self.lines(), category)

    def closing(self) -> dict[str, Any]:
        """The arguments of the closing record."""
        last = self.lines()[-1]
        assert last["args"]["name"] == "end"
        return dict(last["args"])


class Site:
    """A machine's configuration in a folder that only root can write: keys, run directory, traces."""

    def __init__(self, **settings: object) -> None:
        self._settings = settings

    def __enter__(self) -> Site:
        # Not in /tmp: keys in a folder that others can write are refused.
        parent = Path("/var/lib/datacrumbs-tests")
        parent.mkdir(mode=0o755, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="site-", dir=parent))
        self.folder.chmod(0o755)
        self.keys_dir = self.folder / "keys.d"
        self.keys_dir.mkdir(mode=0o755)
        self.run_dir = self.folder / "run"
        self.run_dir.mkdir(mode=0o755)
        self.traces = self.folder / "traces"
        self.traces.mkdir(mode=0o777)
        self.traces.chmod(0o1777)
        self.key = keys.create_signing_key(self.folder / "signing.key")
        (self.keys_dir / "site.pub").write_bytes(keys.to_pem(self.key.public_key()))
        self.config = self.folder / "datacrumbs.yaml"
        settings = {
            "trace_dir": self.traces,
            "run_dir": self.run_dir,
            "keys_dir": self.keys_dir,
            **self._settings,
        }
        self.config.write_text("".join(f"{name}: {value}\n" for name, value in settings.items()))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def sign(
        self, probes: Sequence[Probe], files: Sequence[Binary] = (), *, uid: int = 0, seconds: int = 3600, **more: Any
    ) -> Path:
        """A signed probes file."""
        now = int(time.time())
        probe_set = ProbeSet(os.uname().machine, tuple(probes), tuple(files), **more)
        signed = envelope.Signed(uid, "tester", now, now + seconds, "test")
        path = self.folder / f"probes-{len(list(self.folder.glob('probes-*')))}.json.gz"
        path.write_bytes(envelope.seal(envelope.payload(signed, probe_set), self.key))
        return path

    def sign_syscalls(self, names: Sequence[str] = IO_CALLS, *, uid: int = 0) -> Path:
        return self.sign(syscall_probes(names), uid=uid)

    def start(
        self, probes: Path, run_id: str, *options: str, user: str = "root", stdout: int = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """Starts a runtime and does not wait for it."""
        command = [BIN / "datacrumbs", "--config", self.config, "--user", user, *options, probes, run_id]
        environment = {k: v for k, v in os.environ.items() if k not in ("SUDO_UID", "NOTIFY_SOCKET")}
        return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=stdout, text=True, env=environment)

    @contextlib.contextmanager
    def run(self, probes: Path, run_id: str, *options: str, user: str = "root") -> Iterator[Run]:
        """A runtime that is ready; it is ended with SIGINT at the end of the context."""
        process = self.start(probes, run_id, *options, user=user)
        try:
            ready = self._wait_ready(process, run_id)
            run = Run(run_id, process, Path(ready["trace"]), self.run_dir)
            yield run
            code = run.stop()
            assert code in (0, -signal.SIGKILL), run.output
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def _wait_ready(self, process: subprocess.Popen[str], run_id: str) -> dict[str, str]:
        path = self.run_dir / f"datacrumbs-{run_id}.ready"
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise AssertionError(process.communicate()[1])
            if path.exists():
                ready = dict(line.split("=", 1) for line in path.read_text().splitlines())
                if ready["pid"] == str(process.pid):  # not that of a runtime that was killed
                    return ready
            time.sleep(0.01)
        raise AssertionError("the runtime does not become ready")


def tag_self(run_id: str) -> None:
    """Tags the calling process as datacrumbs_wrap would."""
    from datacrumbs.core.runid import fnv1a

    ctypes.CDLL(None).prctl(0x64637262, 1, ctypes.c_ulong(fnv1a(run_id.encode())), 0, 0)


def unpacked_size(path: Path) -> int:
    with gzip.open(path) as stream:
        return sum(len(part) for part in iter(lambda: stream.read(1 << 20), b""))
