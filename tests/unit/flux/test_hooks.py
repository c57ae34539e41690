"""The hooks, run for real with the environment that Flux gives them. `flux` and the node's helper write down how they
are called; what they answer is given by the test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from datacrumbs.core import metadata
from datacrumbs.core.errors import DataError
from datacrumbs.systemd.job import environment_text
from fluxspecs import GOOD, REJECTED, fuzzed, jobspec

ROOT = Path(__file__).resolve().parents[3]
RUN_ID = "fJmNPrf"
NUMBER = "11660165120"

RECORDER = """#!/bin/sh
{ printf '%s' "${0##*/}"; printf ' [%s]' "$@"; echo; } >>'@folder@/calls'
case "${0##*/} $1 $2" in
  "flux job info") case $4 in eventlog) cat '@folder@/eventlog' ;; *) exit 1 ;; esac || exit 1 ;;
  "flux config get") cat '@folder@/on-failure' 2>/dev/null || echo continue ;;
  "flux job id") echo fJmNPrf ;;
  "datacrumbs_node start "*) ls '@folder@/run' >'@folder@/left'; cat >>'@folder@/stdin'; cat '@folder@/answer' ;;
  "datacrumbs_node stop "*) cat '@folder@/answer' ;;
esac
"""
SYSTEMD_RUN = """#!/bin/sh
[ -e '@folder@/no-systemd' ] && exit 1
printf 'systemd-run' >>'@folder@/calls'
while [ "${1#--}" != "$1" ]; do
  printf ' [%s]' "$1" >>'@folder@/calls'
  case $1 in --setenv=*) export "${1#--setenv=}" ;; esac
  shift
done
echo >>'@folder@/calls'
"$@"
"""
QUESTION = 'libflux job-info.lookup ffffffff {"flags":2,"id":11660165120,"keys":["jobspec"]}'
USER = os.getuid()


@pytest.fixture(scope="module")
def libflux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("libflux") / "libflux-core.so.2"
    command = ["gcc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", str(made)]
    subprocess.run([*command, str(ROOT / "tests" / "native" / "flux_core_fake.c"), "-ljansson"], check=True)
    return made


@pytest.fixture(scope="module")
def checked_ask(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that asks Flux, with the address and undefined-behaviour sanitizers."""
    made = tmp_path_factory.mktemp("ask") / "ask"
    command = ["gcc", "-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror"]
    command += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{ROOT}/flux/include"]
    sources = [str(ROOT / "flux" / name) for name in ("hooks/ask.c", "hooks/lookup.c", "jobtap/metadata.c")]
    subprocess.run([*command, "-o", str(made), *sources, "-ljansson", "-ldl"], check=True)
    return made


class Hooks:
    """A folder with the hooks as they are installed, beside recorders in the place of what they call."""

    def __init__(self, folder: Path, plugins: Path, libflux: Path) -> None:
        self.folder = folder
        (folder / "plugins" / "hooks").mkdir(parents=True)
        (folder / "epilog.d").mkdir()
        (folder / "run").mkdir()
        for name in ("flux", "datacrumbs_node"):
            self._script(name, RECORDER)
        self._script("systemd-run", SYSTEMD_RUN)
        hook = Path(sysconfig.get_path("scripts"), "datacrumbs_flux_hook")
        self._script("datacrumbs_flux_hook", f'#!/bin/sh\nexec {sys.executable} {hook} "$@"\n')
        shutil.copy(plugins / "hooks" / "ask", folder / "plugins" / "hooks" / "ask")
        for name, place in (
            ("start", "start"), ("stop", "stop"), ("stop", "epilog.d/datacrumbs"), ("begin", "plugins/hooks/begin.sh"),
        ):  # fmt: skip
            text = (plugins / "hooks" / f"{name}.sh").read_text()
            for key, value in {"flux": f"{folder}/flux", "bindir": folder, "plugins": f"{folder}/plugins"}.items():
                text = text.replace(f"@{key}@", str(value))
            text = text.replace("@libflux@", str(libflux)).replace("run=/run/datacrumbs", f"run={folder}/run")
            text = text.replace("/proc/", f"{folder}/proc/")
            self._script(place, text)
        self.give(answer="ready\n", eventlog="", jobspec=json.dumps(jobspec(GOOD)))

    def _script(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text.replace("@folder@", str(self.folder)))
        (self.folder / name).chmod(0o755)

    def give(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name.replace("_", "-")).write_text(text)

    def leave(self, *kinds: str) -> None:
        """Files of the run, as they are when its job ends."""
        for kind in kinds:
            (self.folder / "run" / f"{RUN_ID}.{kind}").touch()

    def run_files(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "run").iterdir())

    def run(self, phase: str, **variables: str) -> tuple[list[str], str]:
        """Runs a phase's hook; returns the calls that it made, and what it said. It must end with 0."""
        (self.folder / "calls").write_text("")
        lines = (ROOT / "tests" / "golden" / "flux_hooks.env").read_text().splitlines()
        begin = lines.index(f"[{phase}]") + 1
        end = next((i for i in range(begin, len(lines)) if lines[i].startswith("[")), len(lines))
        environment = dict(line.split("=", 1) for line in lines[begin:end])
        environment |= {"FLUX_JOB_USERID": str(USER), "FLUX_FAKE": str(self.folder)} | variables
        environment["PATH"] = f"{self.folder}:{environment['PATH']}"
        script = self.folder / {"prolog": "start", "epilog": "epilog.d/datacrumbs", "housekeeping": "stop"}[phase]
        done = subprocess.run([script], env=environment, capture_output=True, text=True, timeout=100, check=False)
        assert (done.returncode, done.stdout) == (0, "")
        return (self.folder / "calls").read_text().splitlines(), done.stderr


