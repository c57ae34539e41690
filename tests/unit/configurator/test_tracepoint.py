"""Kernel tracepoints: what an entry selects, what is taken of their arguments, and what the signer believes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from datacrumbs.configurator.pairs import PAIRS, Pair, pairs_of, subsystem_of
from datacrumbs.configurator.sources import tracepoint
from datacrumbs.configurator.spec import parse
from datacrumbs.core import btf
from datacrumbs.core.errors import DataError
from datacrumbs.core.kernelprobes import Field, Holder, Tracepoint
from datacrumbs.core.probes import Argument, Probe, ProbeSet

pytestmark = pytest.mark.skipif(not Path("/sys/kernel/btf/vmlinux").exists(), reason="this kernel has no BTF")
EVENTS = Path("/sys/kernel/tracing/events")
IO = ("ext4", "jbd2", "xfs", "btrfs", "nfs", "block", "filemap", "writeback", "iomap", "readahead", "filelock")


def select(regex: str, more: str = "") -> dict[str, Probe]:
    text = f"capture_probes: [{{name: k, probe: tracepoint, regex: '{regex}'{more}}}]"
    found = tracepoint.find(parse(text.encode(), "h.yaml").entries[0]).probes
    return {item.probe.name: item.probe for item in found}


def target(probe: Probe) -> Tracepoint:
    assert isinstance(probe.target, Tracepoint)
    return probe.target


def test_both_ends_are_a_span_and_one_end_is_an_event() -> None:
    assert target(select("block:block_rq_(issue|complete)")["block_rq"]).end == "block:block_rq_complete"
    assert target(select("block:block_rq")["block_rq"]).event == "block:block_rq_issue"
    assert target(select("block:block_rq_issue")["block_rq_issue"]).end == ""
    assert list(select("block:block_rq_(issue|complete)", ", exclude: 'block:block_rq_complete'")) == ["block_rq_issue"]


def test_the_category_is_the_subsystem_unless_one_is_given() -> None:
    assert {p.category for p in select("(block|writeback):.*").values()} == {"block", "writeback"}
    assert {p.category for p in select("block:.*", ", category: disk").values()} == {"disk"}


def test_numbers_are_taken_and_addresses_never() -> None:
    """Of a request its size, what it does and where; of pointers only what the tables name, and no raw address."""
    request = select("block:block_rq")["block_rq"]
    assert [a.name for a in request.capture.arguments][:4] == ["bytes", "op", "sector", "dev"]
    assert target(request).holder == Holder("rq", 0, "request")
    assert (target(request).key, target(request).end_key, target(request).result) == (0, 0, 1)
    for probe in select(".*").values():
        for field, argument in zip(target(probe).fields, probe.capture.arguments, strict=True):
            assert field.offsets or "ip" not in argument.name.split("_")


def test_names_of_subsystems_are_those_of_tracefs() -> None:
    """Users cannot read tracefs, so names must tell; a policy speaks of these names."""
    if os.geteuid() or not EVENTS.exists():
        pytest.skip("needs root and tracefs")
    there = [path for subsystem in IO if (EVENTS / subsystem).exists() for path in (EVENTS / subsystem).iterdir()]
    wrong = {f"{p.parent.name}:{p.name}" for p in there if p.is_dir() and subsystem_of(p.name) != p.parent.name}
    assert not wrong


def test_pairs() -> None:
    assert pairs_of(["a_enter", "a_exit", "b_begin", "c_start", "c_done"]) == (
        Pair("a_enter", "a_exit", "a"),
        Pair("c_start", "c_done", "c"),
    )
    assert pairs_of(["nfs_initiate_read", "nfs_readpage_done"])[0].name == "nfs_read"
    assert len({pair.begin for pair in PAIRS}) == len(PAIRS)


def test_what_tells_the_two_ends_of_a_span_is_the_same_in_both() -> None:
    """Of each pair that this kernel has and whose ends need not share a thread: the argument that they share has one
    type, a pointer; and no span has the name of an event, but for one that is its own end.
    """
    found = 0
    kinds = list(btf.all_loaded())
    events = {name.removeprefix("btf_trace_") for types in kinds for name in types.typedefs()}
    for pair in PAIRS:
        assert pair.name not in events - {pair.begin, pair.end}, pair
        for types in kinds:
            begin, end = types.tracepoint(pair.begin), types.tracepoint(pair.end)
            if begin is None or end is None or pair.key < 0:
                continue
            found += 1
            shared = types.written(begin[pair.key].type)
            assert shared == types.written(end[pair.end_key].type), pair
            assert shared.endswith("*"), pair
    assert found >= 2


def test_json_keeps_all() -> None:
    probes = tuple(select("(block|writeback|filemap):.*").values())
    made = ProbeSet("x86_64", probes, kernel="0123456789abcdef")
    assert ProbeSet.from_json(made.to_json()) == made


def test_the_signer_believes_no_offset() -> None:
    """A file that asks for anything but what this kernel's types say would read the kernel's memory at will."""
    probe = select("block:block_rq")["block_rq"]
    tracepoint.check(probe)
    first = target(probe).fields[0]
    for changed in (
        replace(target(probe), fields=(replace(first, offsets=(0,)), *target(probe).fields[1:])),
        replace(target(probe), holder=Holder("rq", 0, "inode")),
        replace(target(probe), result=0),
        replace(target(probe), event="writeback:block_rq_issue"),
        replace(target(probe), end="block:block_bio_complete"),
        replace(target(probe), fields=(*target(probe).fields[1:], Field("rq", 0))),
    ):
        with pytest.raises(DataError):
            tracepoint.check(replace(probe, target=changed))
    with pytest.raises(DataError):
        tracepoint.check(replace(probe, capture=replace(probe.capture, arguments=(Argument("a", 0, "u64"),))))
