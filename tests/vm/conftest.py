"""One boot of each kernel, whose trace all tests look at."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernels import FLAVOURS, FUNCTIONS, Traced, UnavailableKernelError, boot, unpacked
from tracing import read_lines

GUEST = Path(__file__).with_name("guest.py")
PROGRAM = Path(__file__).parents[1] / "bpf" / "programs" / "disk.c"
ALL = "DATACRUMBS_ALL_KERNELS"
DEFAULT = "6.12"


@pytest.fixture(scope="session", params=list(FLAVOURS))
def traced(request: pytest.FixtureRequest) -> Iterator[Traced]:
    """A run in an emulated kernel; all but one kernel only where `make test-kernels` asks for them."""
    name = request.param
    if name != DEFAULT and not os.environ.get(ALL):
        pytest.skip(f"kernel {name} is for make test-kernels")
    try:
        kernel = unpacked(name)
    except UnavailableKernelError as error:
        pytest.skip(f"vm: no kernel {name}: {error}")
    Path("/var/lib/datacrumbs-tests").mkdir(mode=0o755, exist_ok=True)
    shared = Path(tempfile.mkdtemp(prefix="datacrumbs-vm-"))
    try:
        program = shared / "disk"
        subprocess.run(["gcc", "-O1", "-o", program, PROGRAM], check=True)
        # The guest's /tmp is its own, so the shared folder is passed by the name that both know.
        boot(kernel, f"{sys.executable} {GUEST} {shared} {program} {FUNCTIONS[name]}", shared)
        result = json.loads((shared / "result.json").read_text())
        yield Traced(name, read_lines(shared / "trace.pfw.gz"), **result)
    finally:
        shutil.rmtree(shared)
