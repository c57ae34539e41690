"""Custom probes as the configurator reads them: the description's fields, and what a program may take in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datacrumbs.configurator.gather import gather
from datacrumbs.configurator.resolve import resolve
from datacrumbs.configurator.spec import parse
from datacrumbs.core.customprobes import Custom
from datacrumbs.core.errors import DataError
from datacrumbs.core.probes import ProbeSet


def made(tmp_path: Path, groups: object, source: str = "#include <linux/fs.h>\n", more: str = "") -> ProbeSet:
    (tmp_path / "x.c").write_text(source)
    (tmp_path / "x.json").write_text(json.dumps(groups))
    text = f"capture_probes: [{{name: io, probe: custom, file: {tmp_path}/x.c, probes: {tmp_path}/x.json{more}}}]"
    spec = parse(text.encode(), "host.yaml")
    return resolve(spec, gather(spec), arch="x86_64", most=100).probes


def test_fields_are_where_c_puts_them(tmp_path: Path) -> None:
    """Numbers are aligned as in a struct behind the event's 64 bytes, texts are not; events are numbered on."""
    fields = [
        {"name": "fd", "type": "i32"},
        {"name": "size", "type": "u64"},
        {"name": "tag", "type": "string", "size": 5},
    ]
    fields += [{"name": "flags", "type": "u16"}, {"name": "path", "type": "path", "size": 100}]
    groups = [{"type": 0, "name": "sys", "functions": ["a", "b"], "fields": fields}, {"functions": ["c"]}]
    probes = made(tmp_path, groups, more=", start_event_id: 500")
    assert [probe.name for probe in probes.probes] == ["a", "b", "c"]
    first, second, third = (probe.target for probe in probes.probes)
    assert first == Custom(0, 500, (64, 72, 80, 86), (4, 8, 5, 2), 88, 100)
    assert isinstance(second, Custom) and isinstance(third, Custom)
    assert (second.event, third.event, third.offsets) == (501, 502, ())
    assert ProbeSet.from_json(json.loads(json.dumps(probes.to_json()))) == probes


@pytest.mark.parametrize(
    "source",
    ['#include "/etc/shadow"', "#include </etc/shadow>", "#include <../x.h>", "# include_next <a.h>",
     "#\\\ninclude \"x\"",
     "#define X <y.h>\n#include X", 'asm(".incbin \\"/etc/shadow\\"");', "#embed <x>"],
)  # fmt: skip
def test_nothing_that_is_not_signed_can_be_taken_in(tmp_path: Path, source: str) -> None:
    with pytest.raises(DataError):
        made(tmp_path, [{"functions": ["a"]}], source)


@pytest.mark.parametrize(
    "groups",
    [[], {}, [{"functions": "a"}], [{"functions": [1]}], [{"functions": ["a"], "fields": [{"name": "x"}]}],
     [{"functions": ["a"], "fields": [{"name": "x", "type": "string"}]}], [{"functions": ["a"], "surprise": 1}],
     [{"functions": ["a"], "fields": [{"name": f"x{i}", "type": "u8"} for i in range(9)]}],
     [{"functions": ["a"], "fields": [{"name": "x", "type": "path", "size": 5000}]}]],
)  # fmt: skip
def test_descriptions_that_make_no_sense_are_refused(tmp_path: Path, groups: object) -> None:
    with pytest.raises(DataError):
        made(tmp_path, groups)
