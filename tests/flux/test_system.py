"""Jobs of ordinary users: in Flux's system instance, through flux-security's IMP, and in an instance of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from calls import below, by_thread
from calls import work as work_of
from fluxsite import FLUX, Client, Site, environment, traced
from fluxsystem import URI, opened_system
from nodes.errors import LackError
from nodes.layers import USERS

pytestmark = [pytest.mark.flux, pytest.mark.ebpf, pytest.mark.timeout(600)]

CALLS = "/shared/programs/calls"


@pytest.fixture(scope="module")
def session_system(site: Site) -> Iterator[Site]:
    try:
        with opened_system(site) as opened:
            yield opened
    except LackError as error:
        pytest.skip(f"flux: {error}")


@pytest.fixture
def system(session_system: Site) -> Iterator[Site]:
    """The system instance; after each test no node is drained, and nothing of a run is left."""
    yield session_system
    session_system.wait_until_nothing_is_left()
    assert Client(session_system, URI).drained() == ""


def client(site: Site, user: str, work: str) -> tuple[Client, str]:
    """A user of the system instance, and a probes file that they had signed."""
    folder = Path(work) / user
    site.run("mkdir", "-p", folder)
    site.run("chmod", "755", work)
    site.run("chown", "-R", f"{user}:", folder)
    template = "/usr/local/etc/datacrumbs/configs/posix.yaml"
    site.run("datacrumbs_probe_configurator", template, folder / "probes.json.gz", user=user)
    return Client(site, URI, user), str(folder)


@pytest.mark.parametrize("command", ["run", "submit", "batch"])
def test_a_users_job_is_traced(system: Site, work: str, command: str) -> None:
    """Exactly, into a file that is theirs; the hooks run as units of systemd, which end what a prolog leaves behind."""
    alice, folder = client(system, "alice", work)
    options = traced(CALLS, "direct", folder, probes=f"{folder}/probes.json.gz")
    if command == "batch":
        options = ["-n1", "--wrap", "--output=none", *options]
    alice.run(command, *options)
    run_id = alice.last()
    alice.wait(run_id)
    system.wait_until_nothing_is_left()
    (path,) = system.traces(run_id)
    assert path.stat().st_uid == USERS["alice"] and alice.told(run_id) == []
    (calls,) = by_thread(below(system.events(run_id), folder)).values()
    assert calls == work_of(folder)


def test_two_users_at_the_same_time(system: Site, work: str) -> None:
    """Each one's trace is theirs, and holds their calls alone."""
    users = {name: client(system, name, work) for name in USERS}
    jobs = {}
    for name, (user, folder) in users.items():
        other = next(str(Path(work) / other) for other in users if other != name)
        wait = f"touch {folder}/here; until [ -e {other}/here ]; do sleep 0.05; done; exec {CALLS} direct {folder}"
        options = traced("sh", "-c", wait, probes=f"{folder}/probes.json.gz")
        jobs[name] = user.run("submit", *options).stdout.strip()
    for name, (user, folder) in users.items():
        user.wait(jobs[name])
        run_id = user.plain(jobs[name])
        system.wait_until_nothing_is_left()
        (path,) = system.traces(run_id)
        assert path.stat().st_uid == USERS[name]
        paths = {e["path"] for e in below(system.events(run_id), work) if "data" in (e["path"] or "")}
        assert paths and all(path.startswith(folder) for path in paths)


def test_a_users_job_that_cannot_be_traced_runs_and_is_told(system: Site, work: str) -> None:
    """As with a file that another user had signed."""
    _, folder = client(system, "bob", work)
    alice, _ = client(system, "alice", work)
    done = alice.run("run", *traced("echo", "ran", probes=f"{folder}/probes.json.gz"))
    assert done.stdout == "ran\n" and "make one as the user whose job is traced" in done.stderr
    ((severity, _note),) = alice.told(alice.last())
    assert severity == 4


def test_a_users_job_is_cancelled(system: Site, work: str) -> None:
    alice, folder = client(system, "alice", work)
    script = f"{CALLS} direct {folder}; touch {folder}/done; sleep 300"
    job = alice.run("submit", *traced("sh", "-c", script, probes=f"{folder}/probes.json.gz")).stdout.strip()
    alice.wait(job, "start")
    alice.run("cancel", job)
    alice.wait(job)


def test_the_setup_has_no_advice_for_such_a_site(system: Site) -> None:
    said = system.run("datacrumbs_cluster_setup", "--here", "--check", "--scheduler", "flux", check=False, input="{}")
    assert "flux advice" not in said.stdout
    assert "datacrumbs.so" in Client(system, URI).run("jobtap", "list").stdout


def test_in_a_users_own_instance_a_job_runs_and_is_told(site: Site) -> None:
    """`flux start` of an ordinary user: nothing there can start a trace. Mistakes are told all the same."""
    options = " ".join(map(str, traced("echo", "ran")))
    script = f"{FLUX} run {options}; {FLUX} run --datacrumbs-enable echo wrong; {FLUX} run echo plain"
    done = site.node.run(FLUX, "start", "sh", "-c", script, user="bob", env=environment({}), timeout=100)
    assert done.stdout == "ran\nplain\n"
    assert "not traced on n1: the prolog of this Flux instance does not start traces" in done.stderr
    assert "datacrumbs.probe_file is missing" in done.stderr and done.stderr.count("not traced") == 1
