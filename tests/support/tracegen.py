"""Writes traces in the form that the runtime writes (docs/trace-format.md), with content that a test knows.

`TraceWriter` puts down one record at a time; `synthetic` fills a trace with millions of plausible calls, fast. As a
program it makes a trace to measure with:

    python tests/support/tracegen.py --events 10000000 /tmp/ten-million.pfw.gz
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from isal import igzip

EPOCH_NS: Final = 1_795_344_514_000_000_000
"""When generated traces begin, nanoseconds since 1970."""
MEMBER_BYTES: Final = 4 << 20
"""Size at which a gzip member is closed, before compression; the runtime's own is at most 16 MiB."""
GZIP: Final = 31
"""zlib's window bits for a gzip header and trailer."""

Record = dict[str, Any]


def name_hash(name: str) -> str:
    """A stand-in for the runtime's hash of a path or host: 16 hexadecimal digits."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def gzip_member(data: bytes, level: int = 1) -> bytes:
    """The bytes as one gzip member without name or time, so that equal traces are equal files."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, GZIP)
    return deflate.compress(data) + deflate.flush()


@dataclass(frozen=True, slots=True)
class Process:
    """A traced process: one thread unless a call says otherwise."""

    pid: int
    name: str


class TraceWriter:
    """One node's trace: a context manager that writes records and closes gzip members at line ends.

    Args:
        path: the file to write; gzip unless `plain`.
        host: the node's name.
        run_id: the run's id; `closing` repeats it.
        member_bytes: size at which a member is closed, before compression.
        plain: write JSON lines without compression.
    """

    def __init__(
        self, path: Path, *, host: str = "node1", run_id: str = "run", member_bytes: int = MEMBER_BYTES,
        plain: bool = False,
    ) -> None:  # fmt: skip
        self._file = path.open("wb")
        self._pack: Callable[[bytes], bytes] = bytes if plain else gzip_member
        self._member_bytes = member_bytes
        self._lines: list[bytes] = [b"["]
        self._size = 2
        self._host, self._hhash = host, name_hash(host)
        self._run_id = run_id
        self.events = 0
        self.json(self._metadata(1, "HH", name=host, value=self._hhash))

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_member()
        self._file.close()

    def line(self, line: bytes) -> None:
        """Writes one line as it is, which may be no JSON at all."""
        self._lines.append(line)
        self._size += len(line) + 1
        if self._size >= self._member_bytes:
            self.end_member()

    def json(self, record: Record) -> None:
        """Writes one record."""
        self.line(json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def end_member(self) -> None:
        """Closes the current gzip member, as the runtime does once a second."""
        if self._lines:
            self._file.write(self._pack(b"\n".join(self._lines) + b"\n"))
            self._lines.clear()
            self._size = 0

    def opening(self, *, started: int = EPOCH_NS // 1000, **members: Any) -> None:
        """The opening record: what the run was asked to do. `started` in microseconds since 1970."""
        values = {"version": "0.1.0", "user": "alice", "uid": 1000, "host": self._host, "started": started,
                  "probes": 17, "probe_file": "sha256:0", "min_duration_ns": 0, "refused_count": 0, "refused": [],
                  "excluded": []}  # fmt: skip
        self.json(self._metadata(1, "datacrumbs", name="run", value=self._run_id, **values | members))

    def closing(self, *, ended: int, **members: Any) -> None:
        """The closing record. `ended` in microseconds since 1970; `members` override those of a run without loss."""
        values = {"ended": ended, "captured": self.events, "lost": 0, "lost_by_function": {}, "missed_returns": 0,
                  "unnamed": 0, "unwritten": 0, "reason": "signal"}  # fmt: skip
        self.json(self._metadata(1, "datacrumbs", name="end", value=self._run_id, **values | members))

    def file(self, path: str, pid: int = 1000) -> str:
        """Names a file, which the process `pid` was the first to use, and returns its hash."""
        self.json(self._metadata(pid, "FH", name=path, value=name_hash(path)))
        return name_hash(path)

    def process(self, pid: int, name: str, *, ppid: int = 1, cmd: str = "", cwd: str = "/home/alice",
                start_ns: int = EPOCH_NS, kind: str = "start") -> Process:  # fmt: skip
        """A process joined the run, or began another program with `kind="exec"`."""
        self.json({"name": "process_name", "ph": "M", "pid": pid, "tid": pid, "args": {"name": name}})
        folder = self.file(cwd)
        self._event(kind, "dftracer", pid, pid, start_ns, 0, cwd=folder, ppid=ppid, comm=name, cmd=cmd or name)
        return Process(pid, name)

    def exit(self, process: Process, at_ns: int, **status: int) -> None:
        """A process ended: `exit=0` or `signal=9`."""
        self._event("end", "dftracer", process.pid, process.pid, at_ns, 0, **status)

    def call(self, process: Process, name: str, start_ns: int, duration_ns: int, *, tid: int = 0, cat: str = "POSIX",
             **args: Any) -> None:  # fmt: skip
        """One finished call; times in nanoseconds, `args` as in docs/trace-format.md."""
        self._event(name, cat, process.pid, tid or process.pid, start_ns, duration_ns, **args, dur_ns=duration_ns)
        self.events += 1

    def added_up(self, process: Process, name: str, start_ns: int, spread: dict[int, int], *, cat: str = "POSIX",
                 interval: int = 0, moved: int = 0, errors: int = 0, **args: Any) -> None:  # fmt: skip
        """A row of a profile. `spread` has how many calls took how many nanoseconds, all below 2^32."""
        calls, total = sum(spread.values()), sum(ns * number for ns, number in spread.items())
        powers: dict[str, int] = {}
        for ns, number in spread.items():
            power = str(max(0, ns.bit_length() - 1))
            powers[power] = powers.get(power, 0) + number
        profile = {"calls": calls, "errors": errors, "bytes": moved, "min_ns": min(spread), "max_ns": max(spread),
                   "interval": interval, "log2_ns": powers}  # fmt: skip
        self._event(name, cat, process.pid, 1 << 24, start_ns, total, **args, ret=moved, dur_ns=total, profile=profile)
        self.events += calls

    def _event(self, name: str, cat: str, pid: int, tid: int, start: int, duration: int, **args: Any) -> None:
        ts = start // 1000
        times = {"ts": ts, "dur": (start + duration) // 1000 - ts}
        ids = {"name": name, "cat": cat, "ph": "X", "pid": pid, "tid": tid}
        self.json(ids | times | {"args": {"hhash": self._hhash} | args})

    def _metadata(self, pid: int, record: str, **args: Any) -> Record:
        return {"name": record, "cat": "dftracer", "ph": "M", "pid": pid, "tid": pid, "args": args}


CALLS: Final = (
    # name, category, weight, bytes that it moves, typical duration in nanoseconds
    ("read", "POSIX", 40, 4096, 2_300),
    ("write", "POSIX", 30, 65_536, 9_000),
    ("pread64", "POSIX", 10, 1 << 20, 110_000),
    ("lseek", "POSIX", 8, 0, 240),
    ("open64", "POSIX", 4, 0, 3_800),
    ("close", "POSIX", 4, 0, 610),
    ("stat", "POSIX", 3, 0, 1_500),
    ("fsync", "POSIX", 1, 0, 4_000_000),
)


def synthetic(path: Path, events: int, *, processes: int = 8, threads: int = 2, files: int = 200, seed: int = 1,
              host: str = "node1") -> None:  # fmt: skip
    """Writes a whole trace of `events` plausible calls, the same for the same seed."""
    with TraceWriter(path, host=host) as trace:
        trace.opening()
        for number in range(processes):
            trace.process(2000 + 100 * number, f"worker{number}", cmd=f"./worker --rank {number}")
        paths = [
            trace.file(f"/scratch/alice/run/step{number // 10:03}/part-{number:05}.bin") for number in range(files)
        ]
        end = EPOCH_NS
        for at, line in _lines(random.Random(seed), events, processes, threads, paths, name_hash(host)):
            trace.line(line)
            end = at
        trace.events = events
        trace.closing(ended=end // 1000)


def repeated(path: Path, events: int, times: int) -> None:
    """Writes a trace that has `times` times the same calls, `events` in all, much faster than `synthetic` makes each.

    They are a hundred seconds apart: some digits of their begins tell them apart.
    """
    synthetic(path, events // times)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    calls = b"".join(line for line in lines if b'"dur_ns"' in line)
    with path.open("ab") as out:
        for number in range(1, times):
            begins = [b'"ts":%d' % (EPOCH_NS // 10**11 + shift) for shift in (0, number)]
            out.write(igzip.compress(calls.replace(*begins), 1))


def _lines(
    rng: random.Random, events: int, processes: int, threads: int, paths: list[str], hhash: str
) -> Iterator[tuple[int, bytes]]:
    """The calls, each with its end in nanoseconds: every thread has a clock of its own that never runs backwards."""
    kinds = rng.choices(CALLS, [weight for _, _, weight, _, _ in CALLS], k=4099)
    spread = [rng.lognormvariate(0, 0.6) for _ in range(8191)]
    tids = [(2000 + 100 * p, 2000 + 100 * p + t) for p in range(processes) for t in range(threads)]
    clocks = [EPOCH_NS + 1000 * n for n in range(len(tids))]
    now = EPOCH_NS
    for number in range(events):
        name, cat, _, size, typical = kinds[number % 4099]
        duration = int(typical * spread[number % 8191])
        thread = (number * 7 + number // 13) % len(tids)
        pid, tid = tids[thread]
        start = clocks[thread] + int(900 * spread[-number % 8191])
        now = clocks[thread] = start + duration
        ts = start // 1000
        moved = f',"count":{size}' if size else ""
        yield (
            now,
            (
                f'{{"name":"{name}","cat":"{cat}","ph":"X","pid":{pid},"tid":{tid},"ts":{ts},"dur":{now // 1000 - ts},'
                f'"args":{{"hhash":"{hhash}","fhash":"{paths[(number // 50 + thread) % len(paths)]}",'
                f'"ret":{size}{moved},"dur_ns":{duration}}}}}'
            ).encode(),
        )


def main() -> None:
    """Writes a synthetic trace."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--processes", type=int, default=8)
    options.add_argument("--files", type=int, default=200)
    options.add_argument("path", type=Path)
    chosen = options.parse_args()
    synthetic(chosen.path, chosen.events, processes=chosen.processes, files=chosen.files)


if __name__ == "__main__":
    main()