@pytest.fixture
def hooks(tmp_path: Path, plugins: Path, libflux: Path) -> Hooks:
    return Hooks(tmp_path, plugins, libflux)


def raised(calls: list[str]) -> list[str]:
    return [call for call in calls if call.startswith("flux [job] [raise]")]


def started(calls: list[str]) -> list[str]:
    return [call for call in calls if call.startswith("datacrumbs_node [start]")]


def test_prolog_of_an_untraced_job_asks_flux_one_question(hooks: Hooks) -> None:
    hooks.give(jobspec=json.dumps(jobspec(None)))
    assert hooks.run("prolog") == ([QUESTION], "")
    assert hooks.run_files() == []


def test_prolog_of_a_traced_job_has_systemd_start_its_trace(hooks: Hooks) -> None:
    """The runtime, and beside it the helper, which need but wait; the tasks see that it is under way."""
    calls, said = hooks.run("prolog", FLUX_URI="local:///run/x")
    question, run, *rest = calls
    assert question == QUESTION and said == ""
    for option in (
        "--no-block", f"--property=Wants=datacrumbs@{RUN_ID}.service", "--setenv=FLUX_URI=local:///run/x",
        f"--setenv=FLUX_JOB_ID={RUN_ID}", f"--setenv=FLUX_JOB_USERID={USER}",
    ):  # fmt: skip
        assert f"[{option}]" in run
    assert rest == [f"datacrumbs_node [start] [--job] [{RUN_ID}] [--user] [{USER}] [--scheduler] [flux] [--begun]"]
    assert json.loads((hooks.folder / "stdin").read_text()) == {"datacrumbs": GOOD}
    assert (hooks.folder / "left").read_text().split() == [f"{RUN_ID}.{k}" for k in ("env", "request", "starting")]
    assert hooks.run_files() == [f"{RUN_ID}.env"]


def test_the_unit_gets_what_the_nodes_helper_would_give_it(hooks: Hooks) -> None:
    path = '/p \\ $HOME `x` "é"/\'.gz'
    hooks.give(jobspec=json.dumps(jobspec({**GOOD, "probe_file": path})))
    hooks.run("prolog")
    run = hooks.folder / "run"
    values = {
        "DATACRUMBS_PROBE_FILE": path,
        "DATACRUMBS_USER": str(USER),
        "DATACRUMBS_RUN_ID": RUN_ID,
        "DATACRUMBS_ERROR_FILE": f"{run}/{RUN_ID}.error",
        "DATACRUMBS_SCHEDULER": "flux",
        "DATACRUMBS_UNTIL": "0",
    }
    assert (run / f"{RUN_ID}.env").read_text() == environment_text(values)
    assert (run / f"{RUN_ID}.env").stat().st_mode & 0o777 == 0o600


def test_of_several_prologs_of_a_job_on_a_node_one_starts_its_trace(hooks: Hooks) -> None:
    hooks.leave("starting")
    assert hooks.run("prolog") == ([QUESTION], "")


def test_a_run_that_is_there_already_is_left_to_the_helper(hooks: Hooks) -> None:
    (hooks.folder / "run" / f"{RUN_ID}.env").write_text("whose\n")
    calls, _ = hooks.run("prolog")
    assert "Wants=" not in calls[1] and len(started(calls)) == 1
    assert (hooks.folder / "run" / f"{RUN_ID}.env").read_text() == "whose\n"


def test_without_systemd_the_helper_says_so(hooks: Hooks) -> None:
    hooks.give(no_systemd="", answer="none: systemd does not run on this node\n")
    calls, said = hooks.run("prolog")
    assert len(started(calls)) == 1 and "systemd does not run" in raised(calls)[0] and "systemd does not run" in said


