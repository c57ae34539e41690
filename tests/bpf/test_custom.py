"""Custom probes: a site's BPF C, compiled when a run starts, sends events into the same trace."""

from __future__ import annotations

import platform
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from datacrumbs.configurator.gather import gather
from datacrumbs.configurator.resolve import resolve
from datacrumbs.configurator.signer.policy import Rule
from datacrumbs.configurator.spec import parse
from datacrumbs.core.errors import RefusedError
from datacrumbs.core.probes import ProbeSet
from tracing import Run, Site, syscall_probes

pytestmark = [pytest.mark.ebpf, pytest.mark.timeout(300)]

HERE = Path(__file__).parent / "custom"
HOST = f"""
capture_probes:
  - name: sys_io
    probe: custom
    type: custom
    file: {HERE}/sys_io.bpf.c
    probes: {HERE}/probes.json
    process_header: /site/sysio_process.h
    start_event_id: 100000
    event_type: 2
"""


@pytest.fixture(scope="module", autouse=True)
def bcc() -> None:
    """The system's Python has BCC, which `make test` installs where it can."""
    if subprocess.run(["/usr/bin/python3", "-I", "-c", "import bcc"], capture_output=True, check=False).returncode:
        pytest.skip("ebpf: no python3-bpfcc")
    if not (
        list(Path("/usr/src").glob("linux-headers-*")) or Path("/lib/modules", platform.release(), "build").exists()
    ):
        pytest.skip("ebpf: no kernel headers")


def probes() -> ProbeSet:
    spec = parse(HOST.encode(), "host.yaml")
    return resolve(spec, gather(spec), arch=platform.machine(), most=1000).probes


def traced(site: Site, made: ProbeSet, name: str, *command: str | Path) -> Run:
    beside = syscall_probes(["openat", "read", "write", "close"])
    with site.run(site.sign([*made.probes, *beside], programs=made.programs), name) as run:
        run.command(command)
    return run


def test_a_custom_probe_sees_what_the_trace_sees(site: Site, tmp_path: Path) -> None:
    """Its calls, results and durations agree with those of the system call probes beside it, call by call; its fields
    are decoded, and a path becomes the event's file.
    """
    data = tmp_path / "data"
    data.write_bytes(bytes(200_000))
    run = traced(site, probes(), "custom", "md5sum", data)
    own, known = run.events("sys_io"), run.events("POSIX")
    assert run.closing()["lost"] == 0

    def calls(events: list[dict], name: str) -> Counter:
        return Counter((e["pid"], e["tid"], e["args"]["ret"]) for e in events if e["name"] == name)

    for name, shown in (("openat", "open64"), ("read", "read"), ("write", "write"), ("close", "close")):
        assert calls(own, name) == calls(known, shown), name
    reads = [e for e in own if e["name"] == "read" and e["path"] == str(data)]
    assert [e["args"]["ret"] for e in reads] == [
        e["args"]["ret"] for e in known if e["name"] == "read" and e["path"] == str(data)
    ]
    assert sum(e["args"]["size"] for e in reads) == 200_000
    (opened,) = (e["args"]["fd"] for e in own if e["name"] == "openat" and e["path"] == str(data))
    assert {e["args"]["fd"] for e in reads} == {opened}
    assert all(e["args"]["dur_ns"] > 0 for e in own)


def test_only_processes_of_the_run_are_seen(site: Site, tmp_path: Path) -> None:
    """A process that nobody tagged leaves no event, though the probe is attached to the whole machine."""
    made = probes()
    with site.run(site.sign(made.probes, programs=made.programs), "custom-others") as run:
        subprocess.run(["cat", "/etc/hostname"], check=True, capture_output=True)
    assert run.events("sys_io") == []


def test_what_does_not_compile_is_told_with_its_line(site: Site) -> None:
    """The run does not start, and the message is the compiler's first complaint with the line in the site's file."""
    made = probes()
    broken = replace(
        made.programs[0], source="int x;\nint tracepoint__syscalls__sys_enter_read(void *c) { return y; }\n"
    )
    process = site.start(site.sign(made.probes, programs=(broken,)), "custom-broken")
    output = process.communicate(timeout=120)[1]
    assert process.returncode == 71
    assert "probe.c:2:" in output and "undeclared identifier 'y'" in output
    assert len(output.splitlines()) == 1


def test_only_a_program_that_the_policy_names_is_signed() -> None:
    """By its content: the same text under any name, and no other text."""
    made = probes()
    with pytest.raises(RefusedError, match="does not allow the custom probe") as refused:
        Rule().check(made)
    assert made.programs[0].digest in str(refused.value.hint)
    allowed = Rule(custom=(made.programs[0].digest,))
    allowed.check(made)
    changed = replace(made, programs=(replace(made.programs[0], source=made.programs[0].source + " "),))
    with pytest.raises(RefusedError):
        allowed.check(changed)
