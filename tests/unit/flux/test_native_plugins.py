"""The jobtap plugin and the shell plugin without Flux: compiled with the address and undefined-behaviour sanitizers,
driven through a small fake of Flux by ctypes.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from datacrumbs.core import metadata
from datacrumbs.core.errors import DataError
from fluxspecs import GOOD, REJECTED, fuzzed, jobspec

ROOT = Path(__file__).resolve().parents[3]
NATIVE = ROOT / "tests" / "native"
SOURCES = {
    "jobtap": ["jobtap/plugin.c", "jobtap/settings.c", "jobtap/metadata.c"],
    "shell": ["shell/plugin.c", "shell/wait.c", "jobtap/metadata.c"],
}
Drive = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In the place of /run/datacrumbs."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture
def ready(run_dir: Path) -> Iterator[None]:
    """The runtime of job 255 is ready."""
    path = run_dir / "datacrumbs-f-ff.ready"
    path.touch()
    yield
    path.unlink()


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory, run_dir: Path) -> Drive:
    """`drive("jobtap", request, …)`: the answers; see fluxdriver.py. Nothing may stay on the heap."""
    libraries: dict[str, Path] = {}

    def library(kind: str) -> Path:
        if kind not in libraries:
            made = tmp_path_factory.mktemp("flux") / f"{kind}.so"
            command = [
                "gcc",
                "-std=c11",
                "-D_GNU_SOURCE",
                "-g",
                "-O1",
                "-shared",
                "-fPIC",
                "-Wall",
                "-Wextra",
                "-Werror",
            ]
            command += ["-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
            folders = ("flux/include", "core/include")
            command.append(f'-DDC_RUN_DIR="{run_dir}"')
            command += [f"-I{ROOT / folder}" for folder in folders]
            plugin = made.with_suffix(".o.d")
            plugin.mkdir()
            objects = []
            for source in SOURCES[kind]:
                objects.append(str(plugin / f"{source.replace('/', '-')}.o"))
                counted = ["-include", str(NATIVE / "flux_fake.h")]
                subprocess.run([*command, *counted, "-c", str(ROOT / "flux" / source), "-o", objects[-1]], check=True)
            fake = str(NATIVE / "flux_fake.c")
            subprocess.run([*command, "-o", str(made), *objects, fake, "-ljansson"], check=True)
            libraries[kind] = made
        return libraries[kind]

    def run(kind: str, *requests: Any, place: Path | None = None) -> list[Any]:
        path = library(kind)
        if place:
            shutil.copy(path, place.resolve())
            path = place
        asan = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout
        done = subprocess.run(
            [sys.executable, "-I", "-S", ROOT / "tests" / "support" / "fluxdriver.py", path],
            input="".join(json.dumps(request) + "\n" for request in requests),
            env={**os.environ, "LD_PRELOAD": asan.strip(), "ASAN_OPTIONS": "detect_leaks=0"},
            capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        *answers, left = [json.loads(line) for line in done.stdout.splitlines()]
        assert left == 0, "the plugin keeps memory"
        return answers

    return run


def call(topic: str, wanted: Any) -> list[Any]:
    return ["call", topic, {"jobspec": jobspec(wanted), "id": 1, "userid": 1000}]


def configure(table: Any) -> list[Any]:
    return ["call", "conf.update", {"conf": {"datacrumbs": table}}]


def test_it_registers_under_its_name(drive: Drive) -> None:
    assert drive("jobtap", ["name"]) == drive("shell", ["name"]) == ["datacrumbs"]


@pytest.mark.parametrize(("wanted", "message"), REJECTED.values(), ids=REJECTED)
def test_mistakes_are_rejected_with_what_to_write(drive: Drive, wanted: Any, message: str) -> None:
    """The same words as the CLI plugin's, whole within the 159 bytes that Flux passes on."""
    ((code, error), events) = drive("jobtap", call("job.validate", wanted), ["events"])
    assert (code, error) == (-1, f"datacrumbs: {message}") and events == []


def test_what_asks_for_nothing_passes_and_leaves_no_note(drive: Drive) -> None:
    requests = []
    for wanted in (None, False, {"enable": "no", "what": 1}, {"enable": 0}, {"enable": False}, {"enable": None}):
        requests += [call("job.validate", wanted), call("job.new", wanted)]
    *answers, events = drive("jobtap", *requests, ["events"])
    assert answers == [[0, ""]] * len(requests) and events == []


