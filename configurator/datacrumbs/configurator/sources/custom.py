"""Custom probes: a site's BPF C, and the JSON beside it that says which events it sends and what is in them."""

from __future__ import annotations

import re
from typing import Any, Final

from datacrumbs.configurator.material import CustomProbes
from datacrumbs.configurator.spec import Entry
from datacrumbs.core import customprobes, jsontext
from datacrumbs.core.customprobes import HEAD_BYTES, MAX_EVENT, MAX_SOURCE, Custom, CustomProgram
from datacrumbs.core.errors import DataError
from datacrumbs.core.files import read_regular
from datacrumbs.core.probes import ARGUMENT_TYPES, MAX_ARGUMENTS, MAX_NAME, Argument, Capture, Probe

_WIDTHS: Final = {"i8": 1, "u8": 1, "i16": 2, "u16": 2, "i32": 4, "u32": 4, "f32": 4}
_TEXTS: Final = ("string", "path")
_MAX_TEXT: Final = 256
"""Bytes of a text; DC_MAX_TEXT in runtime/bpf/record.h."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
_HINT: Final = "see 'Custom probes' in docs/custom-probes.md"


def find(entry: Entry) -> CustomProbes:
    """The events of an entry's program.

    Raises:
        NoInputError: the program or its description cannot be read.
        DataError: they make no sense.
    """
    if not entry.file or not entry.probes:
        raise DataError("a custom probe needs 'file', its BPF C, and 'probes', the JSON that describes it", _HINT)
    try:
        source = read_regular(entry.file, MAX_SOURCE).decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{entry.file} is not UTF-8 text", "save it as UTF-8") from error
    customprobes.check_source(source, entry.file)
    value = jsontext.parse(read_regular(entry.probes, MAX_SOURCE), entry.probes, most_bytes=MAX_SOURCE)
    probes: list[Probe] = []
    for group in value if isinstance(value, list) else [value]:
        probes += _group(entry, group, entry.start_event_id + len(probes))
    if not probes:
        raise DataError(f"{entry.probes} names no function", _HINT)
    notes = ("'process_header' is not used: the fields in the JSON say what events hold",) if entry.headed else ()
    return CustomProbes(CustomProgram(entry.name, source), tuple(probes), notes)


def _group(entry: Entry, group: Any, first: int) -> list[Probe]:
    """The events of one member of the JSON: upstream's `type`, `name` and `functions`, and our `fields`."""
    if not isinstance(group, dict) or not isinstance(names := group.get("functions"), list):
        raise DataError(f"{entry.probes}: each member needs a list 'functions'", _HINT)
    unknown = set(group) - {"type", "name", "functions", "fields"}
    if unknown:
        raise DataError(f"{entry.probes}: unknown member '{min(unknown)}'", _HINT)
    fields = group.get("fields", [])
    if not isinstance(fields, list):
        raise DataError(f"{entry.probes}: 'fields' is not a list", _HINT)
    target, arguments = _layout(entry, fields)
    probes = []
    for number, name in enumerate(names):
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            raise DataError(f"{entry.probes}: {name!r} is not the name of a function", _HINT)
        probes.append(
            Probe(name, entry.category, "custom", Custom(0, first + number, *target), Capture(arguments, (), "errno"))
        )
    return probes


def _layout(entry: Entry, fields: list[Any]) -> tuple[tuple[Any, ...], tuple[Argument, ...]]:
    """Where the fields are: as in a C struct, behind the event's head."""
    at, path = HEAD_BYTES, (0, 0)
    arguments: list[Argument] = []
    offsets: list[int] = []
    sizes: list[int] = []
    for field in fields:
        name, kind, size = _field(entry, field)
        align = 1 if kind in _TEXTS else size
        at = (at + align - 1) // align * align
        if kind == "path":
            path = (at, size)
        else:
            arguments.append(Argument(name, len(arguments), kind))  # type: ignore[arg-type]
            offsets.append(at)
            sizes.append(size)
        at += size
    if at > MAX_EVENT or len(arguments) > MAX_ARGUMENTS:
        raise DataError(f"{entry.probes}: over {MAX_ARGUMENTS} fields, or over {MAX_EVENT} bytes", "send less")
    return (tuple(offsets), tuple(sizes), *path), tuple(arguments)


def _field(entry: Entry, field: Any) -> tuple[str, str, int]:
    members: dict[str, Any] = field if isinstance(field, dict) else {}
    name, kind, size = members.get("name"), str(members.get("type")), members.get("size")
    if not isinstance(name, str) or not _NAME.match(name) or kind not in (*ARGUMENT_TYPES, *_TEXTS):
        raise DataError(f"{entry.probes}: a field needs a 'name' and a 'type': {field!r}"[:300], _HINT)
    if kind not in _TEXTS:
        return name, kind, _WIDTHS.get(kind, 8)
    if not isinstance(size, int) or not 1 <= size <= (_MAX_TEXT if kind == "string" else MAX_EVENT):
        raise DataError(f"{entry.probes}: the field '{name}' needs its 'size' in bytes", _HINT)
    return name, kind, size
