"""What Slurm says of a job, in the forms of its versions, and how a job's traces are found."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from datacrumbs.analysis.jobs import expand, find_traces
from datacrumbs.core.config import Config
from datacrumbs.core.errors import NoInputError, UsageError
from datacrumbs.slurm.jobs import find_job

OLD = {
    "jobs": [
        {"job_id": 12, "array_job_id": 10, "array_task_id": 2, "het_job_id": 0, "user_id": 0, "nodes": "n[1-2]"},
        {"job_id": 11, "array_job_id": 10, "array_task_id": 1, "het_job_id": 0, "user_id": 0, "nodes": "n1"},
        {"job_id": 99, "array_job_id": 0, "array_task_id": 4294967294, "user_id": 0, "nodes": ""},
    ]
}
"""22.05."""
NEW = {
    "jobs": [
        {
            "job_id": 21,
            "array_job_id": {"set": True, "infinite": False, "number": 0},
            "het_job_id": {"set": True, "infinite": False, "number": 20},
            "het_job_offset": {"set": True, "infinite": False, "number": 1},
            "user_id": 0,
            "nodes": "n3",
        }
    ]
}
"""23.11 and newer."""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands that print what those of Slurm have printed: a file `scontrol.json` or `squeue.json`, if it is there."""
    for name in ("scontrol", "squeue"):
        (tmp_path / name).write_text(f"#!/bin/sh\nexec /bin/cat {tmp_path}/{name}.json 2>/dev/null\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("job", "found"),
    [("10", {"11": 1, "12": 2}), ("10_2", {"12": 2}), ("99", {"99": 0}), ("10_3", {}), ("nonsense", {})],
)
def test_parts_of_a_job_in_the_old_form(slurm: Path, job: str, found: dict[str, int]) -> None:
    """Before 23.02 scontrol knows no --json: squeue does."""
    (slurm / "squeue.json").write_text(json.dumps(OLD))
    assert {part.run_id: len(part.nodes) for part in find_job(job)} == found


JOB = {
    "user_id": 0,
    "allocated_nodes": None,
    "array_id": None,
    "array_task_id": None,
    "array_tasks_waiting": None,
    "heterogeneous_id": None,
    "heterogeneous_offset": None,
}
PYSLURM = {
    11: {"array_id": 10, "allocated_nodes": "n[1-2]"},
    10: {"array_id": 10, "array_task_id": 1, "allocated_nodes": "n1"},
    12: {"array_id": 12, "array_tasks_waiting": "0-3"},
    20: {"heterogeneous_id": 20, "allocated_nodes": "n1"},
    21: {"heterogeneous_id": 20, "heterogeneous_offset": 1, "allocated_nodes": "n[2-4]"},
}
"""Attributes of pyslurm 25.11's Job, as its u32_parse gives them: None for 0."""


@pytest.mark.parametrize(
    ("job", "found"),
    [
        ("10_0", {"11": 2}),
        ("10_1", {"10": 1}),
        ("10", {"10": 1, "11": 2}),
        ("12_0", {}),
        ("20+0", {"20": 1}),
        ("20+1", {"21": 3}),
        ("20", {"20": 1, "21": 3}),
    ],
)
def test_parts_of_a_job_from_pyslurm(monkeypatch: pytest.MonkeyPatch, job: str, found: dict[str, int]) -> None:
    """A stand-in, since pyslurm is built for one version of Slurm each, and no Debian has one that PyPI has it for."""
    jobs = {number: SimpleNamespace(id=number, **JOB | values) for number, values in PYSLURM.items()}
    stand_in = SimpleNamespace(Jobs=SimpleNamespace(load=lambda: jobs))
    monkeypatch.setitem(sys.modules, "pyslurm", stand_in)
    assert {part.run_id: len(part.nodes) for part in find_job(job)} == found


@pytest.mark.parametrize("job", ["20", "21", "20+1"])
def test_parts_of_a_job_in_the_new_form(slurm: Path, job: str) -> None:
    (slurm / "scontrol.json").write_text(json.dumps(NEW))
    (part,) = find_job(job)
    assert (part.run_id, part.nodes) == ("21", ("n3",)) and part.user and part.user.uid == 0


@pytest.mark.parametrize("text", ["", "[", "[]", '{"jobs":7}', '{"jobs":[7,{"job_id":"x"},{}]}', "{" * 100_000])
def test_other_answers_are_none(slurm: Path, text: str) -> None:
    (slurm / "scontrol.json").write_text(text)
    assert find_job("7") == []


def test_without_slurm_the_traces_bear_the_jobs_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = Config(trace_dir=f"{tmp_path}/[traces]/{{user}}/{{date}}")
    with pytest.raises(NoInputError):
        find_traces("17", settings)


def test_traces_of_all_nodes_and_days_are_found(slurm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (slurm / "squeue.json").write_text(json.dumps(OLD))
    settings = Config(trace_dir=f"{slurm}/t/{{user}}/{{date}}")
    for name in ("a/12-n1.pfw.gz", "b/12-n1.2.pfw.gz", "b/11-n1.pfw.gz", "b/12-n2.txt", "b/120-n1.pfw.gz"):
        path = slurm / "t" / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [path.name for path in find_traces("10_2", settings)] == ["12-n1.pfw.gz", "12-n1.2.pfw.gz"]
    assert "job 12 has no trace of n2" in capsys.readouterr().err
    assert len(find_traces("10", settings)) == 3


def test_the_option_stands_for_traces_in_every_verb() -> None:
    assert expand(["summary", "a", "--json"]) == ["summary", "a", "--json"]
    with pytest.raises(UsageError):
        expand(["summary", "--job"])
    with pytest.raises(UsageError):
        expand(["summary", "--job=../x"])