def test_a_traced_job_is_noted_once_in_its_eventlog(drive: Drive) -> None:
    """Also when the plugin is loaded anew, or the instance starts again, and job.new comes once more."""
    *answers, events = drive(
        "jobtap", call("job.validate", GOOD), call("job.new", GOOD), call("job.new", GOOD), ["events"]
    )
    assert answers == [[0, ""]] * 3
    context = {"probe_file": GOOD["probe_file"], "on_failure": "continue"}
    assert events == [{"name": "datacrumbs", "context": context}]


@pytest.mark.parametrize("enable", ["yes", "YES", " on ", "true", "1", True, 1])
def test_all_that_means_yes(drive: Drive, enable: Any) -> None:
    answers = drive("jobtap", call("job.new", {**GOOD, "enable": enable}), ["events"])
    assert len(answers[1]) == 1


def test_folders_that_the_site_allows(drive: Drive) -> None:
    table = {"on-failure": "cancel", "allowed-probe-directories": ["/etc/probes/", "/opt"]}
    cases = {
        "/etc/probes/x": 0,
        "/opt/a/b": 0,
        "/etc/probesx": -1,
        "/etc/probes/../shadow": -1,
        "/tmp/x": -1,
        "/opt": -1,
    }
    first, *answers, _, events = drive(
        "jobtap",
        configure(table),
        *(call("job.validate", {**GOOD, "probe_file": path}) for path in cases),
        call("job.new", GOOD),
        ["events"],
    )
    assert first == [0, ""]
    assert [code for code, _ in answers] == list(cases.values())
    assert "allowed-probe-directories" in answers[2][1] and len(answers[2][1]) < 160
    assert events[0]["context"]["on_failure"] == "cancel"


WRONG = [
    ("on-failure", "stop", 'write "continue" or "cancel"'),
    ("on-failure", 1, 'write "continue" or "cancel"'),
    ("allowed-probe-directories", "/etc", "array of absolute paths"),
    ("allowed-probe-directories", ["etc"], "absolute paths without '..'"),
    ("allowed-probe-directories", ["/etc/../x"], "absolute paths without '..'"),
    ("on-failures", "cancel", "no such key"),
]


@pytest.mark.parametrize(("key", "value", "says"), WRONG)
def test_a_wrong_table_stops_no_instance(drive: Drive, key: str, value: Any, says: str) -> None:
    """When the plugin is loaded it is told in the log; untraced jobs go on, others are sent to the administrator."""
    loaded, log, plain, traced, repaired, again = drive(
        "jobtap",
        configure({key: value}), ["log"], call("job.validate", None), call("job.validate", GOOD),
        configure({}), call("job.validate", GOOD),
    )  # fmt: skip
    assert loaded == [0, ""] and says in log and "[datacrumbs] " + key in log
    assert plain == [0, ""] and traced[0] == -1 and "administrator" in traced[1]
    assert repaired == again == [0, ""]


@pytest.mark.parametrize(("key", "value", "says"), WRONG)
def test_a_wrong_table_is_refused_at_a_reload_and_the_old_one_holds(
    drive: Drive, key: str, value: Any, says: str
) -> None:
    good = {"allowed-probe-directories": ["/etc"]}
    _, reload_, inside, outside = drive(
        "jobtap", configure(good), configure({key: value}), call("job.validate", GOOD),
        call("job.validate", {**GOOD, "probe_file": "/x"}),
    )  # fmt: skip
    assert reload_[0] == -1 and says in reload_[1]
    assert inside[0] == 0 and outside[0] == -1


def test_no_configuration_is_one_too(drive: Drive) -> None:
    calls = [
        ["call", "conf.update", value] for value in ({}, {"conf": {}}, {"conf": None}, {"conf": {"datacrumbs": {}}})
    ]
    assert drive("jobtap", *calls, call("job.validate", GOOD)) == [[0, ""]] * 5


def meant(spec: Any) -> str:
    """What the node will make of the attribute: on, off or wrong, by core.metadata."""
    value = spec
    for name in ("attributes", "system", "datacrumbs"):
        value = value.get(name) if isinstance(value, dict) else None
    try:
        return "on" if metadata.parse(json.dumps({"datacrumbs": value})) else "off"
    except DataError:
        return "wrong"


