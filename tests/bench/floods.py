"""Nothing is lost under floods, what an event takes in the trace, and what the runtime takes in memory."""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench import Bench, BenchError, measured, say, slowness
from figures import Figure

WRITERS = 2
EVENTS = 400_000
RATE = 2_000_000
_SECONDS = 5
_MIXED_FOLDERS = ("/usr/share/doc", "/usr/share/zoneinfo", "/usr/lib/python3", "/etc")


@dataclass(frozen=True, slots=True)
class Flood:
    """What a flood of calls came to."""

    made: int
    seconds: float
    in_trace: int
    lost: int
    bytes_per_event: float
    memory: dict[str, float]

    @property
    def missing(self) -> int:
        """Calls that are not in the trace, counted as lost or not."""
        return self.made - self.in_trace


def measure(bench: Bench) -> list[Figure]:
    """Two writers at full speed, two paced to 2 million calls a second, and a real program."""
    say(f"{WRITERS} writers with {EVENTS:,} events each")
    burst = _flood(bench, "burst", "block", EVENTS, 0)
    seconds = 2 if bench.quick else _SECONDS
    say(f"{RATE:,} events/s for {seconds} s")
    paced = _flood(bench, "paced", "lseek", RATE * seconds // WRITERS, RATE // WRITERS)
    say("a real program: tar")
    mixed_bytes, mixed_events = _mixed(bench)
    with measured(bench.percall) as plain:
        pace = slowness(min(plain.cost("getppid", 2_000) for _ in range(5)))
    reached = paced.made / paced.seconds
    rate_note = f"{paced.made:,} calls in {paced.seconds:.2f} s: {reached / 1e6:.2f} M/s"
    return [
        Figure(f"{WRITERS} writers, {EVENTS:,} events each: missing", burst.missing, most=0, note=_speed(burst)),
        Figure(f"2 M events/s for {seconds} s: missing", paced.missing, most=0, note=f"{paced.lost:,} counted as lost"),
        Figure("  rate reached", reached / 1e6, "M/s", least=1.95 / pace, note=rate_note),
        Figure("trace per event, flood of pread at many offsets", burst.bytes_per_event, "bytes", most=12),
        Figure("  lseek at 2 M/s", paced.bytes_per_event, "bytes"),
        Figure(
            "  tar of a documentation tree",
            mixed_bytes,
            "bytes",
            note=f"{mixed_events:,} events",
        ),
        Figure(
            "runtime memory besides its ring, after the flood",
            sum(paced.memory.values()),
            "MB",
            most=60,
            note=_split(paced),
        ),
    ]


def _speed(flood: Flood) -> str:
    return f"{flood.made / flood.seconds / 1e6:.2f} M/s; {flood.lost:,} counted as lost"


def _split(flood: Flood) -> str:
    return ", ".join(f"{name} {value:.1f}" for name, value in flood.memory.items())


def _flood(bench: Bench, run_id: str, call: str, events: int, rate: int) -> Flood:
    probes = bench.site.sign_syscalls()
    command = [bench.flood, call, str(WRITERS), str(events), str(rate), bench.file]
    with bench.site.run(probes, run_id, "--quiet") as run:
        seconds = float(run.command(command).stdout)
        # What is in the ring still counts: the memory is that of a runtime which has taken it.
        time.sleep(1)
        memory = memory_of(run.process.pid)
    name = "lseek" if call == "lseek" else "pread64"
    closing = closing_of(run.trace)
    # The loader of the wrapped program makes a few calls of the same name before the flood: on other files.
    in_trace = count_calls(run.trace, name, str(bench.file))
    size = run.trace.stat().st_size / max(1, closing["captured"])
    run.trace.unlink()
    return Flood(WRITERS * events, seconds, in_trace, closing["lost"], size, memory)


def _mixed(bench: Bench) -> tuple[float | None, int]:
    folders = [name for name in _MIXED_FOLDERS if Path(name).is_dir()]
    with bench.site.run(bench.site.sign_syscalls(), "mixed", "--quiet") as run:
        run.command(["sh", "-c", 'tar -cf - "$@" 2>/dev/null | cat >/dev/null', "sh", *folders])
    closing = closing_of(run.trace)
    return (run.trace.stat().st_size / closing["captured"] if closing["captured"] else None), closing["captured"]


def _unpacked(trace: Path, *command: str) -> str:
    with subprocess.Popen(["gzip", "-dc", str(trace)], stdout=subprocess.PIPE) as unpack:
        done = subprocess.run(command, stdin=unpack.stdout, capture_output=True, text=True, check=False)
    return done.stdout


def closing_of(trace: Path) -> dict[str, int]:
    """The arguments of the closing record."""
    lines = _unpacked(trace, "tail", "-n", "1")
    arguments = json.loads(lines)["args"]
    if arguments.get("name") != "end":
        raise BenchError(f"{trace} has no closing record")
    return dict(arguments)


def count_calls(trace: Path, name: str, path: str) -> int:
    """Calls of one name on one file, counted in the trace itself and not taken from the runtime."""
    line = _unpacked(trace, "grep", "-m", "1", "-F", f'"name":"{path}"')
    value = re.search(r'"value":"([0-9a-f]+)"', line)
    if not value:
        return 0
    pattern = f'^{{"name":"{name}".*"fhash":"{value.group(1)}"'
    return int(_unpacked(trace, "grep", "-c", "-a", pattern) or 0)


def memory_of(pid: int) -> dict[str, float]:
    """Memory of a runtime besides its ring, in MB: of the process (Rss), and the kernel's for its other BPF objects."""
    resident = ring = 0
    mapping_is_ring = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            mapping_is_ring = "bpf-map" in line or "bpf_ring" in line
        elif line.startswith("Rss:"):
            size = int(line.split()[1])
            ring += size if mapping_is_ring else 0
            resident += 0 if mapping_is_ring else size
    kernel = 0
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            fields = dict(x.split(":", 1) for x in info.read_text().splitlines() if ":" in x)
        except OSError:
            continue
        # 27: BPF_MAP_TYPE_RINGBUF (linux/bpf.h)
        if "memlock" in fields and fields.get("map_type", "").strip() != "27":
            kernel += int(fields["memlock"])
    return {"process": resident / 1024, "kernel tables": kernel / 1e6}
