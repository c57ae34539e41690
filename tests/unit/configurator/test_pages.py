"""What docs/host-yaml.md and docs/security.md show works, and they leave out no key and no option."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from datacrumbs.configurator import command, spec, upstream
from datacrumbs.configurator.signer import command as signer_command
from datacrumbs.configurator.signer import policy
from datacrumbs.core.errors import ConfigError
from datacrumbs.core.yamlfile import parse

DOCS = Path(__file__).resolve().parents[3] / "docs"
HOST = (DOCS / "host-yaml.md").read_text()
SECURITY = (DOCS / "security.md").read_text()


def examples(page: str) -> list[bytes]:
    return [text.encode() for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]


def test_the_host_yaml_that_is_shown_loads() -> None:
    whole, *parts = examples(HOST)
    assert len(spec.parse(whole, "host-yaml.md").entries) == 2
    for part in parts:
        assert spec.parse(b"capture_probes:\n" + part, "host-yaml.md").entries


def test_the_policy_that_is_shown_loads() -> None:
    (example,) = examples(SECURITY)
    rules = policy.read(parse(example, "security.md", error=ConfigError))
    assert rules.rule_for("guest1", frozenset()).max_functions == 100
    assert rules.default.lifetime == 7 * policy.DAY


@pytest.mark.parametrize(
    "key",
    [
        *spec._TOP,
        *spec._CHOOSING,
        *spec._CAPTURING,
        *spec._CUSTOM,
        *upstream.KEYS,
        *spec.TYPES,
        *sum(spec.TYPES.values(), ()),
    ],
)
def test_every_key_of_a_host_yaml_is_described(key: str) -> None:
    assert f"`{key}`" in HOST


@pytest.mark.parametrize("key", policy._READERS)
def test_every_key_of_a_policy_is_described(key: str) -> None:
    assert f"`{key}`" in SECURITY


@pytest.mark.parametrize(
    ("run", "page"), [(command.run, HOST), (signer_command.run, SECURITY)], ids=["configurator", "signer"]
)
def test_every_option_is_described(run: object, page: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["--help"])  # type: ignore[operator]
    for option in set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}:
        assert f"`{option}" in page, option
