"""Summaries by workers that are Flux's jobs: what the documentation promises."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from fluxsite import FLUX, Instance, Site
from tracegen import synthetic

pytestmark = [pytest.mark.flux, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
TRACES = "/shared/nodes"
SETTING = "DASK_JOBQUEUE__FLUX__"
"""The variable of one setting of dask-jobqueue's configuration for Flux."""
CORES = {f"{SETTING}CORES": "1"}
"""A broker of the instance has as many as this machine, which may be fewer than the usual four."""


@pytest.fixture(scope="module")
def expected(site: Site) -> str:
    """The summary that the node makes without a cluster."""
    (site.shared / "nodes").mkdir()
    for number in range(3):
        synthetic(site.shared / "nodes" / f"node{number}.pfw.gz", 50_000, host=f"node{number}", seed=number)
    return site.run(BIN / "datacrumbs_analyze", "summary", TRACES).stdout


def ask(instance: Instance, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The summary as it is asked for in the instance, by somebody whose home is /shared."""
    command = (BIN / "datacrumbs_analyze", "summary", "--scheduler", "flux:2", TRACES)
    return instance.site.run(
        *command, check=False, timeout=100, env={"FLUX_URI": instance.uri, "HOME": "/shared", **env}
    )


def nothing_is_left(instance: Instance) -> None:
    """No job waits or runs, and the folder with keys is gone."""
    assert instance.run("jobs", "--no-header", "--filter=pending,run").stdout == ""
    assert not list(instance.site.shared.glob(".datacrumbs-*"))


def test_a_number_of_jobs_gives_the_result_of_one_machine(instance: Instance, expected: str) -> None:
    done = ask(instance, CORES)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", expected)
    names = instance.run("jobs", "-a", "--no-header", "--format={name}").stdout.split()
    assert names.count("dask-worker") == 2
    nothing_is_left(instance)


def test_the_cluster_of_the_documentation_gives_the_result_of_one_machine(instance: Instance, expected: str) -> None:
    """The lines of docs/large-traces.md as they stand there, for two nodes in place of eight and for our traces."""
    page = (ROOT / "docs" / "large-traces.md").read_text()
    (block,) = re.findall(r"^```\n([^`]*flux run[^`]*)^```", page, re.MULTILINE)
    script = block.replace("-N8", "-N2").replace("/scratch/traces/4711", TRACES)
    path = f"{BIN}:{Path(FLUX).parent}:/usr/bin:/bin"
    done = instance.run("alloc", "-N2", "bash", "-c", script, env={"PATH": path})
    assert done.stdout == expected
    nothing_is_left(instance)


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("QUEUE", "nowhere", "no job could be submitted: flux-batch: ERROR: 'nowhere' is not a valid queue"),
        ("CORES", "4000", "all jobs ended before a worker came: unsatisfiable request"),
        ("PYTHON", "/none/python", "/none/python: No such file or directory"),
    ],
)
def test_jobs_that_cannot_be_are_told_in_a_line(
    instance: Instance, expected: str, setting: str, value: str, says: str
) -> None:
    done = ask(instance, {**CORES, SETTING + setting: value})
    assert done.returncode == 69 and says in done.stderr and done.stderr.count("\n") == 1, done.stderr
    nothing_is_left(instance)
