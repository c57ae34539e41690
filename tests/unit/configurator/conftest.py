"""A site of its own for each test: configuration, policy, keys, and a real signer on a socket."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NOBODY = 65534
SIGNER = "from datacrumbs.configurator.signer.command import main; raise SystemExit(main())"
CONFIGURATOR = "from datacrumbs.configurator.command import main; raise SystemExit(main())"


@dataclass
class Site:
    """Files of a machine's configuration in a folder that everybody may enter."""

    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "datacrumbs.yaml"

    @property
    def socket(self) -> Path:
        return self.folder / "run" / "signer.sock"

    @property
    def key(self) -> Path:
        return self.folder / "var" / "signing.key"

    @property
    def keys_dir(self) -> Path:
        return self.folder / "keys.d"

    @property
    def policy(self) -> Path:
        return self.folder / "policy.yaml"

    def sign(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Runs the signer's command with options, to its end."""
        return subprocess.run(
            [sys.executable, "-c", SIGNER, "--config", str(self.config), *options],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def configure(self, *words: str | Path, uid: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs the configurator, as root or as another user."""
        return subprocess.run(
            [sys.executable, "-c", CONFIGURATOR, *map(str, words), "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.folder,
            **({"user": uid, "group": uid, "extra_groups": []} if uid else {}),
        )

    def start(self) -> subprocess.Popen[str]:
        """Starts the signer and waits until it listens."""
        process = subprocess.Popen(
            [sys.executable, "-c", SIGNER, "--config", str(self.config)], stderr=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        assert process.stderr
        for line in process.stderr:
            if "ready at" in line:
                return process
        raise AssertionError("the signer did not start")

    def stop(self) -> str:
        """Ends the signer; returns what it logged since it was ready."""
        process = self.processes.pop()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0, log
        return log

    def connect(self) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(60)
        peer.connect(str(self.socket))
        return peer


@pytest.fixture
def site() -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="datacrumbs-site-"))
    folder.chmod(0o755)
    result = Site(folder)
    result.config.write_text(
        f"keys_dir: {result.keys_dir}\nsigning_key: {result.key}\n"
        f"policy: {result.policy}\nsigner_socket: {result.socket}\n"
    )
    yield result
    for process in result.processes:
        process.kill()
        process.communicate()
    shutil.rmtree(folder)


@pytest.fixture
def signer(site: Site) -> Site:
    """A site whose signer runs."""
    site.start()
    return site


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles C or C++ source into a shared library that everybody may read."""

    def compiled(source: str, *flags: str, cxx: bool = False, name: str = "libtest.so") -> Path:
        folder = Path(tempfile.mkdtemp(prefix="datacrumbs-elf-"))
        folder.chmod(0o755)
        file = folder / ("test.cc" if cxx else "test.c")
        file.write_text(source)
        out = folder / name
        compiler = "g++" if cxx else "gcc"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", *flags, "-o", str(out), str(file)], check=True)
        out.chmod(0o755)
        folders.append(folder)
        return out

    folders: list[Path] = []
    yield compiled
    for folder in folders:
        shutil.rmtree(folder)


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)
