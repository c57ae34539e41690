"""The host YAML: which functions a user wants to see. docs/host-yaml.md describes it for users."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal, cast, get_args

from datacrumbs.configurator import upstream
from datacrumbs.configurator.arguments import words
from datacrumbs.configurator.pattern import Pattern
from datacrumbs.core.customprobes import START_EVENT
from datacrumbs.core.probes import LONGEST_INTERVAL, MAX_NAME, MAX_RATE, MODES, SHORTEST_INTERVAL, Capture, Mode
from datacrumbs.core.yamlfile import Mapping, Node, suggestion
from datacrumbs.core.yamlfile import parse as parse_yaml

ArgumentLevel = Literal["known", "all", "none"]
"""Whose arguments are captured: those that are known with what they mean, all that have a signature, or none."""

MAX_ENTRIES: Final = 1_000
MAX_HEADERS: Final = 100
MAX_LINES: Final = 10_000
MAX_EXCLUDES: Final = 1_000

TYPES: Final[MappingType[str, tuple[str, ...]]] = {
    "syscalls": ("kernel", "header", "ksym"),
    "uprobe": ("binary",),
    "kprobe": ("ksym", "header", "binary"),
    "tracepoint": ("kernel",),
    "usdt": ("usdt",),
    "custom": ("custom",),
}
"""The kinds of entry and where each may take its names from; the first is meant where `type` is missing."""

_TOP: Final = ("capture_probes", "mode", "min_duration", "interval", "rate_limit")
_CHOOSING: Final = ("name", "probe", "type", "category", "file", "regex", "exclude", "include_offsets", "disable")
_CAPTURING: Final = ("arguments", "headers", "function_arguments")
_MARKED: Final = ("binary_path", "provider")
_CUSTOM: Final = ("probes", "start_event_id", "process_header", "event_type", "enable_explorer")
"""Keys of custom probes; the last three are upstream's, and nothing here needs them."""

_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(ns|us|ms|s)\Z")
_UNITS: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_LONGEST: Final = 3_600 * 1_000_000_000
_INTERVAL: Final = 1_000_000_000
_RATE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One wish: functions of one source that fit a pattern."""

    name: str
    place: str
    """`file:line:column` in the host YAML."""
    probe: str
    """A key of TYPES."""
    type: str
    category: str
    file: str
    """Header, program or library, or a bare library name such as libc.so.6; may be empty."""
    file_place: str
    """Where `file` stands in the host YAML, as `place`."""
    pattern: Pattern
    exclude: tuple[Pattern, ...]
    include_offsets: bool
    arguments: ArgumentLevel = "known"
    headers: tuple[str, ...] = ()
    """C headers that declare the functions."""
    function_arguments: tuple[tuple[str, Capture], ...] = ()
    """By symbol, what the host YAML itself says of functions' arguments."""
    provider: str = ""
    """Of USDT probes; empty: all providers."""
    probes: str = ""
    """The JSON that describes a custom probe's events."""
    start_event_id: int = START_EVENT
    headed: bool = False
    """Whether it names upstream's `process_header`, which nothing here needs."""

    def selects(self, *forms: str) -> bool:
        """Whether a function is wanted that goes by these names."""
        return any(map(self.pattern.fits, forms)) and not self.excludes(*forms)

    def excludes(self, *forms: str) -> bool:
        """Whether `exclude` names it: by a pattern, or literally, as suits C++ names with their brackets."""
        return any(pattern.text == form or pattern.fits(form) for pattern in self.exclude for form in forms)

    def __str__(self) -> str:
        return f"'{self.name}' ({self.place})"


@dataclass(frozen=True, slots=True)
class Spec:
    """A host YAML, checked but not yet compared with this machine. See ProbeSet for the members."""

    entries: tuple[Entry, ...]
    mode: Mode = "trace"
    min_duration_ns: int = 0
    interval_ns: int = _INTERVAL
    rate_limit: int = _RATE
    notes: tuple[str, ...] = ()
    """What a user should know about what was read, one sentence each."""


def parse(data: bytes, name: str) -> Spec:
    """Reads a host YAML.

    Args:
        data: its text, placeholders filled in.
        name: the file's name for messages.

    Raises:
        DataError: with file, line and column of the first mistake.
    """
    top = parse_yaml(data, name).mapping((*_TOP, *upstream.KEYS))
    mode, shortest, limit = (top.get(key) for key in ("mode", "min_duration", "rate_limit"))
    listed = top.require("capture_probes").items(MAX_ENTRIES)
    members = [node.mapping((*_CHOOSING, *_CAPTURING, *_MARKED, *_CUSTOM)) for node in listed]
    entries = [(_entry(each), _is_disabled(each)) for each in members]
    wanted = tuple(entry for entry, disabled in entries if not disabled)
    if not wanted:
        what = "every entry is disabled" if entries else "the list is empty"
        raise top.require("capture_probes").wrong(what, "add an entry")
    interval, told = _interval(top)
    return Spec(
        wanted,
        _mode(mode) if mode else "trace",
        _duration(shortest, 0, _LONGEST) if shortest else 0,
        interval,
        limit.integer(1, MAX_RATE) if limit else _RATE,
        (*upstream.notes(top), *filter(None, [told])),
    )


