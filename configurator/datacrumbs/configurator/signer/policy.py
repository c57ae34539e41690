"""The site's policy: who may have what probed. docs/security.md describes /etc/datacrumbs/policy.yaml.

The first rule that names the user or one of their groups counts, else the default rule. A rule that leaves something
out takes it from the default.
"""

from __future__ import annotations

import fnmatch
import grp
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from datacrumbs.core.customprobes import Custom
from datacrumbs.core.errors import ConfigError, RefusedError
from datacrumbs.core.files import open_regular, read_bounded
from datacrumbs.core.kernelprobes import Tracepoint
from datacrumbs.core.keys import secure_file, secure_folder
from datacrumbs.core.probes import MAX_PROBES, Capture, Function, Kind, Probe, ProbeSet, Syscall
from datacrumbs.core.usdt import Usdt
from datacrumbs.core.yamlfile import MAX_BYTES, Node, parse

CaptureLevel = Literal["none", "integers", "paths"]
LEVELS: Final = ("none", "integers", "paths")
"""What may be taken of a call's arguments, each with all before it: nothing, numbers, names of files."""
KINDS: Final[tuple[Kind, ...]] = ("syscall", "uprobe", "kprobe", "tracepoint", "usdt")
DAY: Final = 86_400

_LIFETIME: Final = re.compile(r"([0-9]{1,6})\s*(h|d|w)\Z")
_SECONDS: Final = {"h": 3_600, "d": DAY, "w": 7 * DAY}
_LONGEST: Final = 3_660 * DAY
_GRANTS: Final = ("kinds", "files", "kernel", "capture", "max_functions", "lifetime", "custom")


@dataclass(frozen=True, slots=True)
class Rule:
    """What some users may have; the defaults are what a machine without a policy grants to everybody."""

    name: str = "default"
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = KINDS
    files: tuple[str, ...] = ("*",)
    """Shell patterns of programs and libraries; `*` also stands for slashes."""
    kernel: tuple[str, ...] = ("*",)
    """Shell patterns of system calls and kernel functions."""
    capture: CaptureLevel = "paths"
    max_functions: int = MAX_PROBES
    custom: tuple[str, ...] = ()
    """Shell patterns of "sha256:…" of BPF C that may be compiled and run in the kernel."""
    lifetime: int = 30 * DAY
    """Seconds that a signature lasts."""

    def check(self, probes: ProbeSet) -> None:
        """Refuses a selection that holds anything which this rule does not grant.

        Raises:
            RefusedError: naming the rule and the first function at fault.
        """
        if len(probes.probes) > self.max_functions:
            raise self._refusal(f"allows {self.max_functions} functions, not {len(probes.probes)}", "select fewer")
        for probe in probes.probes:
            if isinstance(probe.target, Custom):
                digest = probes.programs[probe.target.program].digest
                if not any(fnmatch.fnmatchcase(digest, pattern) for pattern in self.custom):
                    hint = f"an administrator who has read it may add '{digest}' to the rule's 'custom'"
                    raise self._refusal(f"does not allow the custom probe {probe.name}", hint)
            elif probe.kind not in self.kinds:
                raise self._refusal(f"does not allow probes of kind {probe.kind}: {probe.name}")
            if isinstance(probe.target, Syscall):
                self._check_name("the system call", probe.target.name, self.kernel)
            elif isinstance(probe.target, Function | Usdt):
                path = probes.files[probe.target.file].path
                self._check_name("functions of", path, self.files, f": {probe.name}")
            elif isinstance(probe.target, Tracepoint):
                for event in filter(None, (probe.target.event, probe.target.end)):
                    self._check_name("the tracepoint", event, self.kernel)
            elif not isinstance(probe.target, Custom):
                self._check_name("the kernel function", probe.target.symbol, self.kernel)
            if _level(probe) > LEVELS.index(self.capture):
                raise self._refusal(
                    f"allows to capture '{self.capture}', not the arguments of {probe.name}",
                    f"add --capture {self.capture}",
                )

    def _check_name(self, what: str, name: str, patterns: tuple[str, ...], detail: str = "") -> None:
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            raise self._refusal(f"does not allow {what} {name}{detail}")

    def _refusal(self, what: str, hint: str = "") -> RefusedError:
        return RefusedError(
            f"the site's policy, rule '{self.name}', {what}", hint or "exclude it, or ask an administrator"
        )


def _level(probe: Probe) -> int:
    capture: Capture = probe.capture
    texts = capture.returns == "string" or any(argument.type == "string" for argument in capture.arguments)
    files = capture.files or getattr(probe.target, "holder", None)
    return 2 if files or texts else 1 if capture.arguments else 0


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules of a site."""

    rules: tuple[Rule, ...] = ()
    default: Rule = field(default_factory=Rule)

    def rule_for(self, user: str, gids: frozenset[int]) -> Rule:
        """The rule that counts for a user.

        Args:
            user: the name.
            gids: all of the user's groups, as the kernel reports them.
        """
        for rule in self.rules:
            if user in rule.users or any(_gid(group) in gids for group in rule.groups):
                return rule
        return self.default


def _gid(group: str) -> int | None:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return None


def load(path: Path) -> Policy:
    """Reads the policy; a file that is missing grants what `Rule` does by default.

    Raises:
        ConfigError: a mistake in it, or somebody but root could change it.
        NoInputError: it cannot be read.
    """
    if not path.exists() and not path.is_symlink():
        return Policy()
    with open_regular(path) as fd:
        secure_folder(path.parent)
        secure_file(fd, path, private=False)
        data = read_bounded(fd, MAX_BYTES, path, error=ConfigError)
    return read(parse(data, str(path), error=ConfigError))


def read(node: Node) -> Policy:
    """The policy that a YAML document holds; see `load`."""
    if node.is_empty():
        return Policy()
    top = node.mapping(("default", "rules"))
    default, rules = top.get("default"), top.get("rules")
    base = _rule(default, Rule(), 0) if default else Rule()
    return Policy(
        tuple(_rule(item, base, number) for number, item in enumerate(rules.items(), 1)) if rules else (), base
    )


def _rule(node: Node, base: Rule, number: int) -> Rule:
    """Reads a rule; `number` is 0 for the default, which is for nobody in particular."""
    members = node.mapping(("name", "users", "groups", *_GRANTS) if number else _GRANTS)
    rule = replace(base, name=f"rule {number}") if number else base
    changes: dict[str, Any] = {}
    for key in members.names():
        value = members.get(key)
        if value is not None:
            changes[key] = _READERS[key](value)
    rule = replace(rule, **changes)
    if number and not rule.users and not rule.groups:
        raise node.wrong(f"rule '{rule.name}' is for nobody", "name 'users' or 'groups', or put it under 'default'")
    return rule


def _kinds(node: Node) -> tuple[str, ...]:
    return tuple(item.choice(KINDS) for item in (node.items() if node.is_list() else [node]))


def _lifetime(node: Node) -> int:
    match = _LIFETIME.match(node.written())
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= _LONGEST:
        raise node.wrong("a time up to ten years is wanted here", "write it as 12h, 30d or 8w")
    return seconds


_READERS: Final[Mapping[str, Callable[[Node], Any]]] = {
    "name": lambda node: node.text(64),
    "users": Node.texts,
    "groups": Node.texts,
    "kinds": _kinds,
    "files": Node.texts,
    "custom": Node.texts,
    "kernel": Node.texts,
    "capture": lambda node: node.choice(LEVELS),
    "max_functions": lambda node: node.integer(1, MAX_PROBES),
    "lifetime": _lifetime,
}
