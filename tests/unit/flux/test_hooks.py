"""The hooks, run for real with the environment that Flux gives them. `flux` and the node's helper write down how they
are called; what they answer is given by the test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from fluxspecs import GOOD, REJECTED, jobspec

ROOT = Path(__file__).resolve().parents[3]
RUN_ID = "fJmNPrf"
NUMBER = "11660165120"

RECORDER = """#!/bin/sh
{ printf '%s' "${0##*/}"; printf ' [%s]' "$@"; echo; } >>'@folder@/calls'
case "${0##*/} $1 $2" in
  "flux job info") case $4 in eventlog) cat '@folder@/eventlog' ;; *) cat '@folder@/jobspec' ;; esac || exit 1 ;;
  "flux config get") cat '@folder@/on-failure' 2>/dev/null || echo continue ;;
  "flux job id") echo fJmNPrf ;;
  "datacrumbs_node start "*) cat >>'@folder@/stdin'; cat '@folder@/answer' ;;
  "datacrumbs_node stop "*) cat '@folder@/answer' ;;
esac
"""


class Hooks:
    """A folder with the hooks as they are installed, beside recorders in the place of what they call."""

    def __init__(self, folder: Path, plugins: Path) -> None:
        self.folder = folder
        for name in ("flux", "datacrumbs_node"):
            self._script(name, RECORDER.replace("@folder@", str(folder)))
        hook = Path(sysconfig.get_path("scripts"), "datacrumbs_flux_hook")
        self._script(
            "datacrumbs_flux_hook", f'#!/bin/sh\nexec {sys.executable} {hook} "$@" --node {folder}/datacrumbs_node\n'
        )
        for name in ("start", "stop"):
            text = (plugins / "hooks" / f"{name}.sh").read_text()
            text = text.replace("@flux@", f"{folder}/flux").replace("@bindir@", str(folder))
            self._script(name, text.replace("/run/datacrumbs/", f"{folder}/run/"))
        (folder / "run").mkdir()
        self.give(answer="ready\n", eventlog="", jobspec=json.dumps(jobspec(GOOD)))

    def _script(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def give(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name.replace("_", "-")).write_text(text)

    def run(self, phase: str, **variables: str) -> tuple[list[str], str]:
        """Runs a phase's hook; returns the calls that it made, and what it said. It must end with 0."""
        (self.folder / "calls").write_text("")
        lines = (ROOT / "tests" / "golden" / "flux_hooks.env").read_text().splitlines()
        begin = lines.index(f"[{phase}]") + 1
        end = next((i for i in range(begin, len(lines)) if lines[i].startswith("[")), len(lines))
        environment = dict(line.split("=", 1) for line in lines[begin:end]) | variables
        script = self.folder / ("start" if phase == "prolog" else "stop")
        done = subprocess.run([script], env=environment, capture_output=True, text=True, timeout=100, check=False)
        assert (done.returncode, done.stdout) == (0, "")
        return (self.folder / "calls").read_text().splitlines(), done.stderr


@pytest.fixture
def hooks(tmp_path: Path, plugins: Path) -> Hooks:
    return Hooks(tmp_path, plugins)


def raised(calls: list[str]) -> list[str]:
    return [call for call in calls if call.startswith("flux [job] [raise]")]


def test_prolog_of_an_untraced_job_asks_flux_one_question(hooks: Hooks) -> None:
    hooks.give(jobspec=json.dumps(jobspec(None)).replace('"datacrumbs"', '"other"'))
    assert hooks.run("prolog") == (["flux [job] [info] [ƒJmNPrf] [jobspec]"], "")


def test_prolog_of_a_traced_job_starts_its_trace(hooks: Hooks) -> None:
    calls, said = hooks.run("prolog")
    start = f"datacrumbs_node [start] [--job] [{RUN_ID}] [--user] [1000] [--scheduler] [flux]"
    assert calls[1:] == [start] and said == ""
    assert json.loads((hooks.folder / "stdin").read_text()) == {"datacrumbs": GOOD}


def test_the_word_alone_starts_nothing(hooks: Hooks) -> None:
    """As in a command, an environment, or an attribute of another place."""
    spec = jobspec({**GOOD, "enable": "no"})
    spec["tasks"][0]["command"] = ["datacrumbs"]
    spec["attributes"]["user"] = {"datacrumbs": GOOD}
    hooks.give(jobspec=json.dumps(spec))
    calls, said = hooks.run("prolog")
    assert len(calls) == 1 and said == ""


def test_what_went_wrong_is_told_to_the_user_and_the_job_goes_on(hooks: Hooks) -> None:
    hooks.give(answer="none: the file is signed with a key that this machine does not trust\n")
    calls, said = hooks.run("prolog")
    (call,) = raised(calls)
    assert "[--severity=4] [--type=datacrumbs]" in call and call.endswith(f"[{NUMBER}]")
    assert "does not trust" in call and "does not trust" in said


def test_a_site_may_have_such_jobs_cancelled(hooks: Hooks) -> None:
    hooks.give(answer="none: no\n", on_failure="cancel\n")
    (call,) = raised(hooks.run("prolog")[0])
    assert "[--severity=0]" in call


