"""Flux's system instance on a node, as a site has it: flux.service, of a user of its own, with munge and the IMP of
flux-security, and prolog, epilog and housekeeping as units of systemd. Ordinary users submit to it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from fluxsite import FLUX, Client, Site
from nodes.errors import LackError

URI = "local:///run/flux/local"
HOOKS = ("prolog", "epilog", "housekeeping")
SYSTEM = """
[access]
allow-guest-user = true
allow-root-owner = true
[exec]
imp = "@libexec@/flux-imp"
[job-manager]
plugins = [ { load = "perilog.so" } ]
[job-manager.prolog]
per-rank = true
[job-manager.epilog]
per-rank = true
[job-manager.housekeeping]
"""
IMP = """
[exec]
allowed-users = [ "flux" ]
allowed-shells = [ "@libexec@/flux-shell" ]
"""
RUN = """
[run.@hook@]
allowed-users = [ "flux" ]
allowed-environment = [ "FLUX_*" ]
path = "@libexec@/cmd/flux-run-@hook@"
"""
SIGN = """
[sign]
max-ttl = 1209600
default-type = "munge"
allowed-types = [ "munge" ]
"""


@contextlib.contextmanager
def opened_system(site: Site) -> Iterator[Site]:
    """The instance runs, and takes jobs.

    Raises:
        LackError: the installed Flux has no IMP, or no units.
    """
    units = Path(FLUX).resolve().parents[1] / "lib" / "systemd" / "system"
    if site.run("test", "-x", site.libexec / "flux-imp", check=False).returncode:
        raise LackError(f"flux-security is not installed with {FLUX}: it has no flux-imp")
    if not (units / "flux.service").exists():
        raise LackError(f"{FLUX} is installed without its units")
    site.run("useradd", "--system", "--no-create-home", "flux", check=False)
    site.run("chmod", "4755", site.libexec / "flux-imp")
    if FLUX != "/usr/bin/flux":  # what Flux's own scripts call, with the PATH that the IMP gives them
        site.run("ln", "-sfn", FLUX, "/usr/bin/flux")
    imp = IMP + "".join(RUN.replace("@hook@", hook) for hook in HOOKS)
    for path, text in {
        "/etc/flux/system/conf.d/system.toml": SYSTEM,
        "/etc/flux/imp/conf.d/imp.toml": imp,
        "/etc/flux/security/conf.d/sign.toml": SIGN,
        "/etc/systemd/system/flux.service.d/test.conf": "[Service]\nExecStartPre=\n",  # lingering needs logind
    }.items():
        site.run("mkdir", "-p", Path(path).parent)
        site.run("tee", path, input=text.replace("@libexec@", str(site.libexec)))
    for name in ("flux.service", *(f"flux-{hook}@.service" for hook in HOOKS)):
        site.run("ln", "-sfn", units / name, f"/etc/systemd/system/{name}")
    site.run("systemctl", "daemon-reload")
    site.run("systemctl", "start", "flux.service")
    try:
        user, deadline = Client(site, URI, "alice"), time.monotonic() + 90
        while user.run("run", "true", check=False).returncode:
            assert time.monotonic() < deadline, site.run("journalctl", "-u", "flux", "-n", "60", "--no-pager").stdout
            time.sleep(0.5)
        yield site
    finally:
        site.run("systemctl", "stop", "flux.service", timeout=100)