def test_the_word_alone_starts_nothing(hooks: Hooks) -> None:
    """As in a command, an environment, or an attribute of another place."""
    spec = jobspec({**GOOD, "enable": "no"})
    spec["tasks"][0]["command"] = ["datacrumbs"]
    spec["attributes"]["user"] = {"datacrumbs": GOOD}
    hooks.give(jobspec=json.dumps(spec))
    assert hooks.run("prolog") == ([QUESTION], "")


def test_what_went_wrong_is_told_to_the_user_and_the_job_goes_on(hooks: Hooks) -> None:
    hooks.give(answer="none: the file is signed with a key that this machine does not trust\n")
    (call,) = raised(hooks.run("prolog")[0])
    assert "[--severity=4] [--type=datacrumbs]" in call and call.endswith(f"[{NUMBER}]")
    assert "does not trust" in call
    assert f"{RUN_ID}.starting" not in hooks.run_files()


def test_a_site_may_have_such_jobs_cancelled(hooks: Hooks) -> None:
    hooks.give(answer="none: no\n", on_failure="cancel\n")
    (call,) = raised(hooks.run("prolog")[0])
    assert "[--severity=0]" in call


def test_a_thousand_nodes_do_not_flood_the_eventlog(hooks: Hooks) -> None:
    event = '{"timestamp":1.0,"name":"exception","context":{"type":"datacrumbs","severity":4,"note":"x"}}\n'
    hooks.give(answer="none: no\n", eventlog=event * 3)
    assert raised(hooks.run("prolog", FLUX_JOB_RANKS="0-999")[0]) == []
    (hooks.folder / "run" / f"{RUN_ID}.env").unlink()
    hooks.give(eventlog=event * 2)
    assert len(raised(hooks.run("prolog", FLUX_JOB_RANKS="0-999")[0])) == 1


@pytest.mark.parametrize("answer", ["", "what\n", "none:\n", "\x1b[2J\n"])
def test_a_helper_that_fails_is_told(hooks: Hooks, answer: str) -> None:
    hooks.give(answer=answer)
    (call,) = raised(hooks.run("prolog")[0])
    assert "the node's helper failed; tell the administrator" in call and call.isprintable()


@pytest.mark.parametrize("wanted", [wanted for wanted, _ in REJECTED.values()], ids=REJECTED)
def test_mistakes_that_came_past_flux_begin_nothing(hooks: Hooks, wanted: object) -> None:
    """As where the site does not load the jobtap plugin: the node's helper gets them as they are, and says why not."""
    hooks.give(jobspec=json.dumps(jobspec(wanted)), answer="none: no\n")
    calls, _ = hooks.run("prolog")
    assert "Wants=" not in calls[1] and len(started(calls)) == len(raised(calls)) == 1
    assert json.loads((hooks.folder / "stdin").read_text()) == {"datacrumbs": wanted}
    assert hooks.run_files() == []


@pytest.mark.parametrize(
    "text",
    [
        '{"datacrumbs"',
        '"datacrumbs"',
        "",
        "[" * 99_999 + '"datacrumbs"',
        '{"attributes":{"system":["datacrumbs"]}}',
        '{"attributes":{"system":{"datacrumbs":"\\u0000"}}}',
    ],
)
def test_a_hostile_jobspec_harms_nothing(hooks: Hooks, text: str) -> None:
    hooks.give(jobspec=text)
    calls, _ = hooks.run("prolog")
    assert calls == [QUESTION] and hooks.run_files() == []


def test_metadata_that_are_too_large_stay_within_bounds(hooks: Hooks) -> None:
    hooks.give(jobspec=json.dumps(jobspec({**GOOD, "x" * 9_000_000: 1})))
    calls, _ = hooks.run("prolog")
    assert len(started(calls)) == 1 and (hooks.folder / "stdin").stat().st_size == metadata.MAX_BYTES + 1


def test_hostile_jobspecs_under_the_sanitizers(hooks: Hooks, checked_ask: Path) -> None:
    """Nothing is begun that core/metadata.py refuses."""
    shutil.copy(checked_ask, hooks.folder / "plugins" / "hooks" / "ask")
    seen = set()
    for spec in fuzzed(20261123, 300):
        for path in (hooks.folder / "run").iterdir():
            path.unlink()
        hooks.give(jobspec=json.dumps(spec))
        ask = [hooks.folder / "plugins" / "hooks" / "ask", "libflux", hooks.folder / "run"]
        ask[1] = (hooks.folder / "start").read_text().partition("/ask\" '")[2].partition("'")[0]
        environment = {"FLUX_FAKE": str(hooks.folder), "FLUX_JOB_ID": "f1", "FLUX_JOB_USERID": str(USER)}
        done = subprocess.run(ask, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1) and "Sanitizer" not in done.stderr, done.stderr
        seen.add(done.stdout)
        value = spec
        for name in ("attributes", "system", "datacrumbs"):
            value = value.get(name) if isinstance(value, dict) else None
        try:
            wanted = metadata.parse(json.dumps({"datacrumbs": value}))
        except DataError:
            wanted = None
        assert ("begun" in done.stdout) <= (wanted is not None), spec
    assert seen == {"", f"{RUN_ID} asked\n", f"{RUN_ID} begun\n"}


