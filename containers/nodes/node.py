"""One node: boots, runs commands, loses its power, boots again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nodes import cgroups
from nodes.errors import NodesError
from nodes.world import FOLDER, World, children

BOOT_SECONDS: Final = 120
COMMAND_SECONDS: Final = 60
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Node:
    """A machine as its systemd sees it; `root` is its file system, as a path of ours."""

    def __init__(self, world: World, name: str, layers: Sequence[Path], binds: Sequence[str]) -> None:
        """Makes a node that is switched off.

        Args:
            world: where it is.
            name: its host name.
            layers: folders of the world that are laid over each other, the topmost first; the last one is a whole root.
            binds: options that give it folders of the world: --bind=FROM:TO, --bind-ro=FROM:TO.
        """
        self.name = name
        self._world = world
        self._layers = layers
        self._binds = binds
        self._place = FOLDER / "nodes" / name
        self._group = cgroups.name_of(os.getpid(), name)
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._mount()

    def _mount(self) -> None:
        for part in ("upper", "work", "root"):
            self._world.path(self._place / part).mkdir(parents=True)
        lower = ":".join(map(str, self._layers))
        options = f"lowerdir={lower},upperdir={self._place}/upper,workdir={self._place}/work"
        self._world.run("mount", "-t", "overlay", "-o", options, self.name, self._place / "root")

    @property
    def root(self) -> Path:
        """Its file system without what it mounts itself: its disk, which may be changed while it is off, too."""
        return self._world.path(self._place / "root")

    @property
    def pid(self) -> int:
        """Its first process, as we see its number; 0 while the node is off."""
        return self._leader

    def start(self) -> None:
        """Switches it on; `wait` until it has booted. Call it from the main thread: a node dies with its caller."""
        joins = " ".join(f"echo 0 > {path};" for path in cgroups.create(self._group))
        console = self._world.path(self._place / "console").open("ab")
        # A node's systemd that finds our notification socket or invocation would report to it.
        environment = {"PATH": _PATH, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        with console:
            self._process = self._world.start(
                ["sh", "-c", f'{joins} exec "$@"', "sh", *self._nspawn()],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment, start_new_session=True,
            )  # fmt: skip

    def _nspawn(self) -> list[str]:
        return [
            *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--console=pipe"),
            *("-D", str(self._place / "root"), "-M", self.name, f"--hostname={self.name}", "--network-bridge=nodes"),
            *("--private-users=no", "--capability=all", "--system-call-filter=bpf perf_event_open"),
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no", "--bind=/sys/fs/bpf"),
            *self._binds,
        ]

    def wait(self) -> None:
        """Waits until it has booted.

        Raises:
            NodesError: it ends, or does not come up in BOOT_SECONDS; with the last words of its console.
        """
        assert self._process
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            if self._process.poll() is not None:
                raise NodesError(f"{self.name} ends with {self._process.returncode} at boot: {self.console()}")
            self._leader = self._leader or self._find_leader()
            if self._leader and self._is_up():
                return
            if time.monotonic() > deadline:
                raise NodesError(f"{self.name} has not booted in {BOOT_SECONDS} s: {self.console()}")
            time.sleep(0.05)

    def _find_leader(self) -> int:
        """The first process of the innermost namespace: nsenter, nspawn, its two children, systemd."""
        assert self._process
        waiting = [self._process.pid]
        while waiting:
            pid = waiting.pop()
            with contextlib.suppress(OSError, StopIteration):
                status = Path(f"/proc/{pid}/status").read_text().splitlines()
                numbers = next(line for line in status if line.startswith("NSpid:")).split()[1:]
                if len(numbers) >= 3 and numbers[-1] == "1" and "Name:\tsystemd" in status:
                    return pid
            waiting += children(pid)
        return 0

    def _is_up(self) -> bool:
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def boot(self) -> None:
        """Switches it on and waits until it has booted; see `wait`."""
        self.start()
        self.wait()

    def power_off(self) -> None:
        """Ends it at once, as a power cut would: no service is stopped, nothing is written; its disk stays."""
        if not self._process:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._leader or self._process.pid, signal.SIGKILL)
        self._process.wait(COMMAND_SECONDS)
        self._process, self._leader = None, 0
        cgroups.remove(self._group)

    def abandon(self) -> None:
        """Cleans up after a world that has ended, and the node with it."""
        if self._process:
            self._process.wait(COMMAND_SECONDS)
        cgroups.remove(self._group)

    def command(self, *command: str | Path, user: str = "root", env: Mapping[str, str] | None = None) -> list[str]:
        """What runs a command in the node: as a user who has just logged in, and in that user's home.

        The command dies with whoever runs it.
        """
        if not self._leader:
            raise NodesError(f"{self.name} is switched off")
        variables = [f"{name}={value}" for name, value in (env or {}).items()]
        enter = ["nsenter", "-t", str(self._leader), "--all", "--"]
        become = ["setpriv", "--pdeathsig", "KILL", "--reset-env", "--reuid", user, "--regid", user, "--init-groups"]
        login = ["env", f"PATH={_PATH}", "LC_ALL=C.UTF-8", *variables, "sh", "-c", 'cd && exec "$@"', "sh"]
        return [*enter, *become, *login, *map(str, command)]

    def run(
        self,
        *command: str | Path,
        user: str = "root",
        check: bool = True,
        timeout: float = COMMAND_SECONDS,
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in the node.

        Args:
            command: program and arguments; no shell takes them apart.
            user: who runs it.
            check: raise NodesError when it fails.
            timeout: in seconds.
            env: more variables.
            options: of subprocess.run.

        Raises:
            NodesError: it fails; with what it said.
            subprocess.TimeoutExpired: it takes too long.
        """
        options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
        done = subprocess.run(
            self.command(*command, user=user, env=env),
            capture_output=True, text=True, timeout=timeout, check=False, **options,
        )  # fmt: skip
        if check and done.returncode:
            said = (done.stderr + done.stdout).strip()[-2000:]
            raise NodesError(f"{self.name}: {' '.join(map(str, command))} ends with {done.returncode}: {said}")
        return done

    def console(self) -> str:
        """The last words on its console."""
        try:
            return self._world.path(self._place / "console").read_text(errors="replace")[-2000:]
        except OSError:
            return "(no console)"