def test_a_thousand_nodes_do_not_flood_the_eventlog(hooks: Hooks) -> None:
    event = '{"timestamp":1.0,"name":"exception","context":{"type":"datacrumbs","severity":4,"note":"x"}}\n'
    hooks.give(answer="none: no\n", eventlog=event * 3)
    assert raised(hooks.run("prolog", FLUX_JOB_RANKS="0-999")[0]) == []
    hooks.give(eventlog=event * 2)
    assert len(raised(hooks.run("prolog", FLUX_JOB_RANKS="0-999")[0])) == 1


@pytest.mark.parametrize("answer", ["", "what\n", "none:\n", "\x1b[2J\n"])
def test_a_helper_that_fails_is_told(hooks: Hooks, answer: str) -> None:
    hooks.give(answer=answer)
    (call,) = raised(hooks.run("prolog")[0])
    assert "the node's helper failed; tell the administrator" in call and call.isprintable()


@pytest.mark.parametrize("wanted", [wanted for wanted, _ in REJECTED.values()], ids=REJECTED)
def test_mistakes_that_came_past_flux_start_nothing(hooks: Hooks, wanted: object) -> None:
    """As where the site does not load the jobtap plugin."""
    hooks.give(jobspec=json.dumps(jobspec(wanted)))
    calls, _ = hooks.run("prolog")
    (call,) = raised(calls)
    assert call.isprintable() and not [c for c in calls if c.startswith("datacrumbs_node")]


@pytest.mark.parametrize(
    "text",
    ['{"datacrumbs"', '"datacrumbs"', "[" * 99_999 + '"datacrumbs"', '{"attributes":{"system":["datacrumbs"]}}'],
)
def test_a_hostile_jobspec_harms_nothing(hooks: Hooks, text: str) -> None:
    hooks.give(jobspec=text)
    calls, said = hooks.run("prolog")
    assert "Traceback" not in said and not [c for c in calls if c.startswith("datacrumbs_node")]


def test_flux_that_refuses_is_told_to_the_administrator(hooks: Hooks) -> None:
    (hooks.folder / "jobspec").unlink()
    calls, said = hooks.run("prolog")
    assert len(calls) == 1 and "allow-root-owner" in said


@pytest.mark.parametrize("phase", ["epilog", "housekeeping"])
def test_the_end_of_an_untraced_job_starts_nothing(hooks: Hooks, phase: str) -> None:
    assert hooks.run(phase) == ([], "")


@pytest.mark.parametrize("phase", ["epilog", "housekeeping"])
def test_the_end_of_a_traced_job_closes_its_trace(hooks: Hooks, phase: str) -> None:
    (hooks.folder / "run" / f"{RUN_ID}.env").touch()
    hooks.give(answer="stopped\n")
    assert hooks.run(phase) == ([f"datacrumbs_node [stop] [--job] [{RUN_ID}]"], "")


@pytest.mark.parametrize("form", ["ƒJmNPrf", "fJmNPrf", NUMBER, "0x2b7000000", "kvs.word"])
def test_every_form_of_an_id_is_the_same_run(hooks: Hooks, form: str) -> None:
    (hooks.folder / "run" / f"{RUN_ID}.env").touch()
    hooks.give(answer="absent\n")
    assert f"datacrumbs_node [stop] [--job] [{RUN_ID}]" in hooks.run("housekeeping", FLUX_JOB_ID=form)[0]


@pytest.mark.parametrize("number", [0, 1, 57, 58, 8774483968, 59810775040, (1 << 63) - 1])
def test_numbers_become_run_ids_without_asking_flux(hooks: Hooks, number: int) -> None:
    from datacrumbs.flux import jobid

    (hooks.folder / "run" / f"{jobid.f58(number)}.env").touch()
    calls, _ = hooks.run("housekeeping", FLUX_JOB_ID=str(number))
    asked = [c for c in calls if c.startswith("flux")]
    assert asked == [] or number >= 10**19
    assert any(jobid.f58(number) in c for c in calls)


def test_a_trace_that_was_not_closed_is_told(hooks: Hooks) -> None:
    (hooks.folder / "run" / f"{RUN_ID}.env").touch()
    hooks.give(answer="failed: the runtime did not end within 30 s and was killed\n")
    calls, said = hooks.run("epilog")
    (call,) = raised(calls)
    assert "[--severity=4]" in call and "was killed" in call and "was killed" in said


def test_without_a_job_there_is_nothing_to_do(hooks: Hooks) -> None:
    for phase in ("prolog", "epilog", "housekeeping"):
        assert hooks.run(phase, FLUX_JOB_ID="")[0] == []


def test_hooks_are_safe_shell(plugins: Path) -> None:
    for path in sorted((plugins / "hooks").glob("*.sh")):
        subprocess.run(["sh", "-n", path], check=True)
        assert "eval" not in path.read_text()


def test_the_command_wants_a_prologs_environment() -> None:
    hook = Path(sysconfig.get_path("scripts"), "datacrumbs_flux_hook")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FLUX")}
    for more in ({}, {"FLUX_JOB_ID": "x", "FLUX_JOB_USERID": "0"}, {"FLUX_JOB_ID": "f1", "FLUX_JOB_USERID": "root"}):
        done = subprocess.run([hook], env=environment | more, input="", capture_output=True, text=True, check=False)
        assert done.returncode == 64 and "FLUX_JOB_ID" in done.stderr
