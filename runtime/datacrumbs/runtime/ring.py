"""The ring buffer of a run.

The kernel clears all its memory when it is made, and waits for every program that may be running when it is put into
its slot: some ten milliseconds each, in which the programs are loaded and attached.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from datacrumbs.core.errors import DataCrumbsError, KernelError
from datacrumbs.runtime._native import ffi, lib
from datacrumbs.runtime.beside import Beside
from datacrumbs.runtime.programs import SLOT, Programs, update


@contextlib.contextmanager
def made(mib: int) -> Iterator[Beside[int]]:
    """Has a ring made, and closes it.

    Args:
        mib: its size in MiB, a power of two.

    Yields:
        Its descriptor, once it is there.

    Raises:
        KernelError: from the result: the kernel gives none.
    """
    ring = Beside(lambda: _create(mib))
    try:
        yield ring
    finally:
        with contextlib.suppress(DataCrumbsError):
            os.close(ring.result())


def in_slot(programs: Programs, ring: Beside[int]) -> Beside[None]:
    """Has a ring put into the run's slot.

    Raises:
        KernelError: from the result: there is no ring, or the kernel does not take it.
    """
    return Beside(lambda: update(programs.map("rings"), ffi.new("uint32_t *", SLOT), ffi.new("int *", ring.result())))


def _create(mib: int) -> int:
    descriptor: int = lib.bpf_map_create(lib.BPF_MAP_TYPE_RINGBUF, b"dc_ring", 0, 0, mib << 20, ffi.NULL)
    if descriptor < 0:
        raise KernelError(
            f"the kernel gives no ring buffer of {mib} MiB: {os.strerror(-descriptor)}", "set a smaller ring_mib"
        )
    return descriptor
