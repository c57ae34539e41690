"""The site's policy: the first rule for a user counts, and a refusal names the rule and the function."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from datacrumbs.configurator.signer import policy
from datacrumbs.configurator.signer.policy import DAY, Policy, Rule
from datacrumbs.core import syscalls
from datacrumbs.core.errors import ConfigError, NoInputError, RefusedError
from datacrumbs.core.probes import Binary, Capture, Function, Probe, ProbeSet, Syscall
from datacrumbs.core.yamlfile import parse

READ = Probe("read", "POSIX", "syscall", Syscall("read", 0), syscalls.capture("read"))
GETPID = Probe("getpid", "POSIX", "syscall", Syscall("getpid", 39), syscalls.capture("getpid"))
SETUP = Probe("io_setup", "POSIX", "syscall", Syscall("io_setup", 206), syscalls.capture("io_setup"))
FOPEN = Probe("fopen", "C", "uprobe", Function(0, 16, "fopen"), Capture())
LIBC = Binary("/usr/lib/libc.so.6", "00")


def probes(*chosen: Probe) -> ProbeSet:
    return ProbeSet("x86_64", chosen, (LIBC,))


def read(text: str) -> Policy:
    return policy.read(parse(text.encode(), "policy.yaml", error=ConfigError))


def test_without_a_policy_everybody_may_have_everything_for_thirty_days(tmp_path: Path) -> None:
    rule = policy.load(tmp_path / "missing.yaml").rule_for("ada", frozenset())
    rule.check(probes(READ, FOPEN))
    assert rule.lifetime == 30 * DAY


def test_the_first_rule_that_names_the_user_or_a_group_counts() -> None:
    rules = read(
        """
default: {capture: integers, lifetime: 12h}
rules:
  - {name: staff, groups: [root, nosuchgroup], lifetime: 90d}
  - {name: ada, users: [ada, bob], kinds: syscall}
  - {name: late, users: ada, lifetime: 1d}
"""
    )
    assert rules.rule_for("ada", frozenset({0, 5})).name == "staff"
    assert rules.rule_for("ada", frozenset({5})).name == "ada"
    assert rules.rule_for("eve", frozenset({5})).name == "default"
    assert rules.rule_for("ada", frozenset({5})).lifetime == 43_200, "what a rule leaves out comes from the default"
    assert rules.rule_for("bob", frozenset()).kinds == ("syscall",)


@pytest.mark.parametrize(
    ("rule", "asked", "message"),
    [
        ("kinds: [uprobe]", probes(FOPEN, READ), "does not allow probes of kind syscall: read"),
        ("kinds: []", probes(FOPEN), "does not allow probes of kind uprobe: fopen"),
        ("kernel: ['p*', 'get?id']", probes(READ), "does not allow the system call read"),
        ("files: [/opt/*]", probes(FOPEN), "does not allow functions of /usr/lib/libc.so.6: fopen"),
        ("capture: none", probes(SETUP), "allows to capture 'none', not the arguments of io_setup"),
        ("capture: integers", probes(SETUP, READ), "allows to capture 'integers', not the arguments of read"),
        ("max_functions: 1", probes(READ, FOPEN), "allows 1 functions, not 2"),
    ],
)
def test_a_refusal_names_rule_and_function(rule: str, asked: ProbeSet, message: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read(f"rules:\n  - {{name: students, users: [ada], {rule}}}\n").rule_for("ada", frozenset()).check(asked)
    assert caught.value.message == f"the site's policy, rule 'students', {message}"


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ("kernel: ['r*']", probes(READ)),
        ("files: ['/usr/*']", probes(FOPEN)),
        ("capture: none", probes(GETPID, FOPEN)),
        ("capture: integers", probes(SETUP)),
        ("max_functions: 2", probes(READ, FOPEN)),
    ],
)
def test_what_a_rule_grants_is_granted(rule: str, asked: ProbeSet) -> None:
    read(f"default: {{{rule}}}").rule_for("ada", frozenset()).check(asked)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rule: []", "policy.yaml:1:1: unknown key 'rule'"),
        ("rules:\n  - {kinds: []}", "policy.yaml:2:5: rule 'rule 1' is for nobody"),
        ("rules:\n  - {users: [a], kind: []}", "policy.yaml:2:18: unknown key 'kind'"),
        ("rules:\n  - {users: [a], kinds: [kprobes]}", "policy.yaml:2:26: 'kprobes' is not one of syscall, uprobe"),
        ("default: {users: [a]}", "policy.yaml:1:11: unknown key 'users'"),
        ("default: {capture: all}", "policy.yaml:1:20: 'all' is not one of none, integers, paths"),
        ("default: {lifetime: 30}", "policy.yaml:1:21: a time up to ten years"),
        ("default: {lifetime: 0d}", "policy.yaml:1:21: a time up to ten years"),
        ("default: {lifetime: 9999w}", "policy.yaml:1:21: a time up to ten years"),
        ("default: {max_functions: 0}", "policy.yaml:1:26: a whole number from 1"),
        ("default: {files: 5}", "policy.yaml:1:18: a text is wanted here"),
        ("[]", "policy.yaml:1:1: a mapping"),
    ],
)
def test_each_mistake_has_its_place_and_is_the_administrators(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.message.startswith(message)
    assert caught.value.who == "administrator"


def test_a_policy_that_others_could_change_is_no_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("default: {capture: none}\n")
    assert policy.load(path).default.capture == "none"
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="writable by others"):
        policy.load(path)
    path.chmod(0o644)
    os.chown(path, 65534, -1)
    with pytest.raises(ConfigError, match="belongs to uid 65534"):
        policy.load(path)


def test_a_policy_that_is_a_dangling_link_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").symlink_to("nowhere")
    with pytest.raises(NoInputError, match="symbolic link"):
        policy.load(tmp_path / "policy.yaml")


def test_the_default_rule_is_that_of_a_machine_without_a_policy() -> None:
    assert read("{}").default == Rule()
