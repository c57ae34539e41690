"""Custom probes: compiled and attached by a helper process with BCC, which hands over what keeps them attached."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from datacrumbs.core import btf
from datacrumbs.core.customprobes import Custom
from datacrumbs.core.errors import KernelError, UnavailableError
from datacrumbs.core.probes import ProbeSet
from datacrumbs.runtime._native import lib
from datacrumbs.runtime.programs import SLOT, Programs

PYTHON: Final = "/usr/bin/python3"
"""The interpreter that has the module bcc, which PyPI has not: python3-bpfcc on Debian, python3-bcc on RHEL."""
_FOLDER: Final = Path(__file__).parents[1]
_SECONDS: Final = 45
"""Less than systemd gives the runtime to start."""
_INSTALL: Final = "install python3-bpfcc (Debian) or python3-bcc (RHEL), and the kernel's headers"


@contextlib.contextmanager
def attached(programs: Programs, probes: ProbeSet, headers: Path | None) -> Iterator[None]:
    """Compiles and attaches the custom probes of a set for the length of the context.

    Args:
        programs: the loaded programs, whose tables they use.
        probes: the verified probes.
        headers: the kernel's headers, if they are not where they are looked for.

    Raises:
        UnavailableError: BCC or the headers are missing.
        KernelError: it does not compile, or the kernel does not take it.
    """
    with contextlib.ExitStack() as stack:
        for index in range(len(probes.programs)):
            source = stack.enter_context(_headers(headers))
            for descriptor in _compile(programs, probes, index, source):
                stack.callback(os.close, descriptor)
        yield


def _compile(programs: Programs, probes: ProbeSet, index: int, source: Path | None) -> list[int]:
    program = probes.programs[index]
    maps = [programs.map(name) for name in ("tasks", "runs", "rings", "lost")]
    here, there = socket.socketpair()
    with here, there:
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        if source:
            environment["BCC_KERNEL_SOURCE"] = str(source)
        helper = subprocess.Popen(
            [PYTHON, "-I", str(_FOLDER / "custom_helper.py"), str(there.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            cwd="/",
            pass_fds=[there.fileno(), *maps],
        )
        there.close()
        try:
            text = _text(probes, index, dict(zip(("TASKS", "RUNS", "RINGS", "LOST"), maps, strict=True)))
            _, said = helper.communicate(json.dumps({"text": text}).encode(), timeout=_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise KernelError(
                f"the custom probe {program.name} is not compiled in {_SECONDS} s", "make it smaller"
            ) from error
        finally:
            if helper.poll() is None:
                helper.kill()
                helper.wait()
        value, found = _receive(here)
    if not value or value.get("error"):
        for descriptor in found:
            os.close(descriptor)
        if value.get("missing"):
            raise UnavailableError(
                f"the custom probe {program.name} needs BCC: {value['error']}", _INSTALL, who="administrator"
            )
        if b"nable to find kernel headers" in said or b"chdir(/lib/modules" in said:
            raise UnavailableError(
                f"the custom probe {program.name} needs the kernel's headers", _INSTALL, who="administrator"
            )
        raise KernelError(
            f"the custom probe {program.name} cannot be used: {_reason(said, value)}", "correct its BPF C"
        )
    return found


def _receive(here: socket.socket) -> tuple[dict[str, object], list[int]]:
    """The helper's answer; it has ended, so all of it is there."""
    found: list[int] = []
    text = b""
    while select.select([here], [], [], 0)[0]:
        data, descriptors, _, _ = socket.recv_fds(here, 1 << 16, 253)
        found += descriptors
        if not data:
            break
        text += data
    try:
        value = json.loads(text.rstrip(b"+") or b"{}")
    except ValueError:
        value = {}
    return (value if isinstance(value, dict) else {}), found


def _reason(said: bytes, value: dict[str, object]) -> str:
    """The compiler's or the verifier's first complaint, in one line."""
    lines = said.decode(errors="replace").splitlines()
    complaint = next((line for line in lines if re.search(r"\b(fatal )?error: ", line)), "")
    return (complaint or str(value.get("error") or "") or (lines[-1] if lines else "the helper failed")).strip()[:300]


def _text(probes: ProbeSet, index: int, maps: dict[str, int]) -> str:
    """The whole program: numbers of this run, our part, and the site's, whose lines count from 1."""
    targets = {i: probe.target for i, probe in enumerate(probes.probes) if isinstance(probe.target, Custom)}
    own = {i: target.event for i, target in targets.items() if target.program == index}
    if not own or list(own) != list(range(min(own), min(own) + len(own))):
        raise KernelError(f"the events of {probes.programs[index].name} are not in order", "make the probes file again")
    credentials, user = _user_of_task()
    numbers = {f"DATACRUMBS_{name}": number for name, number in maps.items()} | {
        "DATACRUMBS_SLOT": SLOT,
        "DATACRUMBS_KIND": lib.DC_CUSTOM,
        "DATACRUMBS_FIRST": min(own),
        "DATACRUMBS_EVENTS": len(own),
        "DATACRUMBS_START_EVENT": own[min(own)],
        "DATACRUMBS_CRED": credentials,
        "DATACRUMBS_EUID": user,
    }
    lines = [f"#define {name} {number}" for name, number in numbers.items()]
    prelude = (_FOLDER / "custom_prelude.h").read_text()
    return "\n".join(lines) + f'\n{prelude}\n#line 1 "probe.c"\n{probes.programs[index].source}\n'


def _user_of_task() -> tuple[int, ...]:
    """Where a task's credentials are, and in them its effective user id: the headers may be another kernel's."""
    place = btf.kernel().member("task_struct", "cred.euid.val")
    if place is None:
        raise KernelError("this kernel's tasks have no cred.euid", "report it with the kernel's version")
    return place.offsets


@contextlib.contextmanager
def _headers(given: Path | None) -> Iterator[Path | None]:
    """Where BCC finds the kernel's headers; None: where it looks by itself.

    BPF programs that look into no structure of the kernel's need no headers of this very kernel: any will do.
    """
    if (
        given
        or Path(f"/lib/modules/{os.uname().release}/build").exists()
        or Path("/sys/kernel/kheaders.tar.xz").exists()
    ):
        yield given
        return
    trees = sorted(Path("/usr/src").glob("linux-headers-*-common")) + sorted(Path("/usr/src/kernels").glob("*"))
    if not trees:
        yield None
        return
    common = trees[-1]
    flavours = [p for p in sorted(common.parent.glob(common.name.removesuffix("common") + "*")) if p != common]
    with tempfile.TemporaryDirectory(prefix="datacrumbs-headers-") as folder:
        _merge(Path(folder), [common, *flavours[:1]])
        yield Path(folder)


def _merge(target: Path, trees: Sequence[Path]) -> None:
    """Debian splits a kernel's headers over two folders; BCC wants one: links to what both have."""
    for tree in trees:
        for inner in ("include", "arch/x86", "arch/arm64"):
            _link_all(tree / inner, target / inner)
            _link_all(tree / inner / "include", target / inner / "include")


def _link_all(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    target.mkdir(parents=True, exist_ok=True)
    for item in source.iterdir():
        if item.name != "include" and not (target / item.name).exists():
            (target / item.name).symlink_to(item)
