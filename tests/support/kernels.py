"""Kernels of the distribution, unpacked and booted in an emulator: for what the machine's own kernel cannot do.

The packages come from the mirror that apt is configured with, and are kept in build/vm. virtme-ng boots them on this
machine's own file system, read-only, without KVM. Emulation sometimes panics at boot, and QEMU's exit code says
nothing: what counts is a last word of our own.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "vm"
LAST_WORD = "DATACRUMBS-VM-DONE"
ATTEMPTS = 4
BOOT_SECONDS = 300
ALL_SECONDS = 480
"""For all attempts: a panic takes seconds, an emulator that hangs takes all of its time."""
SBIN = "/usr/sbin:/sbin"


class UnavailableKernelError(Exception):
    """A kernel cannot be had here."""


@dataclass(frozen=True)
class Kernel:
    """A kernel image with its modules beside it."""

    release: str
    image: Path


@dataclass(frozen=True)
class Flavour:
    """Which package is wanted: a pattern of its name, and a suite that apt may not know."""

    name: str
    pattern: str
    suite: str


FLAVOURS = {
    "6.12": Flavour("6.12", r"linux-image-6\.12\.[0-9]+\+deb12-amd64(-unsigned)?", "bookworm-backports"),
    "6.1": Flavour("6.1", r"linux-image-6\.1\.0-[0-9]+-amd64(-unsigned)?", "bookworm"),
}


FUNCTIONS = {"6.12": 500, "6.1": 11}
"""How many kernel functions to attach: trampolines are for a few."""


@dataclass(frozen=True)
class Traced:
    """What a kernel left: its trace, and how its functions were attached."""

    kernel: str
    lines: list[dict[str, Any]]
    functions: int
    output: str
    links: list[str]
    path: str

    def spans(self, name: str) -> list[dict[str, Any]]:
        """The spans of a name on the file that the program wrote, in the order of their beginnings."""
        names = {x["args"]["value"]: x["args"]["name"] for x in self.lines if x["name"] == "FH" and x["ph"] == "M"}
        found = [x for x in self.lines if x["ph"] == "X" and x["name"] == name]
        return sorted((x for x in found if names.get(x["args"].get("fhash", "")) == self.path), key=lambda x: x["ts"])


def unpacked(name: str) -> Kernel:
    """A kernel, fetched and unpacked where that has not been done.

    Raises:
        UnavailableKernelError: there is no mirror, or it has no such kernel.
    """
    flavour = FLAVOURS[name]
    folder = KEPT / flavour.name
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _fetch(flavour, folder)
    image = next((folder / "boot").glob("vmlinuz-*"))
    return Kernel(image.name.removeprefix("vmlinuz-"), image)


def _mirror() -> str:
    """The archive that apt is configured with."""
    texts = [p.read_text() for p in Path("/etc/apt").glob("sources.list.d/*") if p.suffix in (".list", ".sources")]
    main = Path("/etc/apt/sources.list")
    text = "\n".join([main.read_text() if main.exists() else "", *texts])
    found = re.search(r"^(?:deb .*?|URIs:\s*)(\S+://\S+/debian)/?(?:\s|$)", text, re.MULTILINE)
    if not found:
        raise UnavailableKernelError("apt is configured with no Debian mirror")
    return found[1]


def _fetch(flavour: Flavour, folder: Path) -> None:
    apt = folder / "apt"
    (apt / "lists").mkdir(parents=True)
    (apt / "cache/archives/partial").mkdir(parents=True)
    keys = next(iter(Path("/usr/share/keyrings").glob("debian-archive-keyring*")), None)
    signed = f"[signed-by={keys}] " if keys else ""
    (apt / "sources.list").write_text(f"deb {signed}{_mirror()} {flavour.suite} main\n")
    options = [
        f"-oDir::Etc::sourcelist={apt}/sources.list",
        "-oDir::Etc::sourceparts=-",
        f"-oDir::State::lists={apt}/lists",
        f"-oDir::Cache={apt}/cache",
        "-oAPT::Sandbox::User=root",
        "-oAcquire::Languages=none",
    ]
    _run(["apt-get", *options, "-qq", "update"])
    listed = _run(["apt-cache", *options, "search", "--names-only", f"^{flavour.pattern}$"]).split("\n")
    names = [line.split()[0] for line in listed if line.strip()]
    if not names:
        raise UnavailableKernelError(f"the mirror has no kernel like {flavour.pattern} in {flavour.suite}")
    newest = max(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])
    _run(["apt-get", *options, "-qq", "download", newest], cwd=folder)
    package = next(folder.glob("*.deb"))
    _run(["dpkg", "-x", str(package), str(folder)])
    package.unlink()
    shutil.rmtree(apt)
    release = next((folder / "lib/modules").iterdir()).name
    _run(["depmod", "-b", str(folder), release])
    (folder / "complete").write_text("")


def _run(command: list[str], cwd: Path | None = None) -> str:
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:{SBIN}"}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, env=environment)
    if done.returncode:
        raise UnavailableKernelError(f"{' '.join(command[:1])}: {done.stderr.strip()[-400:]}")
    return done.stdout


def boot(kernel: Kernel, command: str, shared: Path) -> str:
    """Boots a kernel, runs a command in it as root, and returns what the console showed.

    Args:
        kernel: which.
        command: for a shell; it sees this machine's files, and may write to `shared` and to /tmp, which is empty.
        shared: a folder that both machines see.

    Raises:
        AssertionError: the command did not get to its end in any attempt.
    """
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:{SBIN}"}
    script = shared / "run.sh"
    script.write_text(f"{command} && echo {LAST_WORD[:5]}''{LAST_WORD[5:]}\n")
    console = ""
    end = time.monotonic() + ALL_SECONDS
    for _ in range(ATTEMPTS):
        with (shared / "console").open("wb") as output:
            words = ["vng", "--run", str(kernel.image), "--disable-kvm", "--cpus", "1", "--memory", "1G", "--verbose"]
            words += ["--user", "root", f"--rwdir={shared}", f"--rodir={ROOT}", "--exec", f"sh {script}"]
            quiet = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(words, env=environment, timeout=min(BOOT_SECONDS, end - time.monotonic()), **quiet)
        console = (shared / "console").read_text(errors="replace")
        if LAST_WORD in console:
            return console
        if "Traceback" in console:
            break  # the command itself failed: another attempt would fail too
    raise AssertionError(f"the command did not end in {kernel.release}:\n{console[-4000:]}")
