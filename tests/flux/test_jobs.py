"""Jobs under a real Flux: each form of submission, exact counts for each job, and what its user is told."""

from __future__ import annotations

import time
from typing import Any

import pytest
from calls import below, by_thread
from calls import work as work_of
from fluxsite import Instance, Site, traced
from fluxspecs import GOOD, REJECTED

pytestmark = [pytest.mark.flux, pytest.mark.ebpf, pytest.mark.timeout(600)]

CALLS = "/shared/programs/calls"
SETATTR = ("--setattr=datacrumbs.enable=yes", "--setattr=datacrumbs.probe_file=/shared/probes.json.gz")


def check(site: Site, run_id: str, *folders: str) -> None:
    """The trace of a job holds the known calls once for each folder, each by a thread of its own."""
    site.wait_until_nothing_is_left()
    events = site.events(run_id)
    for folder in folders:
        (calls,) = by_thread(below(events, folder)).values()
        assert calls == work_of(folder)


@pytest.mark.parametrize(
    "options",
    [
        traced(),
        SETATTR,
        ("--setattr=datacrumbs=" + str(GOOD).replace("'", '"'),),
        ("--setattr=^datacrumbs=/shared/attribute.json",),
    ],
    ids=["options", "attributes", "object", "file"],
)
@pytest.mark.parametrize("command", ["run", "submit"])
def test_each_form_of_submission(instance: Instance, site: Site, work: str, command: str, options: Any) -> None:
    options = [str(o).replace(GOOD["probe_file"], "/shared/probes.json.gz") for o in options]
    (site.shared / "attribute.json").write_text('{"enable":"yes","probe_file":"/shared/probes.json.gz"}')
    instance.run(command, *options, CALLS, "direct", f"{work}/0")
    run_id = instance.last()
    instance.wait(run_id)
    check(site, run_id, f"{work}/0")
    (note,) = [e for e in instance.eventlog(run_id) if e["name"] == "datacrumbs"]
    assert note["context"]["probe_file"] == "/shared/probes.json.gz"


def test_bulksubmit(instance: Instance, site: Site, work: str) -> None:
    """Three jobs of one command, at the same time on one node: each trace holds its own job's calls alone."""
    done = instance.run("bulksubmit", "--wait", *traced(CALLS, "direct", f"{work}/{{}}"), ":::", "0", "1", "2")
    site.wait_until_nothing_is_left()
    run_ids = [instance.plain(job) for job in done.stdout.split()]
    assert len(run_ids) == 3
    for number, run_id in enumerate(run_ids):
        events = below(site.events(run_id), work)
        (calls,) = by_thread(events).values()
        assert calls == work_of(f"{work}/{number}")


def test_a_static_program(instance: Instance, site: Site, work: str) -> None:
    instance.run("run", *traced("/shared/programs/static", "direct", f"{work}/0"))
    check(site, instance.last(), f"{work}/0")


def test_all_tasks_of_four_brokers(instance: Instance, site: Site, work: str) -> None:
    """Four prologs at once on one node start one trace; each task's calls are in it once."""
    script = f'exec {CALLS} direct "{work}/$FLUX_TASK_RANK"'
    instance.run("run", "-N4", "-n8", *traced("sh", "-c", script))
    check(site, instance.last(), *(f"{work}/{i}" for i in range(8)))


@pytest.mark.parametrize("command", ["batch", "alloc"])
def test_batch_jobs_are_traced_with_all_their_steps(instance: Instance, site: Site, work: str, command: str) -> None:
    """One trace for the whole job; an option on a step inside has no effect, and its user is told."""
    steps = "\n".join(f"flux run {CALLS} direct {work}/{i}" for i in range(2))
    inner = " ".join(map(str, traced("true")))
    script = site.shared / work.removeprefix("/shared/") / "script.sh"
    script.write_text(f"#!/bin/sh\n{steps}\nflux run {inner}\n")
    script.chmod(0o755)
    if command == "batch":
        instance.run("batch", "-n1", f"--output={work}/out", f"--error={work}/out", *traced(f"{work}/script.sh"))
        run_id = instance.last()
        instance.wait(run_id)
        said = (script.parent / "out").read_text()
    else:
        done = instance.run("alloc", "-n1", *traced(f"{work}/script.sh"))
        run_id, said = instance.last(), done.stdout + done.stderr
    assert "runs inside a job" in said
    check(site, run_id, f"{work}/0", f"{work}/1")


