"""The CLI plugin over a fake base class: options, what it makes of --setattr, its warnings, and what it refuses."""

from __future__ import annotations

import ast
import json
import sys

import pytest
from fluxspecs import GOOD, REJECTED, fuzzed, jobspec

PROGRAMS = ("run", "submit", "batch", "alloc", "bulksubmit")
BOTH = ("--datacrumbs-enable", "--datacrumbs-probe-file=/etc/hostname")
WANTED = {"enable": "yes", "probe_file": "/etc/hostname"}


@pytest.mark.parametrize("prog", PROGRAMS)
def test_options_become_the_attribute(cli_plugin, fake_flux, prog):
    plugin = cli_plugin.DataCrumbsPlugin(f"flux {prog}")
    spec = fake_flux.submit(plugin, BOTH)
    assert spec["attributes"]["system"]["datacrumbs"] == WANTED


@pytest.mark.parametrize("enable", ["yes", "Yes", "on", "true", True, 1, "1"])
@pytest.mark.parametrize(
    "key", ["datacrumbs.enable", "system.datacrumbs.enable", "attributes.system.datacrumbs.enable"]
)
def test_every_form_of_setattr_means_the_same(cli_plugin, fake_flux, key, enable):
    plugin = cli_plugin.DataCrumbsPlugin("run")
    given = [(key, enable), (key.replace("enable", "probe_file"), "/etc/hostname")]
    assert fake_flux.submit(plugin, [], given)["attributes"]["system"]["datacrumbs"] == WANTED
    whole = [("datacrumbs", {"enable": enable, "probe_file": "/etc/hostname"})]
    assert fake_flux.submit(plugin, [], whole)["attributes"]["system"]["datacrumbs"] == WANTED


def test_paths_become_absolute_where_they_are_typed(cli_plugin, fake_flux, tmp_path, monkeypatch):
    (tmp_path / "probes.gz").touch()
    monkeypatch.chdir(tmp_path)
    plugin = cli_plugin.DataCrumbsPlugin("run")
    for arguments, given in (
        (["--datacrumbs-enable", "--datacrumbs-probe-file", "./probes.gz"], []),
        (["--datacrumbs-enable"], [("datacrumbs.probe_file", "probes.gz")]),
    ):
        spec = fake_flux.submit(plugin, arguments, given)
        assert spec["attributes"]["system"]["datacrumbs"]["probe_file"] == str(tmp_path / "probes.gz")


def test_a_job_without_it_stays_untouched(cli_plugin, fake_flux, capsys):
    before = {"attributes": {"system": {"x": 1}}}
    after = fake_flux.submit(cli_plugin.DataCrumbsPlugin("run"), [], spec=json.loads(json.dumps(before)))
    assert after == before and capsys.readouterr().err == ""


def test_switched_off_stays_off(cli_plugin, fake_flux):
    plugin = cli_plugin.DataCrumbsPlugin("run")
    for off in ("no", 0, False, None, "off"):
        fake_flux.submit(plugin, [], [("datacrumbs.enable", off), ("datacrumbs.probe_file", "/x")])


@pytest.mark.parametrize(("wanted", "message"), REJECTED.values(), ids=REJECTED)
def test_mistakes_are_refused_with_what_to_write(cli_plugin, wanted, message):
    """On the server too, where the path is not made absolute."""
    with pytest.raises(ValueError) as caught:
        cli_plugin.DataCrumbsPlugin("validate").validate(jobspec(wanted))
    assert str(caught.value) == f"datacrumbs: {message}" and len(str(caught.value)) < 160


def test_an_option_alone_is_refused(cli_plugin, fake_flux):
    plugin = cli_plugin.DataCrumbsPlugin("run")
    for arguments, says in ((BOTH[:1], "probe_file is missing"), (BOTH[1:], "enable is missing")):
        with pytest.raises(ValueError, match=says):
            fake_flux.submit(plugin, arguments)
    with pytest.raises(ValueError, match="contradict"):
        fake_flux.submit(plugin, BOTH, [("datacrumbs", "yes")])


@pytest.mark.parametrize("key", ["user.datacrumbs.enable", ".datacrumbs.enable", "attributes.datacrumbs.enable"])
def test_misplaced_attributes_are_told(cli_plugin, fake_flux, capsys, key):
    fake_flux.submit(cli_plugin.DataCrumbsPlugin("run"), [], [(key, "yes")])
    said = capsys.readouterr().err
    assert said.startswith("datacrumbs: warning: 'datacrumbs' in attributes") and said.count("\n") == 1


def test_a_file_that_cannot_be_read_is_told(cli_plugin, fake_flux, capsys):
    fake_flux.submit(cli_plugin.DataCrumbsPlugin("run"), ["--datacrumbs-enable", "--datacrumbs-probe-file=/no/such"])
    assert "/no/such cannot be read here" in capsys.readouterr().err


@pytest.mark.parametrize(("level", "told"), [("0", False), ("1", True), ("2", True)])
def test_an_instance_inside_a_job_is_told(cli_plugin, fake_flux, capsys, monkeypatch, level, told):
    class Handle:
        def attr_get(self, name):
            assert name == "instance-level"
            return level

    monkeypatch.setattr(sys.modules["flux"], "Flux", Handle, raising=False)
    fake_flux.submit(cli_plugin.DataCrumbsPlugin("run"), BOTH)
    assert ("runs inside a job" in capsys.readouterr().err) is told


def test_nothing_but_value_errors_leave_it(cli_plugin, fake_flux):
    """Anything else would end the validator of the instance. Jobspecs as strange as Flux would never make them."""
    plugin = cli_plugin.DataCrumbsPlugin("validate")

    class Odd(dict):
        def get(self, *_):
            raise RuntimeError("odd")

    with pytest.raises(ValueError, match="unexpected RuntimeError"):
        plugin.validate(Odd())
    for spec in [None, 1, "x", [], {}, {"attributes": None}, *fuzzed(3, 2000)]:
        try:
            plugin.validate(spec)
        except ValueError as error:
            assert str(error).startswith("datacrumbs: ") and str(error).isascii() and len(str(error)) < 160


def test_it_needs_the_standard_library_and_python_3_6_alone(plugins):
    text = (plugins / "cli" / "datacrumbs.py").read_text()
    tree = ast.parse(text, feature_version=(3, 6))
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported == {"os", "sys", "flux", "flux.cli.plugin"}


def test_good_metadata_pass(cli_plugin):
    cli_plugin.DataCrumbsPlugin("validate").validate(jobspec(GOOD))
