"""Setting a node up: files where an installed Flux says that it looks, all of which can be taken away again; and
finding jobs. `flux` is a script that answers as Flux 0.88 does.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from datacrumbs.core.errors import ConfigError, NoInputError
from datacrumbs.core.setup import Record
from datacrumbs.flux import command, jobs, setup

SCRIPT = """#!/bin/sh
root='@root@'
case "$*" in
  version) printf 'commands:    \\t\\t@version@\\nlibflux-core:\\t\\t@version@\\n' ;;
  "config builtin confdir") echo "$root/etc/flux" ;;
  "config builtin libexecdir") echo "$root/libexec/flux" ;;
  "config builtin jobtap_pluginpath") echo "$root/lib/flux/job-manager/plugins" ;;
  "config builtin connector_path") echo "$root/lib/flux/connectors" ;;
  "config builtin shell_pluginpath") echo "$root/lib/flux/shell/plugins" ;;
  "config get --config-path=system "*) [ -e "$root/configured" ] && echo true ;;
  "getattr rank") cat "$root/rank" ;;
  jobtap*) echo "$*" >>"$root/jobtap" ;;
  "jobs --json "*) cat "$root/$3.json" ;;
  *) exit 1 ;;
esac
"""
PLACES = {
    "etc/flux/cli/plugins/datacrumbs.py": 0o644,
    "etc/flux/rc1.d/datacrumbs": 0o755,
    "lib/flux/job-manager/plugins/datacrumbs.so": 0o755,
    "lib/flux/shell/plugins/datacrumbs.so": 0o755,
    "libexec/flux/prolog.d/datacrumbs": 0o755,
    "libexec/flux/epilog.d/datacrumbs": 0o755,
    "libexec/flux/housekeeping.d/datacrumbs": 0o755,
}
HOOKS = [place for place in PLACES if place.startswith("libexec")]


@pytest.fixture
def flux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """`flux("0.88.0")` puts such a Flux into PATH; returns the folder that it is installed in."""
    root = tmp_path / "site"

    def make(version: str) -> Path:
        (root / "bin").mkdir(parents=True, exist_ok=True)
        script = root / "bin" / "flux"
        script.write_text(SCRIPT.replace("@root@", str(root)).replace("@version@", version))
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
        return root

    return make


def files(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()} - {
        "bin/flux",
        "configured",
        "rank",
        "jobtap",
    }


def test_all_files_are_put_where_flux_looks_and_taken_away_again(flux: Callable[[str], Path], tmp_path: Path) -> None:
    root = flux("0.88.0")
    record = Record(tmp_path / "record" / "datacrumbs.json")
    notes = setup.set_up("all", Path("/usr/local"), record)
    assert files(root) == set(PLACES)
    assert {place: (root / place).stat().st_mode & 0o7777 for place in PLACES} == PLACES
    assert any("allow-root-owner" in note for note in notes)
    assert setup.set_up("all", Path("/usr/local"), record) == notes, "a second time changes nothing"
    Record(tmp_path / "record" / "datacrumbs.json").remove()
    assert files(root) == set()


def test_scripts_name_the_commands_of_this_installation(flux: Callable[[str], Path], tmp_path: Path) -> None:
    root = flux("0.88.0")
    setup.set_up("all", Path("/opt/dc"), Record(tmp_path / "record"))
    for place in [*HOOKS, "etc/flux/rc1.d/datacrumbs"]:
        text = (root / place).read_text()
        assert not re.search("@[a-z]+@", text)
        subprocess.run(["sh", "-n", root / place], check=True)
    assert "bin=/opt/dc/bin" in (root / HOOKS[0]).read_text()
    assert f"'{root}/lib/libflux-core.so.2'" in (root / HOOKS[0]).read_text()
    assert f"flux={root}/bin/flux" in (root / HOOKS[0]).read_text()
    assert str(root / "lib/flux/job-manager/plugins/datacrumbs.so") in (root / "etc/flux/rc1.d/datacrumbs").read_text()


def test_a_stage_alone(flux: Callable[[str], Path], tmp_path: Path) -> None:
    root = flux("0.88.0")
    setup.set_up("scheduler-hooks", Path("/usr/local"), Record(tmp_path / "record"))
    assert files(root) == set(HOOKS)
    setup.set_up("plugin", Path("/usr/local"), Record(tmp_path / "record"))
    assert files(root) == set(PLACES)


def test_check_says_what_is_there_what_is_missing_and_what_is_old(flux: Callable[[str], Path], tmp_path: Path) -> None:
    root = flux("0.88.0")
    assert {v for k, v in setup.check(Path("/usr/local")).items() if "/" in k} == {"missing"}
    setup.set_up("all", Path("/usr/local"), Record(tmp_path / "record"))
    (root / HOOKS[0]).write_text("older")
    (root / HOOKS[1]).unlink()
    (root / "configured").touch()
    states = setup.check(Path("/usr/local"))
    assert states["flux"] == "0.88.0" and not [name for name in states if "advice" in name]
    assert states["flux libexecdir/prolog.d/datacrumbs"].startswith("another version in ")
    assert states["flux libexecdir/epilog.d/datacrumbs"] == "missing"
    assert states["flux confdir/rc1.d/datacrumbs"] == f"in {root}/etc/flux/rc1.d/datacrumbs"


def test_a_flux_that_is_too_old_is_refused(flux: Callable[[str], Path], tmp_path: Path) -> None:
    root = flux("0.71.0")
    with pytest.raises(ConfigError, match=r"0\.71\.0"):
        setup.set_up("all", Path("/usr/local"), Record(tmp_path / "record"))
    assert files(root) == set()


def test_without_flux_there_is_nothing_to_set_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "find", lambda: "")
    with pytest.raises(NoInputError, match="no flux"):
        setup.set_up("all", Path("/usr/local"), Record(tmp_path / "record"))
    assert setup.check(Path("/usr/local")) == {"flux": "not on this node"}


def test_a_running_instance_loads_the_plugin_or_lets_go_of_it(flux: Callable[[str], Path], tmp_path: Path) -> None:
    """On its first node only; elsewhere, and where none runs, there is nothing to do."""
    root = flux("0.88.0")
    record = Record(tmp_path / "record" / "datacrumbs.json")
    setup.set_up("all", Path("/usr/local"), record)
    assert setup.reload() == [] and not (root / "jobtap").exists()
    (root / "rank").write_text("1\n")
    assert setup.reload() == [] and not (root / "jobtap").exists()
    (root / "rank").write_text("0\n")
    assert setup.reload() == []
    plugin = root / "lib/flux/job-manager/plugins/datacrumbs.so"
    assert (root / "jobtap").read_text() == f"jobtap remove datacrumbs.so\njobtap load {plugin}\n"
    record.remove()
    (root / "jobtap").unlink()
    assert setup.reload() == []
    assert (root / "jobtap").read_text() == "jobtap remove datacrumbs.so\n"


# Jobs


def known(root: Path, number: int, **more: object) -> None:
    job = {"id": number, "userid": 0, "username": "root", "nodelist": "n[1-2,9]", "state": "RUN", **more}
    (root / f"{number}.json").write_text(json.dumps(job))


@pytest.mark.parametrize("form", ["fENNXPM", "ƒENNXPM", "8774483968", "0x20b000000"])
def test_a_job_is_found_by_every_form_of_its_id(flux: Callable[[str], Path], form: str) -> None:
    known(flux("0.88.0"), 8774483968)
    (part,) = jobs.find_job(form)
    assert (part.run_id, part.nodes) == ("fENNXPM", ("n1", "n2", "n9"))
    assert part.user is not None and part.user.uid == 0


def test_a_list_of_one_is_as_good(flux: Callable[[str], Path]) -> None:
    root = flux("0.88.0")
    (root / "8774483968.json").write_text('{"jobs":[{"id":8774483968,"userid":0}]}')
    (part,) = jobs.find_job("fENNXPM")
    assert part.nodes == () and part.user is not None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"jobs":[]}', '{"userid":"x"}', '{"userid":0,"nodelist":"n[1-"}'])
def test_odd_answers_leave_what_the_id_says(flux: Callable[[str], Path], text: str) -> None:
    root = flux("0.88.0")
    (root / "8774483968.json").write_text(text)
    (part,) = jobs.find_job("fENNXPM")
    assert part.run_id == "fENNXPM" and part.nodes == ()


def test_without_flux_the_id_alone_names_the_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """But a plain number may be another scheduler's."""
    monkeypatch.setattr(command, "find", lambda: "")
    (part,) = jobs.find_job("ƒENNXPM")
    assert (part.run_id, part.user, part.nodes) == ("fENNXPM", None, ())
    assert jobs.find_job("4711") == [] and jobs.find_job("4711_3") == [] and jobs.find_job("my-run") == []