def test_flux_that_refuses_is_told_to_the_administrator(hooks: Hooks) -> None:
    (hooks.folder / "jobspec").unlink()
    calls, said = hooks.run("prolog")
    assert len(calls) == 1 and "allow-root-owner" in said


def test_a_flux_without_its_library_is_told_to_the_administrator(hooks: Hooks) -> None:
    text = (hooks.folder / "start").read_text()
    (hooks.folder / "start").write_text(text.replace("libflux-core.so.2", "libnothing.so"))
    calls, said = hooks.run("prolog")
    assert calls == [] and ("libflux-core" in said or "cannot reach Flux" in said)


@pytest.mark.parametrize("phase", ["epilog", "housekeeping"])
def test_the_end_of_an_untraced_job_starts_nothing(hooks: Hooks, phase: str) -> None:
    assert hooks.run(phase) == ([], "")


@pytest.mark.parametrize("left", ["env", "starting"])
@pytest.mark.parametrize("phase", ["epilog", "housekeeping"])
def test_the_end_of_a_traced_job_closes_its_trace(hooks: Hooks, phase: str, left: str) -> None:
    """Also while its start is still under way; and the helper looks after what is not as usual."""
    hooks.leave(left)
    hooks.give(answer="stopped\n")
    assert hooks.run(phase) == ([f"datacrumbs_node [stop] [--job] [{RUN_ID}]"], "")


@pytest.fixture
def runtime(hooks: Hooks) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the place of the job's runtime: when it is asked to end, it lets go of its run."""
    run = hooks.folder / "run"
    (run / f"datacrumbs-{RUN_ID}.lock").touch()
    script = f"trap 'sleep 0.5; rm {run}/datacrumbs-{RUN_ID}.*; exit 0' TERM; echo; while :; do sleep 0.05; done"
    process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline()
    (run / f"datacrumbs-{RUN_ID}.ready").write_text(f"pid={process.pid}\nuid={USER}\n")
    hooks.leave("env")
    (hooks.folder / "proc" / str(process.pid)).mkdir(parents=True)
    cgroup = f"0::/system.slice/system-datacrumbs.slice/datacrumbs@{RUN_ID}.service\n"
    (hooks.folder / "proc" / str(process.pid) / "cgroup").write_text(cgroup)
    with process:
        yield process
        process.kill()


def test_the_epilog_waits_for_the_trace_alone(hooks: Hooks, runtime: subprocess.Popen[bytes]) -> None:
    """A runtime that is well is asked to end; when it has let go of its run, all that is left is housekeeping's."""
    hooks.leave("starting")
    assert hooks.run("epilog") == ([], "")
    assert runtime.wait(60) == 0
    assert hooks.run_files() == [f"{RUN_ID}.ending", f"{RUN_ID}.env"]
    assert hooks.run("epilog") == ([], ""), "another broker of the same node"
    assert hooks.run("housekeeping")[0] == [f"datacrumbs_node [stop] [--job] [{RUN_ID}]"]


def test_a_runtime_that_fails_at_its_end_is_told_by_the_epilog(hooks: Hooks, runtime: subprocess.Popen[bytes]) -> None:
    hooks.leave("error")
    hooks.give(answer="failed: the disk is full\n")
    calls, said = hooks.run("epilog")
    assert runtime.wait(60) == 0
    assert calls[0] == f"datacrumbs_node [stop] [--job] [{RUN_ID}]" and "the disk is full" in raised(calls)[0]
    assert "the disk is full" in said


def test_a_process_that_is_not_the_runtime_is_left_alone(hooks: Hooks, runtime: subprocess.Popen[bytes]) -> None:
    """The number of a runtime that was killed may be anybody's by now: the helper sees to it."""
    (hooks.folder / "proc" / str(runtime.pid) / "cgroup").write_text("0::/user.slice\n")
    hooks.give(answer="failed: the runtime ended before the job did\n")
    calls, _ = hooks.run("epilog")
    assert len(raised(calls)) == 1 and runtime.poll() is None
    assert f"{RUN_ID}.ending" not in hooks.run_files()


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


def test_the_command_wants_a_job() -> None:
    hook = Path(sysconfig.get_path("scripts"), "datacrumbs_flux_hook")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FLUX")}
    for more in ({}, {"FLUX_JOB_ID": "x"}):
        done = subprocess.run([hook], env=environment | more, input="", capture_output=True, text=True, check=False)
        assert done.returncode == 64 and "FLUX_JOB_ID" in done.stderr
