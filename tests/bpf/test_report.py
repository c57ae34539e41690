"""The report beside a trace: what was attached, what was refused and why, and a probes file without the latter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tracing import BIN, Site, binary, function_probes, syscall_probes

pytestmark = pytest.mark.ebpf


def listed(host: Path, *options: str | Path) -> list[str]:
    command = [BIN / "datacrumbs_probe_configurator", host, "--list", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_what_was_refused_is_reported_and_can_be_left_out(
    site: Site, compiled: Callable[..., Path], tmp_path: Path
) -> None:
    """A program that was changed since it was signed is refused, the system calls are attached; the report says both,
    and the configurator drops exactly what was refused.
    """
    program = tmp_path / "program"
    original = compiled("functions", "-Wno-unused-parameter").read_bytes()
    program.write_bytes(original)
    program.chmod(0o755)
    signed = site.sign(
        [*syscall_probes(["read", "close"]), *function_probes(program, ["recurse", "worker_step"])], [binary(program)]
    )
    subprocess.run(["gcc", "-x", "c", "-o", program, "-"], input=b"int main(void) { return 0; }", check=True)
    with site.run(signed, "report") as run:
        run.command(["true"])
    report = run.trace.with_name(run.trace.name.replace(".pfw.gz", ".probes.json"))
    told = json.loads(report.read_text())
    assert [row["name"] for row in told["attached"]] == ["read", "close"]
    assert [row["name"] for row in told["refused"]] == ["recurse", "worker_step"]
    assert all("has changed since it was signed" in row["reason"] for row in told["refused"])
    assert all(row["kind"] == "uprobe" and row["place"].startswith(f"{program}+0x") for row in told["refused"])
    opening = next(x["args"] for x in run.lines() if x["args"].get("name") == "run")
    assert (opening["report"], opening["refused_count"]) == (report.name, 2)

    program.write_bytes(original)
    host = tmp_path / "host.yaml"
    host.write_text(
        "capture_probes:\n  - {name: io, probe: syscalls, regex: 'read|close'}\n"
        f"  - {{name: mine, probe: uprobe, file: {program}, regex: 'recurse|worker_step|jumper'}}\n"
    )
    before, after = listed(host), listed(host, "--drop-refused", report)
    gone = [line.split("\t")[0] for line in before if line not in after]
    assert gone == ["recurse", "worker_step"] or gone == ["worker_step", "recurse"]
    assert len(after) == len(before) - 2


def test_what_is_no_report_is_refused(site: Site, tmp_path: Path) -> None:
    """A file of another kind is told apart, and nothing is made of it."""
    host, other = tmp_path / "host.yaml", tmp_path / "other.json"
    host.write_text("capture_probes: [{name: io, probe: syscalls, regex: read}]\n")
    other.write_text('{"refused": []}')
    command = [BIN / "datacrumbs_probe_configurator", host, "--list", "--drop-refused", other]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 65
    assert "is no report of a run" in done.stderr
