"""Jobspecs for tests of what Flux jobs may ask for: the twelve mistakes, and thousands of hostile ones from a seed."""

from __future__ import annotations

import random
from typing import Any

GOOD = {"enable": "yes", "probe_file": "/etc/probes/posix.json.gz"}
LONG = "/" + "x" * 4095
EXAMPLE = "/abs/path.json.gz"
SIGNED = "name the signed file that datacrumbs_probe_configurator wrote"

REJECTED: dict[str, tuple[Any, str]] = {
    "no probes file": ({"enable": "yes"}, f"datacrumbs.probe_file is missing; {SIGNED}"),
    "no enable": ({"probe_file": "/p.gz"}, "datacrumbs.enable is missing; write datacrumbs.enable=yes"),
    "strange enable": (
        {**GOOD, "enable": "maybe"},
        "datacrumbs.enable is 'maybe', neither yes nor no; write datacrumbs.enable=yes",
    ),
    "a number": ({**GOOD, "enable": 2}, "datacrumbs.enable is neither yes nor no; write datacrumbs.enable=yes"),
    "relative path": (
        {**GOOD, "probe_file": "probes.json.gz"},
        "datacrumbs.probe_file 'probes.json.gz' is not an absolute path; write it out, from / on",
    ),
    "empty path": (
        {**GOOD, "probe_file": ""},
        "datacrumbs.probe_file is empty; name the file that datacrumbs_probe_configurator wrote",
    ),
    "no text": (
        {**GOOD, "probe_file": ["/p.gz"]},
        "datacrumbs.probe_file is not a text; write datacrumbs.probe_file=/abs/path.json.gz",
    ),
    "long path": ({**GOOD, "probe_file": LONG}, "datacrumbs.probe_file has 4096 or more bytes; choose a shorter path"),
    "control characters": (
        {**GOOD, "probe_file": "/tmp/\x1b[2J"},
        "datacrumbs.probe_file holds control characters; rename the file",
    ),
    "unknown key": (
        {**GOOD, "probefile": "/p.gz"},
        "unknown datacrumbs.probefile; there are datacrumbs.enable and datacrumbs.probe_file",
    ),
    "old key": (
        {"enable": "yes", "composite": "posix"},
        "datacrumbs.composite is no longer known; name a signed probes file with datacrumbs.probe_file",
    ),
    "no group": (
        "yes",
        f"datacrumbs is not a group; write datacrumbs.enable=yes and datacrumbs.probe_file={EXAMPLE}",
    ),
}
"""What is in attributes.system.datacrumbs, and what its owner is told after "datacrumbs: "."""


def jobspec(wanted: Any) -> dict[str, Any]:
    """A jobspec as `flux run true` makes it, with the attribute."""
    return {
        "resources": [{"type": "slot", "count": 1, "with": [{"type": "core", "count": 1}], "label": "task"}],
        "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": {"duration": 0, "cwd": "/", "shell": {"options": {}}, "datacrumbs": wanted}},
        "version": 1,
    }


_WORDS = [
    "yes",
    "no",
    "true",
    "TRUE",
    " Yes\n",
    "on",
    "off",
    "1",
    "0",
    "",
    "y",
    "n",
    "yess",
    "ye\u017f",
    "\u00a0yes",
    "ja",
]
_PATHS = [
    "/a",
    "/a/b.json.gz",
    "a",
    "",
    "~/x",
    "$HOME/x",
    "/a\n",
    "/a\x7f",
    "/\u0085",
    "/\u00e9",
    "/\u202e",
    "//",
    "/..",
    LONG,
]
_KEYS = ["enable", "probe_file", "Enable", "probes", "composite", "probe-file", "", "\u00e9", "datacrumbs", "x" * 300]
_VALUES = [None, True, False, 0, 1, 2, -1, 1.0, 1e300, 2**62, [], {}, ["yes"], {"enable": "yes"}]


def fuzzed(seed: int, count: int) -> list[Any]:
    """Jobspecs from nearly right to nonsense, always the same for a seed."""
    chance = random.Random(seed)
    return [_one(chance) for _ in range(count)]


def _value(chance: random.Random, likely: list[Any]) -> Any:
    dice = chance.random()
    if dice < 0.6:
        return chance.choice(likely)
    if dice < 0.8:
        return chance.choice(_VALUES)
    text = "".join(chr(chance.choice([chance.randrange(1, 128), chance.randrange(128, 0xD800)])) for _ in range(12))
    return ("/" if chance.random() < 0.5 else "") + text[: chance.randrange(13)]


def _one(chance: random.Random) -> Any:
    wanted: Any = {}
    if chance.random() < 0.9:
        wanted["enable"] = _value(chance, _WORDS)
    if chance.random() < 0.9:
        wanted["probe_file"] = _value(chance, _PATHS)
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        wanted[chance.choice(_KEYS)] = _value(chance, _WORDS + _PATHS)
    if chance.random() < 0.05:
        wanted = chance.choice([*_VALUES, "yes", "datacrumbs"])
    spec: Any = jobspec(wanted)
    if chance.random() < 0.1:  # something on the way to it is not what it should be
        place, name = chance.choice([(spec, "attributes"), (spec["attributes"], "system")])
        if chance.random() < 0.3:
            del place[name]
        else:
            place[name] = chance.choice([*_VALUES, "text"])
    return spec if chance.random() > 0.01 else chance.choice(_VALUES)