def test_ten_thousand_hostile_jobspecs(drive: Drive, cli_plugin: Any) -> None:
    """No crash, no leak, no false accept: jobtap plugin, CLI plugin and the node agree on each of them."""
    specs = fuzzed(20261122, 10_000)
    checks = [["call", "job.validate", {"jobspec": spec}] for spec in specs]
    answers = drive("jobtap", *checks)
    plugin = cli_plugin.DataCrumbsPlugin("validate")
    seen: dict[str, int] = {}
    for spec, (code, error) in zip(specs, answers, strict=True):
        try:
            plugin.validate(spec)
            said = ""
        except ValueError as refused:
            said = str(refused)
        assert bool(said) == (code == -1) and code in (0, -1)
        assert not error or (error.startswith("datacrumbs: ") and error.isprintable())
        verdict = meant(spec)
        seen[verdict] = seen.get(verdict, 0) + 1
        assert code == -1 or verdict != "wrong", f"a false accept: {spec}"
        if code == 0:
            assert (verdict == "on") == cli_plugin._check(cli_plugin._wanted(cli_plugin._attributes(spec))), spec
        elif verdict != "wrong":
            # The only difference: the node strips what Python takes for spaces; here that is refused.
            enable = spec["attributes"]["system"]["datacrumbs"]["enable"]
            assert enable.strip() != enable.strip(" \t\n\r\f\v"), spec
    assert all(seen[verdict] > 300 for verdict in ("on", "off", "wrong")), seen


# The shell plugin


@pytest.mark.flux
def test_the_declarations_are_those_of_an_installed_flux() -> None:
    """Where there is a Flux: its headers and flux_plugin.h are compiled together."""
    flux = shutil.which("flux")
    headers = Path(flux).resolve().parents[1] / "include" if flux else None
    if not headers or not (headers / "flux" / "core.h").exists():
        pytest.skip("Flux is installed without its headers")
    folders = [f"-I{ROOT / folder}" for folder in ("flux/include", "core/include")]
    for kind in SOURCES:
        command = [
            "gcc",
            "-std=gnu11",
            "-D_GNU_SOURCE",
            "-DDC_FLUX_HEADERS",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fsyntax-only",
        ]
        subprocess.run(
            [*command, "-fsyntax-only", *folders, f"-I{headers}", str(ROOT / "flux" / kind / "plugin.c")], check=True
        )


def shell(wanted: Any, *then: Any, preload: str = "") -> list[Any]:
    before = [["setenv", "LD_PRELOAD", preload]] if preload else []
    return [*before, ["shell", {"jobid": 255, "jobspec": jobspec(wanted)}], ["call", "shell.init", {}], *then]


ENVIRONMENT = [["getenv", "DATACRUMBS_RUN_ID"], ["getenv", "LD_PRELOAD"]]


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("own", "expected"),
    [("", "{library}"), ("/own.so", "/own.so:{library}"), ("/x/libdatacrumbs_client.so", "/x/libdatacrumbs_client.so")],
)
def test_the_users_own_preload_stays_and_comes_first(drive: Drive, tmp_path: Path, own: str, expected: str) -> None:
    """The library is found from the plugin's own place in the installation, also through a link from Flux's folder."""
    base = tmp_path / "datacrumbs"
    (base / "flux" / "plugins" / "shell").mkdir(parents=True)
    (base / "client").mkdir()
    library = base / "client" / "libdatacrumbs_client.so"
    library.touch()
    link = tmp_path / "datacrumbs.so"
    link.symlink_to(base / "flux" / "plugins" / "shell" / "shell.so")
    *_, preload = drive("shell", *shell(GOOD, *ENVIRONMENT, preload=own), place=link)
    assert preload == expected.format(library=library)


@pytest.mark.usefixtures("ready")
def test_tasks_of_a_traced_job_know_their_run(drive: Drive) -> None:
    *_, run_id, _ = drive("shell", *shell(GOOD, *ENVIRONMENT))
    assert run_id == "f-ff"


@pytest.mark.parametrize("wanted", [None, {"enable": "no"}, "yes", {"enable": "yes"}, {**GOOD, "probe_file": "x"}])
def test_other_jobs_are_left_alone(drive: Drive, wanted: Any) -> None:
    answers = drive("shell", *shell(wanted, *ENVIRONMENT, preload="/x.so"))
    assert answers[-2:] == [None, "/x.so"] and answers[-3] == [0, ""]