def _mode(node: Node) -> Mode:
    return upstream.MODES.get(node.written()) or cast("Mode", node.choice(MODES))


def _interval(top: Mapping) -> tuple[int, str]:
    ours, theirs = top.get("interval"), top.get(upstream.INTERVAL)
    if ours:
        return _duration(ours, SHORTEST_INTERVAL, LONGEST_INTERVAL), ""
    return upstream.interval(theirs) if theirs else (_INTERVAL, "")


def _is_disabled(members: Mapping) -> bool:
    node = members.get("disable")
    return node.flag() if node else False


def _entry(members: Mapping) -> Entry:
    name = members.require("name").text(MAX_NAME)
    probe = members.require("probe").choice(tuple(TYPES))
    kind, regex, provider = members.get("type"), members.get("regex"), members.get("provider")
    file = (members.get("binary_path") if probe == "usdt" else None) or members.get("file")
    category, offsets = members.get("category"), members.get("include_offsets")
    return Entry(
        name=name,
        place=members.node.place,
        probe=probe,
        type=_type(kind, probe) if kind else TYPES[probe][0],
        category=category.text(MAX_NAME) if category else name,
        file=_file(members, probe, file),
        file_place=(file or members.node).place,
        pattern=_pattern(regex) if regex else Pattern(".*"),
        exclude=_excludes(members),
        include_offsets=offsets.flag() if offsets else False,
        arguments=_level(members),
        headers=_headers(members),
        function_arguments=_lines(members.get("function_arguments")),
        provider=provider.text(MAX_NAME) if provider else "",
        probes=described.text() if (described := members.get("probes")) and probe == "custom" else "",
        start_event_id=first.integer(0, 2**30) if (first := members.get("start_event_id")) else START_EVENT,
        headed=members.get("process_header") is not None,
    )


def _level(members: Mapping) -> ArgumentLevel:
    node = members.get("arguments")
    if node is None:
        return "all" if members.get("headers") else "known"
    return cast("ArgumentLevel", node.choice(get_args(ArgumentLevel)))


def _headers(members: Mapping) -> tuple[str, ...]:
    node = members.get("headers")
    if node is None:
        return ()
    items = node.items(MAX_HEADERS) if node.is_list() else [node]
    for item in items:
        if not Path(item.text()).is_absolute():
            raise item.wrong(f"'{item.text()}' is not an absolute path", "begin it with /")
    return tuple(item.text() for item in items)


def _lines(node: Node | None) -> tuple[tuple[str, Capture], ...]:
    if node is None or node.is_list():  # upstream's form, a list, says nothing that could be captured
        return ()
    lines = node.entries(MAX_LINES)
    result = []
    for name, line in lines:
        try:
            result.append((name, words.parse(line.text(), "user")))
        except ValueError as error:
            raise line.wrong(str(error), "see 'Arguments' in docs/host-yaml.md") from error
    return tuple(result)


def _type(node: Node, probe: str) -> str:
    kind = node.text()
    if kind not in TYPES[probe]:
        wanted = " or ".join(TYPES[probe])
        raise node.wrong(
            f"probe: {probe} takes its names from type: {wanted}, not {kind}", suggestion(kind, TYPES[probe])
        )
    return kind


def _file(members: Mapping, probe: str, node: Node | None) -> str:
    if node is None:
        if probe == "usdt":
            raise members.node.wrong("'binary_path' is missing", "name the program or library whose probes are meant")
        if probe == "uprobe":
            raise members.node.wrong("'file' is missing", "name the program or library whose functions are meant")
        return ""
    file = node.text()
    if "/" in file and not Path(file).is_absolute():
        raise node.wrong(f"'{file}' is not an absolute path", "begin it with /, or give a bare name such as libc.so.6")
    return file


def _pattern(node: Node) -> Pattern:
    try:
        return Pattern(node.text())
    except ValueError as error:
        raise node.wrong(str(error), "see 'Patterns' in docs/host-yaml.md") from error


def _excludes(members: Mapping) -> tuple[Pattern, ...]:
    node = members.get("exclude")
    if node is None:
        return ()
    return tuple(_pattern(item) for item in (node.items(MAX_EXCLUDES) if node.is_list() else [node]))


def _duration(node: Node, least: int, most: int) -> int:
    """A time such as `10us` in nanoseconds, from `least` to `most`; a bare 0 is one too."""
    match = _DURATION.match("0ns" if node.written() == "0" else node.written())
    nanoseconds = Fraction(match[1]) * _UNITS[match[2]] if match else Fraction(-1)
    if nanoseconds.denominator != 1 or not least <= nanoseconds <= most:
        wanted = f"from {_written(least)} to {_written(most)}" if least else "up to one hour"
        raise node.wrong(f"a time {wanted} is wanted here", "write it as 500ns, 10us, 1.5ms or 2s")
    return int(nanoseconds)


def _written(nanoseconds: int) -> str:
    unit = next(unit for unit in ("s", "ms", "us", "ns") if nanoseconds % _UNITS[unit] == 0)
    return f"{nanoseconds // _UNITS[unit]}{unit}"
