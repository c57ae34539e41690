"""`datacrumbs_cluster_setup`: makes nodes ready for traced jobs, takes all of it away, or says how a node is.

It runs itself on each node (`--here`), where the software must be installed at the same place as here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from datacrumbs.core import cli, config
from datacrumbs.core.config import Config
from datacrumbs.core.errors import RefusedError, UnavailableError, UsageError
from datacrumbs.core.files import read_regular
from datacrumbs.core.schedulers import Scheduler, find_schedulers
from datacrumbs.core.setup import Record
from datacrumbs.systemd.nodes import node_program

PROG: Final = "datacrumbs_cluster_setup"
STAGES: Final = ("services", "scheduler-hooks", "plugin", "all")
_SECONDS: Final = 300.0
_MOST: Final = 1 << 20
_DESCRIPTION: Final = """\
Make nodes ready for traced jobs (root, over ssh). The software must be on them already, at the same place as here: by
'make install' on each, or in a folder that all of them see.

stages: services (units, the keys that this machine trusts, the reaper), scheduler-hooks or plugin (what the scheduler
calls; one of the two is enough), all (services, and the plugin where it was built, else the hooks)."""


def main() -> int:
    """The command's entry point."""
    return cli.main(PROG, run)


def run(argv: Sequence[str]) -> int:
    """Does it on all nodes.

    Raises:
        UnavailableError: a node is not as it should be.
    """
    options = _options(argv)
    if options.here:
        return _here(options)
    if not options.node_list:
        raise UsageError("no nodes are named", f"see '{PROG} --help'")
    from datacrumbs.systemd.fanout import grouped, on_nodes, parse_nodes

    nodes = parse_nodes(options.node_list)
    command = [node_program(PROG), "--here", *_words(options)]
    answers = on_nodes(nodes, command, json.dumps(_baggage(options)).encode(), _SECONDS, options.ssh_user)
    for names, text in grouped(answers):
        print(f"{names}:")
        for line in text.splitlines():
            print(f"  {line}")
    bad = [answer.node for answer in answers if answer.code != 0]
    if bad:
        what = "as they should be" if options.check else "taken back" if options.unsetup else "ready"
        raise UnavailableError(f"{len(bad)} of {len(nodes)} nodes are not {what}", "see what they say above")
    return 0


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = cli.parser(
        PROG,
        _DESCRIPTION,
        f"{PROG} --node-list 'node[1-4]' --stage all\n"
        f"{PROG} --node-list 'node[1-4]' --check\n"
        f"{PROG} --node-list 'node[1-4]' --unsetup",
    )
    parser.add_argument("--node-list", metavar="NODES", help="such as 'node[1-4],login1', or '@group'")
    parser.add_argument("--ssh-user", default="root", metavar="NAME", help="as whom to log in (default: root)")
    parser.add_argument("--stage", choices=STAGES, default="all", help="what to set up (default: all)")
    parser.add_argument("--scheduler", choices=("slurm", "flux"), default="slurm", help="default: slurm")
    parser.add_argument(
        "--trust", action="append", default=[], type=Path, metavar="KEY.pub", help="a signer's key, too"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--unsetup", action="store_true", help="take away what was set up")
    which.add_argument("--check", action="store_true", help="say what is installed, trusted and possible on each node")
    parser.add_argument("--here", action="store_true", help="do it on this node (what runs on each of them)")
    return parser.parse_args(argv)


def _words(options: argparse.Namespace) -> list[str]:
    what = ["--check"] if options.check else ["--unsetup"] if options.unsetup else ["--stage", options.stage]
    return [*what, "--scheduler", options.scheduler]


def _baggage(options: argparse.Namespace) -> dict[str, Any]:
    """What nodes get from here: the keys that this machine trusts, and its settings."""
    if options.check or options.unsetup:
        return {}
    settings = config.load()
    paths = [*sorted(settings.keys_dir.glob("*.pub")), *options.trust]
    keys = {path.name: read_regular(path, 4096).decode("ascii", "replace") for path in paths}
    own = config.DEFAULT_PATH
    return {"keys": keys, "settings": read_regular(own, _MOST).decode() if own.exists() else ""}


def _here(options: argparse.Namespace) -> int:
    from datacrumbs.systemd import services

    if os.geteuid() != 0:
        raise RefusedError("only root may set up a node", "log in as root, or use --ssh-user")
    baggage = {} if sys.stdin.isatty() else json.loads(sys.stdin.buffer.read(_MOST) or b"{}")
    prefix = _prefix()
    record = Record(services.RECORD)
    scheduler = find_schedulers().get(options.scheduler)
    if options.check:
        states = services.check(prefix, _settings())
        states |= scheduler.check(prefix) if scheduler else {}
        for name, state in states.items():
            print(f"{name}: {state}")
        return 0 if all(states[name] != services.MISSING for name in services.NEEDED) else 69
    if options.unsetup:
        return _take_back(record, prefix, scheduler)
    notes = []
    if options.stage in ("services", "all"):
        notes += services.set_up(prefix, record, baggage.get("keys", {}), baggage.get("settings", ""))
    if options.stage != "services":
        if scheduler is None:
            raise UsageError(f"this installation knows no scheduler '{options.scheduler}'", "install one that does")
        notes += scheduler.set_up(options.stage, prefix, record)
        notes += scheduler.reload()
    print("\n".join(["ready", *notes]))
    return 0


def _take_back(record: Record, prefix: Path, scheduler: Scheduler | None) -> int:
    """Takes away what is in the record: units end before their files go, and the scheduler is told at once."""
    from datacrumbs.systemd import services

    was_empty = record.is_empty()
    services.stop()
    gone = record.remove()
    notes = scheduler.reload() if scheduler and not was_empty else []
    services.forget(prefix)
    print("\n".join([*(f"removed {name}" for name in gone), *notes, "nothing is left"]))
    return 0


def _settings() -> Config:
    return config.load()


def _prefix() -> Path:
    """Where this installation is: the private environment is PREFIX/lib/datacrumbs."""
    private = Path(sys.prefix)
    return private.parent.parent if private.name == "datacrumbs" and private.parent.name == "lib" else private
