"""Totals count each byte once."""

from __future__ import annotations

import pytest
from datacrumbs.analysis import layers
from datacrumbs.core import syscalls


@pytest.mark.parametrize(
    ("categories", "from_kernel", "expected"),
    [
        (["POSIX"], True, {"POSIX"}),
        (["POSIX", "C", "region"], True, {"POSIX"}),
        (["C", "region"], True, {"C"}),
        (["region"], True, {"region"}),
        ([], True, set()),
        (["HDF5", "MPI"], True, {"MPI"}),
        (["POSIX", "STDIO"], False, {"POSIX", "STDIO"}),
        (["POSIX", "STDIO", "COMPUTE"], False, {"POSIX", "STDIO"}),
    ],
)
def test_totals_come_from_the_lowest_layer(categories: list[str], from_kernel: bool, expected: set[str]) -> None:
    """A kernel tracer sees what fwrite writes; a preloaded one does not, so there both layers count."""
    assert layers.totals(categories, from_kernel=from_kernel) == expected


def test_a_call_moves_bytes_one_way_only() -> None:
    assert not layers.READS & layers.WRITES
    assert not (layers.READS | layers.WRITES) & layers.COPIES


@pytest.mark.parametrize("call", ["read", "pread64", "readv", "preadv", "preadv2", "write", "pwritev2", "sendfile"])
def test_our_own_names_of_data_calls_are_known(call: str) -> None:
    name = syscalls.trace_name(call) if hasattr(syscalls, "trace_name") else call
    assert name in layers.READS | layers.WRITES | layers.COPIES