def test_a_shell_without_its_jobspec_harms_nothing(drive: Drive) -> None:
    for info in ({}, {"jobid": "x"}, [], {"jobid": 1, "jobspec": None}):
        assert (
            drive("shell", ["shell", info], ["call", "shell.init", {}], ["call", "task.exec", {}])[1:] == [[0, ""]] * 2
        )


@pytest.mark.usefixtures("ready")
def test_a_task_is_tagged_for_its_run_before_its_exec(drive: Drive, tmp_path: Path) -> None:
    """One marker, with the token of the run, in the process that becomes the task."""
    if not shutil.which("strace"):
        pytest.skip("no strace")
    from datacrumbs.core.runid import fnv1a

    # The sanitizer's process is traced from outside: strace finds it by its own parent.
    log = tmp_path / "strace"
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec strace -f -qq -e trace=prctl -o {log} {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    before, sys.executable = sys.executable, str(wrapper)
    try:
        drive("shell", *shell(GOOD, ["call", "task.exec", {}]))
    finally:
        sys.executable = before
    markers = [line for line in log.read_text().splitlines() if "0x64637262" in line]
    assert len(markers) == 1 and f", 0x1, {fnv1a(b'f-ff'):#x}," in markers[0]


POST = ["call", "shell.post-init", {}]


def test_where_no_trace_was_begun_the_job_is_left_alone_and_told(drive: Drive) -> None:
    """As in an instance inside of a traced job, whose own tag and environment stay."""
    answers = drive("shell", *shell(GOOD, *ENVIRONMENT, POST, ["log"], preload="/x.so"))
    assert answers[-4:-1] == [None, "/x.so", [0, ""]]
    assert "not traced on" in answers[-1] and "prolog of this Flux instance does not start traces" in answers[-1]


def test_of_a_thousand_nodes_the_first_say_so(drive: Drive) -> None:
    info = {"jobid": 255, "jobspec": jobspec(GOOD), "rank": 3}
    assert drive("shell", ["shell", info], ["call", "shell.init", {}], ["log"])[-1] == ""


def test_why_there_is_no_trace_is_told_elsewhere(drive: Drive, run_dir: Path) -> None:
    (run_dir / "f-ff.why").touch()
    try:
        assert drive("shell", *shell(GOOD, POST, ["log"]))[-2:] == [[0, ""], ""]
    finally:
        (run_dir / "f-ff.why").unlink()


@pytest.mark.parametrize("end", ["ready", "why", "killed", "gone"])
def test_tasks_wait_while_the_start_is_under_way(drive: Drive, run_dir: Path, end: str) -> None:
    """Until the runtime is ready or the helper says why not; one that dies without a word holds nobody up."""
    starting = run_dir / "f-ff.starting"
    made = {"ready": run_dir / "datacrumbs-f-ff.ready", "why": run_dir / "f-ff.why"}.get(end)
    holder = os.open(starting, os.O_RDWR | os.O_CREAT, 0o400)
    fcntl.flock(holder, fcntl.LOCK_EX)
    os.write(holder, b".")
    passed: list[bool] = []

    def finish() -> None:
        passed.append(True)
        if made:
            made.touch()
        if end != "killed":  # whatever is told is told by now
            time.sleep(0.1)
            starting.unlink()
        os.close(holder)

    timer = threading.Timer(2, finish)
    timer.start()
    try:
        answers = drive("shell", *shell(GOOD, POST, ["log"]))
    finally:
        timer.join()
        for path in (starting, *([made] if made else [])):
            path.unlink(missing_ok=True)
    assert passed and answers[-2] == [0, ""]
    assert (answers[-1] == "") == (made is not None) and ("helper failed" in answers[-1]) == (made is None)


def test_a_signal_ends_the_wait_and_the_job(drive: Drive, run_dir: Path) -> None:
    """As when it is cancelled: its tasks do not begin."""
    starting = run_dir / "f-ff.starting"
    starting.touch()
    try:
        answers = drive("shell", *shell(GOOD, ["ends", 1], POST))
    finally:
        starting.unlink()
    assert answers[-1][0] == -1
