"""What all tests share: the checkout, its installed commands, and which tests this machine can run.

Tests use what `make build` installed into .venv, never the sources on a path, so that they see what a user gets.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
from nodes import missing

ROOT = Path(__file__).resolve().parent.parent
_LOCK = Path("/run/lock/datacrumbs-ebpf.lock")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def bin_dir() -> Path:
    """Where the commands of the checkout are installed."""
    return ROOT / ".venv" / "bin"


@pytest.fixture(autouse=True)
def one_at_a_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests that attach eBPF programs run one after another on a machine, whatever checkout they belong to: uprobes are
    registered under one lock in the kernel.
    """
    if not request.node.get_closest_marker("ebpf"):
        yield
        return
    _LOCK.parent.mkdir(exist_ok=True)
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _missing_for_ebpf() -> str:
    if os.geteuid() != 0:
        return "not root: run sudo make test"
    if not Path("/sys/kernel/btf/vmlinux").exists():
        return "this kernel has no BTF (/sys/kernel/btf/vmlinux)"
    if not Path("/sys/kernel/tracing/events").exists():
        return "tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing"
    status = Path("/proc/self/status").read_text()
    effective = int(next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[1], 16)
    if not effective & 1 << 39:
        return "no CAP_BPF: this container may not load BPF programs"
    return ""


def _missing_for_vm() -> str:
    wanted = ("qemu-system-x86_64", "busybox")
    return next((f"no {name}" for name in wanted if not shutil.which(name)), "")


def _missing_for_cluster() -> str:
    return missing.find()


def _missing_for_flux() -> str:
    return "" if shutil.which("flux") else "no flux"


def _missing_for_browser() -> str:
    return "" if browser.find() else "no chromium"


_NEEDS = {
    "ebpf": _missing_for_ebpf,
    "cluster": _missing_for_cluster,
    "vm": _missing_for_vm,
    "flux": _missing_for_flux,
    "browser": _missing_for_browser,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what this machine cannot run, each with what is missing; pytest's summary (-ra) shows it."""
    lacks = {marker: find() for marker, find in _NEEDS.items()}
    for item in items:
        for marker, reason in lacks.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=f"{marker}: {reason}"))
    # What needs only Python comes first: a mistake there shows in seconds. The order is otherwise as collected.
    items.sort(key=lambda item: bool(item.get_closest_marker("ebpf") or item.get_closest_marker("vm")))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says loudly which kinds of tests did not run here, or which of them: what is missing may be a part only."""
    texts = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])]
    for marker in _NEEDS:
        reasons = Counter(text.partition(f"{marker}: ")[2] for text in texts if f"{marker}: " in text)
        for reason, count in reasons.items():
            terminalreporter.write_line(f"NOT RUN: {count} {marker} tests: {reason}", yellow=True, bold=True)
