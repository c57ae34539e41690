"""A ProbeSet survives its JSON form; anything else is refused with the place that is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from datacrumbs.core.errors import DataError
from datacrumbs.core.probes import (
    ARGUMENT_TYPES,
    RESULT,
    RESULT_TYPES,
    Argument,
    Binary,
    Capture,
    FileRef,
    Function,
    Place,
    Probe,
    ProbeSet,
    Syscall,
)
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
INDEX = st.integers(-1, 5)
PLACES = st.builds(
    Place, st.sampled_from(["", "di", "const"]), st.integers(-(2**31), 2**31 - 1), st.booleans(), st.booleans()
)
ARGUMENTS = st.builds(
    Argument,
    TEXT,
    st.integers(0, 15),
    st.sampled_from([kind for kind in ARGUMENT_TYPES if kind != "string"]),
    st.none() | PLACES,
)
REFS = st.builds(FileRef, INDEX, INDEX, INDEX, st.booleans(), st.booleans(), st.sampled_from(["", "mpi", "x1_"]))
CAPTURES = st.builds(
    Capture,
    st.lists(ARGUMENTS, min_size=1, max_size=8).map(tuple),
    st.lists(REFS, max_size=2).map(tuple),
    st.sampled_from(RESULT_TYPES),
    st.lists(st.integers(RESULT, 0), max_size=3).map(tuple),
)
CALLS = st.builds(Probe, TEXT, TEXT, st.just("syscall"), st.builds(Syscall, TEXT, st.integers(0, 1023)), CAPTURES)
FUNCTIONS = st.builds(
    Probe,
    TEXT,
    TEXT,
    st.just("uprobe"),
    st.builds(Function, st.just(0), st.integers(0, 2**62), TEXT, st.integers(0, 64)),
    CAPTURES,
)
SETS = st.builds(
    ProbeSet,
    arch=TEXT,
    probes=st.lists(CALLS | FUNCTIONS, min_size=1, max_size=5).map(tuple),
    files=st.just((Binary("/usr/lib/libc.so.6", "00ff"),)),
    min_duration_ns=st.integers(0, 2**62),
    excluded=st.lists(TEXT, max_size=3).map(tuple),
)


@given(SETS)
def test_every_set_survives_json(probes: ProbeSet) -> None:
    assert ProbeSet.from_json(json.loads(json.dumps(probes.to_json()))) == probes


@given(SETS, st.data())
def test_a_member_that_is_missing_is_named(probes: ProbeSet, data: st.DataObject) -> None:
    value: dict[str, Any] = probes.to_json()
    name = data.draw(st.sampled_from(sorted(value)))
    del value[name]
    with pytest.raises(DataError, match=name):
        ProbeSet.from_json(value)
