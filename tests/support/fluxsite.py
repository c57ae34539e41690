"""A node with systemd and DataCrumbs, set up for Flux by datacrumbs_cluster_setup, and instances of root's on it whose
prolog, epilog and housekeeping are those of a system instance; a real one of those is in fluxsystem.py.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nodes.cluster import opened
from nodes.node import Node
from programs import compile_program
from tracing import events_of, read_lines

ROOT = Path(__file__).resolve().parents[2]
FLUX = shutil.which("flux") or "/opt/flux/bin/flux"
CONFIGURATION = """
[access]
allow-root-owner = true
[job-manager]
plugins = [ { load = "perilog.so" } ]
[job-manager.prolog]
per-rank = true
command = [ "@scripts@", "prolog" ]
[job-manager.epilog]
per-rank = true
command = [ "@scripts@", "epilog" ]
[job-manager.housekeeping]
command = [ "@scripts@", "housekeeping" ]
"""
NUMBERS = itertools.count()


class Site:
    """A node on which Flux is set up, and what of it is seen from outside."""

    def __init__(self, node: Node, shared: Path) -> None:
        self.node = node
        self.shared = shared
        """/shared of the node, as a path of ours."""
        self.libexec = Path(self.run(FLUX, "config", "builtin", "libexecdir").stdout.strip())

    def run(self, *command: str | Path, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command on the node, as root, with flux in its PATH."""
        return self.node.run(*command, check=check, env=environment(options.pop("env", {})), **options)

    def configure(self, more: str = "") -> None:
        """The instance's configuration, in /shared/flux."""
        folder = self.shared / "flux"
        folder.mkdir(exist_ok=True)
        text = CONFIGURATION.replace("@scripts@", str(self.libexec / "flux-run-system-scripts"))
        (folder / "test.toml").write_text(text + more)

    def units(self) -> list[str]:
        """The units of runs that systemd still knows."""
        listed = self.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "datacrumbs@*").stdout
        return [line.split()[0] for line in listed.splitlines()]

    def left(self) -> list[str]:
        """What is left of runs in the run directory."""
        names = self.run("ls", "/run/datacrumbs").stdout.split()
        return [name for name in names if name not in ("signer.sock", "signer.lock")]

    def wait_until_nothing_is_left(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while self.units() or self.left():
            assert time.monotonic() < deadline, (self.units(), self.left())
            time.sleep(0.1)

    def traces(self, run_id: str) -> list[Path]:
        return sorted(self.shared.glob(f"traces/{run_id}/{run_id}-*.pfw.gz"))

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """The events of a job, whose trace must be one, closed and without loss."""
        (path,) = self.traces(run_id)
        lines = read_lines(path)
        assert lines[-1]["args"]["name"] == "end" and lines[-1]["args"]["lost"] == 0
        return events_of(lines)


class Client:
    """Somebody who uses a Flux instance on the node."""

    def __init__(self, site: Site, uri: str, user: str = "root") -> None:
        self.site = site
        self.uri = uri
        self.user = user

    def run(self, *arguments: str | Path, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a flux command in the instance."""
        more = {"FLUX_URI": self.uri, **options.pop("env", {})}
        return self.site.run(FLUX, *arguments, check=check, env=more, timeout=100, user=self.user, **options)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Starts a flux command and does not wait for it."""
        command = self.site.node.command(FLUX, *arguments, env=environment({"FLUX_URI": self.uri}), user=self.user)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def last(self) -> str:
        """The run id of the job that was submitted last."""
        return self.plain(self.run("job", "last").stdout.split()[0])

    def plain(self, job: str) -> str:
        return self.run("job", "id", "--to=f58plain", job).stdout.strip()

    def wait(self, job: str, event: str = "clean") -> None:
        self.run("job", "wait-event", "-t", "90", job, event)

    def eventlog(self, job: str) -> list[dict[str, Any]]:
        lines = self.run("job", "eventlog", "--format=json", job).stdout.splitlines()
        return [json.loads(line) for line in lines if line]

    def told(self, job: str) -> list[tuple[int, str]]:
        """The exceptions of ours that a job has: severity and note."""
        events = [event["context"] for event in self.eventlog(job) if event["name"] == "exception"]
        return [(e["severity"], e["note"]) for e in events if e["type"] == "datacrumbs"]

    def drained(self) -> str:
        return self.run("resource", "status", "-no", "{ranks}", "-s", "drain").stdout.strip()


class Instance(Client):
    """A Flux instance of several brokers on the node, all of root's."""

    def __init__(self, site: Site, size: int = 4, *options: str) -> None:
        self._name = f"uri-{next(NUMBERS)}"
        (site.shared / self._name).unlink(missing_ok=True)
        script = (
            f"flux getattr local-uri >/shared/{self._name}.new; mv /shared/{self._name}.new /shared/{self._name}; cat"
        )
        command = [FLUX, "start", f"--test-size={size}", "--config-path=/shared/flux", *options, "sh", "-c", script]
        self._log = (site.shared / f"{self._name}.log").open("w")
        self.process = subprocess.Popen(
            site.node.command(*command, env=environment({})),
            stdin=subprocess.PIPE, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        deadline = time.monotonic() + 100
        while not (site.shared / self._name).exists():
            assert self.process.poll() is None and time.monotonic() < deadline, (
                site.shared / f"{self._name}.log"
            ).read_text()
            time.sleep(0.05)
        super().__init__(site, (site.shared / self._name).read_text().strip())

    def log(self) -> str:
        return (self.site.shared / f"{self._name}.log").read_text()

    def stop(self) -> None:
        """Ends it in order: its brokers and rc3, as at a shutdown."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(100)
        self._log.close()

    def crash(self) -> None:
        """Ends the first broker at once."""
        self.site.run("kill", "-KILL", self.run("getattr", "broker.pid").stdout.strip())
        self.stop()


def environment(more: dict[str, str]) -> dict[str, str]:
    return {"PATH": f"{Path(FLUX).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **more}


@contextlib.contextmanager
def opened_site() -> Iterator[Site]:
    """The node, booted and set up, with the programs `calls` and `static` and a probes file of all system calls.

    Raises:
        LackError: this machine cannot have one.
    """
    with opened(ROOT, count=1) as cluster:
        site = Site(cluster.login, cluster.shared)
        programs = cluster.shared / "programs"
        programs.mkdir()
        compile_program("calls", programs / "calls")
        compile_program("calls", programs / "static", "-static")
        settings = "trace_dir: /shared/traces/{run_id}\nstart_seconds: 20\n"
        site.run("mkdir", "-p", "/etc/datacrumbs", "/shared/traces")
        site.run("chmod", "1777", "/shared/traces")
        site.run("tee", "/etc/datacrumbs/datacrumbs.yaml", input=settings)
        template = "/usr/local/etc/datacrumbs/configs/posix.yaml"
        site.run("datacrumbs_probe_configurator", template, "/shared/probes.json.gz")
        said = site.run("datacrumbs_cluster_setup", "--here", "--scheduler", "flux", input="{}")
        assert said.stdout.startswith("ready"), said
        site.configure()
        yield site


def traced(*command: str | Path, probes: str = "/shared/probes.json.gz") -> Sequence[str | Path]:
    """Options that have a job traced, and its command."""
    return ["--datacrumbs-enable", f"--datacrumbs-probe-file={probes}", *command]
