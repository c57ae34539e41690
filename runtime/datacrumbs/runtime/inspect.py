"""Opening the probed files: with the user's rights, once, and never by name again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence

from datacrumbs.core.errors import DataCrumbsError
from datacrumbs.core.files import require_regular
from datacrumbs.core.probes import Binary, Function, ProbeSet
from datacrumbs.core.usdt import Usdt
from datacrumbs.core.users import User, open_as
from datacrumbs.runtime.plan import Inspected


def opener(path: str, flags: int = os.O_RDONLY, follow: bool = True) -> Callable[[], int]:
    """An action for `open_as` that opens a file without blocking on a FIFO."""
    return lambda: os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW))


@contextlib.contextmanager
def inspected(probes: ProbeSet, user: User) -> Iterator[tuple[Inspected, ...]]:
    """Opens and checks every file of the set; the descriptors stay open for the length of the context."""
    with contextlib.ExitStack() as stack:
        offsets, marks = _offsets(probes), _marks(probes)
        yield tuple(_inspect(stack, binary, offsets[i], marks[i], user) for i, binary in enumerate(probes.files))


def _offsets(probes: ProbeSet) -> list[list[int]]:
    result: list[list[int]] = [[] for _ in probes.files]
    for probe in probes.probes:
        if isinstance(probe.target, Function):
            result[probe.target.file].append(probe.target.offset)
    return result


def _marks(probes: ProbeSet) -> list[list[int]]:
    result: list[list[int]] = [[] for _ in probes.files]
    for target in (probe.target for probe in probes.probes):
        if isinstance(target, Usdt):
            result[target.file] += [mark.offset for mark in (target.mark, *target.ends, *target.switches)]
    return result


def _inspect(
    stack: contextlib.ExitStack, binary: Binary, offsets: Sequence[int], marks: Sequence[int], user: User
) -> Inspected:
    # Here, because runs on system calls alone are ready sooner without an ELF reader.
    from datacrumbs.core import elf
    from datacrumbs.runtime.exits import find_exits

    try:
        descriptor = open_as(user, opener(binary.path))
        stack.callback(os.close, descriptor)
        require_regular(descriptor, binary.path)
        image = elf.read_open(descriptor, binary.path)
    except OSError as error:
        return Inspected(-1, f"{binary.path}: {error.strerror}")
    except DataCrumbsError as error:
        return Inspected(-1, error.message)
    if image.build_id != binary.build_id:
        return Inspected(-1, f"{binary.path} has changed since it was signed (its build id is another)")
    outside = [offset for offset in (*offsets, *marks) if not image.holds_code(offset)]
    if outside:
        return Inspected(-1, f"{binary.path} has no code at offset {outside[0]:#x}")
    if not offsets:
        return Inspected(descriptor)
    return Inspected(descriptor, exits=find_exits(descriptor, binary.path, image, offsets))