def test_directives_in_a_batch_script(instance: Instance, site: Site, work: str) -> None:
    script = site.shared / work.removeprefix("/shared/") / "script.sh"
    options = "\n".join(f"#flux: {option}" for option in ("-n1", "--output=none", *traced()))
    script.write_text(f"#!/bin/sh\n{options}\nflux run {CALLS} direct {work}/0\n")
    instance.run("batch", f"{work}/script.sh")
    run_id = instance.last()
    instance.wait(run_id)
    check(site, run_id, f"{work}/0")


def test_two_jobs_on_one_node_at_the_same_time(instance: Instance, site: Site, work: str) -> None:
    script = f"touch {work}/$0.here; until [ -e {work}/go ]; do sleep 0.05; done; exec {CALLS} direct {work}/$0"
    jobs = [instance.start("run", *traced("sh", "-c", script, str(i))) for i in range(2)]
    folder = site.shared / work.removeprefix("/shared/")
    wait_for(lambda: all((folder / f"{i}.here").exists() for i in range(2)))
    (folder / "go").touch()
    run_ids = []
    for job in jobs:
        out, _ = job.communicate(timeout=90)
        assert job.returncode == 0, out
    site.wait_until_nothing_is_left()
    listed = instance.run("jobs", "-a", "-no", "{id.f58plain}", "--count=2").stdout.split()
    seen = []
    for run_id in listed:
        events = [e for e in below(site.events(run_id), work) if "/data" in (e["path"] or "")]
        seen.append({e["path"].split("/")[3] for e in events})
        run_ids.append(run_id)
    assert sorted(seen, key=str) == [{"0"}, {"1"}]


def test_an_untraced_job_beside_a_traced_one_leaves_no_mark(instance: Instance, site: Site, work: str) -> None:
    instance.run("run", CALLS, "direct", f"{work}/0")
    assert site.traces(instance.last()) == [] and site.units() == []


@pytest.mark.parametrize(("wanted", "message"), REJECTED.values(), ids=REJECTED)
def test_wrong_attributes_are_rejected(instance: Instance, wanted: Any, message: str) -> None:
    """By the jobtap plugin, also where the client's plugin is not there and the job validator is not asked."""
    import json

    spec = json.loads(instance.run("run", "--dry-run", "true").stdout)
    spec["attributes"]["system"]["datacrumbs"] = wanted
    for flags in ([], ["--flags=novalidate"]):
        done = instance.run("job", "submit", *flags, input=json.dumps(spec), check=False)
        assert done.returncode != 0 and f"datacrumbs: {message}" in done.stderr, done.stderr


# When things go wrong


def wait_for(true: Any, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("text", "says"), [(None, "no such file"), (b"no probes", "not gzip")], ids=["missing", "no probes file"]
)
def test_a_job_that_cannot_be_traced_runs_and_is_told(
    instance: Instance, site: Site, work: str, text: bytes | None, says: str
) -> None:
    if text:
        (site.shared / work.removeprefix("/shared/") / "probes.gz").write_bytes(text)
    done = instance.run("run", *traced("echo", "ran", probes=f"{work}/probes.gz"))
    assert done.stdout == "ran\n"
    ((severity, note),) = instance.told(instance.last())
    assert severity == 4 and says in note.lower() and note.startswith("n1: ")
    assert note in done.stderr


def test_a_site_may_cancel_such_jobs(instance: Instance, site: Site) -> None:
    site.configure('[datacrumbs]\non-failure = "cancel"\n')
    instance.run("config", "reload")
    try:
        done = instance.run("run", *traced("echo", "ran", probes="/shared/missing.gz"), check=False)
        assert done.returncode != 0 and done.stdout == ""
        assert instance.told(instance.last())[0][0] == 0
    finally:
        site.configure()
        instance.run("config", "reload")


DROP_IN = "/etc/systemd/system/datacrumbs@.service.d/test.conf"


@pytest.mark.parametrize(
    ("start", "says"),
    [("/bin/false", "failed"), ("/bin/sleep 300", "not ready within"), ("/bin/sh -c 'sleep 2; exit 1'", "failed")],
    ids=["fails", "hangs", "is slow and fails"],
)
def test_a_runtime_that_does_not_start(instance: Instance, site: Site, start: str, says: str) -> None:
    """The job waits no longer than start_seconds, and runs."""
    site.run("mkdir", "-p", DROP_IN.rsplit("/", 1)[0])
    site.run("tee", DROP_IN, input=f"[Service]\nExecStart=\nExecStart={start}\n")
    site.run("systemctl", "daemon-reload")
    settings = "trace_dir: /shared/traces/{run_id}\n"
    site.run("tee", "/etc/datacrumbs/datacrumbs.yaml", input=f"{settings}start_seconds: 5\n")
    try:
        done = instance.run("run", *traced("echo", "ran"))
        assert done.stdout == "ran\n"
        ((severity, note),) = instance.told(instance.last())
        assert severity == 4 and says in note
    finally:
        site.run("rm", DROP_IN)
        site.run("systemctl", "daemon-reload")
        site.run("tee", "/etc/datacrumbs/datacrumbs.yaml", input=f"{settings}start_seconds: 20\n")


