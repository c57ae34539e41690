"""Starting and stopping a unit of systemd, with time-outs of our own."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Final

from datacrumbs.core.errors import UnavailableError

_BOOTED: Final = Path("/run/systemd/system")  # sd_booted(3)
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # schedulers' hooks have none
_QUICK_SECONDS: Final = 5.0
_KILLED_SECONDS: Final = 5.0


def require_systemd() -> None:
    """Refuses a node without systemd.

    Raises:
        UnavailableError: it does not run here.
    """
    if not _BOOTED.is_dir():
        raise UnavailableError("systemd does not run on this node", "jobs are traced on nodes with systemd only")


def start(unit: str, seconds: float) -> str:
    """Starts a unit and waits until it is ready. After a failure nothing of it runs on.

    Returns:
        Empty, or why it is not ready.
    """
    began = time.monotonic()
    done = _systemctl("start", unit, seconds=seconds)
    if done is None:
        kill(unit)
        return f"the runtime was not ready within {seconds:.0f} s"
    if done.returncode == 0:
        return ""
    if "canceled" in done.stderr:  # whoever stopped it ends it as well
        return "the runtime was stopped before it was ready"
    if "not found" in done.stderr:
        return f"{unit} is not installed on this node"
    # A unit that systemd itself has given up is stopped already; a job of systemd's that was replaced may not be.
    if is_active(unit):
        kill(unit)
    return f"the runtime failed after {time.monotonic() - began:.1f} s"


def stop(unit: str, seconds: float) -> str:
    """Stops a unit and waits until it is inactive; one that does not end in time is killed.

    Returns:
        Empty, or what went wrong.
    """
    done = _systemctl("stop", unit, seconds=seconds)
    if done is not None and done.returncode == 0:
        return ""
    if done is not None and ("not loaded" in done.stderr or "not found" in done.stderr):
        return ""
    killed = kill(unit)
    why = f"did not end within {seconds:.0f} s" if done is None else "could not be stopped"
    return f"the runtime {why} and was killed" if killed else f"the runtime {why}, nor be killed"


def kill(unit: str) -> bool:
    """Kills all processes of a unit; returns whether it is inactive then."""
    _systemctl("kill", "--signal=SIGKILL", unit, seconds=_QUICK_SECONDS)
    _systemctl("stop", unit, seconds=_KILLED_SECONDS)
    return not is_active(unit)


def is_active(unit: str) -> bool:
    """Whether the unit is active, or on its way to or from there."""
    done = _systemctl("is-active", unit, seconds=_QUICK_SECONDS)
    return done is None or done.stdout.strip() in {"active", "activating", "deactivating", "reloading"}


def active_runs() -> list[str]:
    """Ids of the runs whose unit is active."""
    arguments = ("list-units", "--plain", "--no-legend", "--full", "--all", "datacrumbs@*.service")
    done = _systemctl(*arguments, seconds=_QUICK_SECONDS)
    words = [line.split() for line in done.stdout.splitlines()] if done else []
    return [
        line[0].removeprefix("datacrumbs@").removesuffix(".service")
        for line in words
        if len(line) > 2 and line[2] in {"active", "activating", "deactivating"}
    ]


def _systemctl(*arguments: str, seconds: float) -> subprocess.CompletedProcess[str] | None:
    """What `systemctl` said; None when it took too long.

    Raises:
        UnavailableError: it is not installed.
    """
    try:
        return subprocess.run(
            ["systemctl", "--no-pager", "--no-ask-password", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            env={"PATH": _PATH, "LC_ALL": "C", "SYSTEMD_COLORS": "0"},
        )
    except subprocess.TimeoutExpired:
        return None
    except OSError as error:
        raise UnavailableError(f"cannot run systemctl: {error.strerror}", "install systemd") from error
