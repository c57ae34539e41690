"""Profile mode: what is added up in the kernel is exactly what a trace would hold, whatever the load."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ftrace
import pytest
import readers
from calls import below
from profiles import by_name, rows, sums
from tracing import BIN, Run, Site, binary, function_probes, syscall_probes

pytestmark = pytest.mark.ebpf

FAST = 10_000_000
"""The shortest interval, ns."""


def traced(site: Site, name: str, *command: str | Path, files: Any = (), probes: Any = None, **more: Any) -> Run:
    """A finished run of a command; `more` goes into the ProbeSet."""
    signed = site.sign(probes or syscall_probes(), files, **more)
    with site.run(signed, name) as run:
        done = run.command(command, check=False)
        assert done.returncode == 0, done.stderr
        run.said = done.stdout  # type: ignore[attr-defined]
    return run


def summary(run: Run) -> dict[str, Any]:
    done = subprocess.run([BIN / "datacrumbs_analyze", "summary", "--json", run.trace], check=True, capture_output=True)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("program", ["calls", "paths"])
def test_a_profile_holds_what_a_trace_does(
    site: Site, compiled: Callable[..., Path], tmp_path: Path, program: str
) -> None:
    """Calls, errors and bytes of each function and file are the same in both modes, and so are the names of files:
    by descriptor, by relative and absolute path, of files that are not there.
    """
    binary_, found = compiled(program), {}
    for mode in ("trace", "profile"):
        folder = tmp_path / "work"
        subprocess.run(["rm", "-rf", folder], check=True)
        folder.mkdir()
        (folder / "in").write_text("abc")
        arguments = ["direct", folder] if program == "calls" else [folder]
        with (
            site.run(site.sign(syscall_probes(), mode=mode), f"same-{mode}") as run,
            (folder / "in").open() as stdin,
        ):
            run.command([binary_, *arguments], stdin=stdin)
        assert bool(rows(run)) == (mode == "profile")
        assert run.closing()["lost"] == 0
        inside = [key for key in sums(run) if str(key[1]).startswith(str(folder))]
        found[mode] = {key: sums(run)[key].exact() for key in inside}
        told = summary(run)
        assert told["completeness"]["read"] == run.closing()["captured"]
    assert found["profile"] == found["trace"]
    assert len(found["trace"]) > 10


@pytest.mark.parametrize("mode", ["trace", "profile"])
def test_times_are_those_that_the_kernel_saw(site: Site, tmp_path: Path, mode: str) -> None:
    """Calls, bytes and total time of a run are, in both modes, those of the kernel's own trace of the same run: counts
    exactly, time to one per cent.

    The kernel's trace is taken at the same moments of the same calls, so that nothing which else happens on the machine
    comes between: what a profile adds up is the trace's.
    """
    program, source = tmp_path / "paced", tmp_path / "paced.c"
    source.write_text(
        "#include <stdint.h>\n#include <stdio.h>\n#include <sys/timerfd.h>\n#include <unistd.h>\n"
        "int main(void) { uint64_t n; struct itimerspec t = {{0, 10000000}, {0, 10000000}};\n"
        "int fd = dup2(timerfd_create(CLOCK_MONOTONIC, 0), 100); timerfd_settime(fd, 0, &t, NULL);\n"
        'for (int i = 0; i < 50; i++) if (read(fd, &n, 8) != 8) return 1; printf("%d", fd); return 0; }\n'
    )
    subprocess.run(["gcc", "-O1", "-o", program, source], check=True)
    with ftrace.calls("read", "paced") as witnessed:
        run = traced(site, f"paced-{mode}", program, probes=syscall_probes(["read"]), mode=mode, interval_ns=10 * FAST)
    known = [(result, time) for fd, result, time in witnessed if fd == int(run.said)]  # type: ignore[attr-defined]
    (found,) = (s for (_, path), s in sums(run).items() if "timerfd" in str(path))
    assert bool(rows(run)) == (mode == "profile")
    assert (found.calls, found.errors, found.bytes) == (len(known), 0, sum(result for result, _ in known))
    assert len(known) == 50
    assert found.time == pytest.approx(sum(time for _, time in known), rel=0.01)


def test_nothing_is_lost_at_interval_ends(site: Site, compiled: Callable[..., Path], tmp_path: Path) -> None:
    """Twenty threads make calls while the tables are swapped every 10 ms: every call and byte is there once."""
    run = traced(site, "swaps", compiled("many"), tmp_path, "200", "20", "1500", mode="profile", interval_ns=FAST)
    expect(run, tmp_path)
    assert len({row["args"]["profile"]["interval"] for row in rows(run)}) > 1
    assert run.closing()["overflowed"] == 0
    check_summary(run)


def test_more_keys_than_there_is_room_for(compiled: Callable[..., Path], tmp_path: Path) -> None:
    """With room for 500 keys and 5,000 files, calls without room are in one row for each function: none is lost."""
    with Site(profile_keys=500) as small:
        run = traced(small, "overflow", compiled("many"), tmp_path, "5000", "20", "1000", mode="profile")
        expect(run, tmp_path)
        overflow = [row for row in rows(run) if "overflow" in row["args"]["profile"]]
        assert {"open64", "pread64", "close"} <= {row["name"] for row in overflow}
        assert all(row["pid"] == 0 and "fhash" not in row["args"] for row in overflow)
        assert run.closing()["overflowed"] == sum(row["args"]["profile"]["calls"] for row in overflow) > 1000
        check_summary(run)


def expect(run: Run, folder: Path) -> None:
    """The trace holds exactly the calls that many.c says it made."""
    said = {name: int(number) for name, number in (line.split() for line in run.said.splitlines())}  # type: ignore[attr-defined]
    found = sums(run)
    inside = {k: v for k, v in found.items() if str(k[1]).startswith(f"{folder}/f") or k[1] == "(overflow)"}
    totals = by_name(inside)
    # The loader's own calls may have gone to the overflow row; they are known from a run that has room.
    extra = 0 if not run.closing()["overflowed"] else 60
    for name in ("open64", "pread64", "close"):
        assert said[name] <= totals[name].calls <= said[name] + extra, name
    assert said["bytes"] <= totals["pread64"].bytes <= said["bytes"] + 4096 * extra
    assert run.closing()["lost"] == 0
    assert run.closing()["captured"] == sum(s.calls for s in found.values())


def check_summary(run: Run) -> None:
    """datacrumbs_analyze counts every call of the profile."""
    told = summary(run)
    assert told["header"]["calls"] == run.closing()["captured"] == told["completeness"]["captured"]
    assert {f["function"]: f["calls"] for f in told["functions"]} == {n: s.calls for n, s in by_name(sums(run)).items()}
    assert told["completeness"]["lost"] == 0
    explained = subprocess.run(
        [BIN / "datacrumbs_analyze", "explain", "--json", "pread64", run.trace], check=True, capture_output=True
    )
    added, expected = json.loads(explained.stdout)["added_up"], by_name(sums(run))["pread64"]
    assert (added["calls"], added["errors"], added["bytes"], added["total_ns"]) == (*expected.exact(), expected.time)
    assert sum(added["log2_ns"].values()) == expected.calls


def test_user_functions(site: Site, compiled: Callable[..., Path]) -> None:
    """Functions of a program, four threads with 100 calls each: one row for each interval, and 400 calls in all."""
    program = compiled("functions", "-Wno-unused-parameter")
    probes = [*function_probes(program, ["worker_step"]), *syscall_probes(["read"])]
    run = traced(site, "functions", program, "threads", files=[binary(program)], probes=probes, mode="profile")
    assert sum(row["args"]["profile"]["calls"] for row in rows(run, "C")) == 400
    assert all(row["args"]["profile"]["min_ns"] >= 10_000 for row in rows(run, "C"))
    assert run.closing()["missed_returns"] == 0


def test_auto_profiles_what_is_called_too_often(site: Site, compiled: Callable[..., Path], tmp_path: Path) -> None:
    """Calls are traced until their function passes the rate, then added up: both together are all calls, and the
    trace says which functions and since when.
    """
    run = traced(site, "auto", compiled("many"), tmp_path, "300", "4", "1000", mode="auto", rate_limit=1000)
    expect(run, tmp_path)
    events = below(run.events(), tmp_path)
    switched = {x["args"]["value"]: x["args"]["since"] for x in run.lines() if x["args"].get("name") == "profiled"}
    assert {"open64", "pread64", "close"} <= set(switched) == set(run.closing()["profiled"])
    for name in ("open64", "pread64", "close"):
        single = [e for e in events if e["name"] == name and "profile" not in e["args"]]
        assert len(single) >= 900
        # A call that was traced was counted within the limit: it ended before the switch, or at that very moment.
        assert max(e["ts"] + e["dur"] for e in single) <= switched[name] + 1000
    assert all("profile" not in e["args"] for e in run.events() if e["name"] not in switched)
    told = summary(run)["completeness"]
    assert set(told["profiled_functions"]) == set(switched)
    assert told["read"] == told["captured"]


@pytest.mark.parametrize("mode", ["trace", "profile"])
def test_calls_shorter_than_min_duration_are_counted(
    site: Site, compiled: Callable[..., Path], tmp_path: Path, mode: str
) -> None:
    """What is too short to be written is counted by function: together with what is written, that is all calls."""
    everything = traced(site, f"all-{mode}", compiled("many"), tmp_path, "40", "1", "0")
    some = traced(site, f"long-{mode}", compiled("many"), tmp_path, "40", "1", "0", mode=mode, min_duration_ns=20_000)
    closing = some.closing()
    written = by_name(sums(some))
    assert closing["brief"] > 0
    assert closing["brief"] == sum(closing["brief_by_function"].values())
    assert 0 < closing["brief_ns"] < 20_000 * closing["brief"]
    for name, sum_ in by_name(sums(everything)).items():
        here = written[name].calls if name in written else 0
        assert here + closing["brief_by_function"].get(name, 0) == sum_.calls, name
    assert all(row["args"].get("profile", {}).get("min_ns", 20_000) >= 20_000 for row in some.events())
    assert all(event["args"]["dur_ns"] >= 20_000 for event in some.events())
    assert summary(some)["completeness"]["brief"] == closing["brief"]


def test_other_readers_accept_a_profile(site: Site, compiled: Callable[..., Path]) -> None:
    """DFTracer's tools accept it, dfanalyzer finds all bytes, and Perfetto shows every row and drops none."""
    folder = site.folder / "profiled"
    folder.mkdir()
    run = traced(site, "readers", compiled("many"), folder, "300", "4", "500", mode="profile", interval_ns=10 * FAST)
    readers.dftracer_validate(run.trace)
    events = [line for line in run.lines() if line["ph"] == "X"]
    assert readers.dftracer_count(run.trace) == len(events)
    slices = readers.perfetto_slices(run.trace)
    assert slices.problems == {}
    assert slices.slices == len(events)
    totals = readers.dfanalyzer_totals(run.trace)
    ignored = ("/dev/", "/etc/", "/lib/python", "/proc/", "/sys/", "/usr/lib")
    seen = [e for e in run.events() if not any(part in (e["path"] or "") for part in ignored)]
    assert totals.bytes == sum(e["args"]["profile"]["bytes"] for e in seen)
    assert totals.bytes > 300 * 100
    assert os.path.getsize(run.trace) < 1_000_000