def test_a_job_waits_for_a_runtime_that_is_slow(instance: Instance, site: Site, work: str) -> None:
    """Its first call is in the trace."""
    site.run("mkdir", "-p", DROP_IN.rsplit("/", 1)[0])
    site.run("tee", DROP_IN, input="[Service]\nExecStartPre=/bin/sleep 2\n")
    site.run("systemctl", "daemon-reload")
    try:
        instance.run("run", *traced(CALLS, "direct", f"{work}/0"))
        check(site, instance.last(), f"{work}/0")
    finally:
        site.run("rm", DROP_IN)
        site.run("systemctl", "daemon-reload")


def test_cancelled_in_the_prolog(instance: Instance, site: Site) -> None:
    site.run("mkdir", "-p", DROP_IN.rsplit("/", 1)[0])
    site.run("tee", DROP_IN, input="[Service]\nExecStartPre=/bin/sleep 5\n")
    site.run("systemctl", "daemon-reload")
    try:
        job = instance.run("submit", *traced("sleep", "300")).stdout.strip()
        instance.wait(job, "prolog-start")
        wait_for(lambda: site.units())
        instance.run("cancel", job)
        instance.wait(job)
    finally:
        site.run("rm", DROP_IN)
        site.run("systemctl", "daemon-reload")


def test_cancelled_in_mid_run(instance: Instance, site: Site, work: str) -> None:
    script = f"{CALLS} direct {work}/0; touch {work}/done; sleep 300"
    job = instance.run("submit", *traced("sh", "-c", script)).stdout.strip()
    wait_for(lambda: (site.shared / work.removeprefix("/shared/") / "done").exists())
    instance.run("cancel", job)
    instance.wait(job)
    check(site, instance.plain(job), f"{work}/0")


def test_the_plugin_goes_and_comes_with_jobs_active(instance: Instance, site: Site, work: str) -> None:
    script = f"touch {work}/here; until [ -e {work}/go ]; do sleep 0.05; done; exec {CALLS} direct {work}/0"
    job = instance.run("submit", *traced("sh", "-c", script)).stdout.strip()
    folder = site.shared / work.removeprefix("/shared/")
    wait_for(lambda: (folder / "here").exists())
    for _ in range(5):
        instance.run("jobtap", "remove", "datacrumbs.so")
        instance.run("jobtap", "load", "datacrumbs.so")
    (folder / "go").touch()
    instance.wait(job)
    check(site, instance.plain(job), f"{work}/0")
    assert len([e for e in instance.eventlog(job) if e["name"] == "datacrumbs"]) == 1


def test_a_crash_of_the_instance_with_a_job_running(site: Site, instance: Instance) -> None:
    """When it starts again with its state, housekeeping closes what the job left: no unit stays."""
    site.run("mkdir", "-p", "/shared/state")
    options = ("-Sstatedir=/shared/state",)
    second = Instance(site, 1, *options)
    job = second.run("submit", *traced("sleep", "300")).stdout.strip()
    second.wait(job, "start")
    run_id = second.plain(job)
    assert site.units() == [f"datacrumbs@{run_id}.service"]
    second.run("kvs", "put", "--sync", "test=1")  # what is not yet on disk is lost in a crash
    second.crash()
    third = Instance(site, 1, *options)
    try:
        third.wait(job)
        site.wait_until_nothing_is_left()
        assert len(site.traces(run_id)) == 1
    finally:
        third.stop()


def test_datacrumbs_analyze_finds_the_traces_of_a_job(instance: Instance, site: Site, work: str) -> None:
    instance.run("run", *traced(CALLS, "direct", f"{work}/0"))
    run_id = instance.last()
    site.wait_until_nothing_is_left()
    for form in (run_id, f"ƒ{run_id[1:]}"):
        more = {"FLUX_URI": instance.uri}
        done = site.run("datacrumbs_analyze", "summary", "--job", form, env=more, timeout=100)
        assert f"run       {run_id} on n1, of root" in done.stdout


def test_check_says_that_all_is_there_and_unsetup_takes_it_away(site: Site, instance: Instance) -> None:
    said = site.run(
        "datacrumbs_cluster_setup", "--here", "--check", "--scheduler", "flux", check=False, input="{}"
    ).stdout
    assert "missing" not in "\n".join(line for line in said.splitlines() if line.startswith("flux "))
    assert "another version" not in said and "prolog.d/datacrumbs: in " in said
