"""Do the files hold what a selection says? They are looked at in a process that is the user who asks.

That process has no more rights than the user: it can read nothing that the user could not, and whatever a hostile
file does to it harms nobody else. Since it changed its user id without exec, the user cannot debug it either
(PR_SET_DUMPABLE in prctl(2)), so what it reports is what it saw.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datacrumbs.configurator import protocol
from datacrumbs.configurator.sources import ksym, tracepoint, usdt
from datacrumbs.core import elf
from datacrumbs.core.errors import BusyError, DataCrumbsError, DataError, InternalError
from datacrumbs.core.files import open_regular
from datacrumbs.core.kernelprobes import KernelFunction, Tracepoint
from datacrumbs.core.probes import Binary, Function, ProbeSet
from datacrumbs.core.usdt import Mark, Usdt

_AGAIN: Final = "run datacrumbs_probe_configurator again"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as the kernel reports it."""

    uid: int
    gid: int
    groups: frozenset[int]
    """Supplementary groups."""
    user: str
    """The name that belongs to the uid."""


def examine_as(caller: Caller, probes: ProbeSet, seconds: float) -> None:
    """Compares the files of a selection with what the selection says of them.

    Args:
        caller: as whom the files are opened.
        probes: the selection.
        seconds: how long that may take.

    Raises:
        NoInputError: a file is missing, or the user may not read it.
        DataError: a file is another than the selection says, or an offset is not in its code.
        BusyError: it took too long.
    """
    if not probes.files and not any(isinstance(probe.target, Tracepoint | KernelFunction) for probe in probes.probes):
        return
    here, there = socket.socketpair()
    with here, there:
        pid = os.fork()
        if pid == 0:
            _child(caller, probes, there, seconds)
        there.close()
        try:
            report = protocol.receive(here, 1 << 16, protocol.Deadline(seconds + 1.0))
        except DataCrumbsError as error:
            raise BusyError("looking at the files takes too long", "try again, or name files that are local") from error
        finally:
            os.waitpid(pid, 0)
    if report[:1] != protocol.SIGNED:
        raise protocol.error_from_bytes(report[1:])


def _child(caller: Caller, probes: ProbeSet, there: socket.socket, seconds: float) -> None:
    """The life of the process that looks: it never returns."""
    status = 1
    try:
        # An alarm that is not handled ends the process even where a file system of the user's own never answers.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
        os.setgroups(sorted(caller.groups))
        os.setresgid(caller.gid, caller.gid, caller.gid)
        os.setresuid(caller.uid, caller.uid, caller.uid)
        os.chdir("/")
        reply = protocol.SIGNED
        try:
            compare(probes)
        except DataCrumbsError as error:
            reply = protocol.FAILED + protocol.error_to_bytes(error)
        except Exception as error:
            reply = protocol.FAILED + protocol.error_to_bytes(InternalError(f"{type(error).__name__}: {error}"))
        protocol.send(there, reply, protocol.Deadline(1.0))
        status = 0
    finally:
        os._exit(status)


def compare(probes: ProbeSet) -> None:
    """Compares the files of a selection with the selection, as whoever we are; raises as `examine_as` does."""
    offsets: dict[int, list[Function]] = defaultdict(list)
    marks: dict[int, list[Mark]] = defaultdict(list)
    switches: dict[int, list[Mark]] = defaultdict(list)
    for probe in probes.probes:
        if isinstance(probe.target, Function):
            offsets[probe.target.file].append(probe.target)
        elif isinstance(probe.target, Usdt):
            marks[probe.target.file] += [probe.target.mark, *probe.target.ends, *probe.target.switches]
            switches[probe.target.file] += probe.target.switches
        elif isinstance(probe.target, Tracepoint):
            # Offsets into the kernel's memory are not taken on trust: they could lead anywhere.
            tracepoint.check(probe)
        elif isinstance(probe.target, KernelFunction):
            ksym.check(probe)
    for index, binary in enumerate(probes.files):
        image = _image(binary)
        if image.build_id != binary.build_id:
            raise DataError(f"{binary.path} is another file than when its functions were looked up", _AGAIN)
        # The kernel counts in a semaphore, which is in the memory of every process that has mapped the file: it must
        # be one, and not any two bytes that a selection chooses.
        known = {point.mark for point in usdt.read(binary.path).points} if marks[index] else set()
        for mark in marks[index]:
            if mark not in known and not (mark in switches[index] and _is_switch(mark, known, image)):
                raise DataError(f"{binary.path} has no USDT probe at {mark.offset:#x}", _AGAIN)
        for function in offsets[index]:
            if not (image.holds_code(function.offset) and image.holds_code(function.offset + function.skip)):
                raise DataError(f"{binary.path} has no code at {function.offset:#x} ({function.symbol})", _AGAIN)


def _is_switch(mark: Mark, known: Collection[Mark], image: elf.Image) -> bool:
    return image.holds_code(mark.offset) and any(mark.semaphore == other.semaphore for other in known)


def _image(binary: Binary) -> elf.Image:
    with open_regular(binary.path) as fd:
        real = str(Path(f"/proc/self/fd/{fd}").readlink())
        if real != binary.path:
            # The policy speaks of real names: a link in a folder must not lead around it.
            raise DataError(f"{binary.path} is really {real}", _AGAIN)
        return elf.read_open(fd, binary.path)
