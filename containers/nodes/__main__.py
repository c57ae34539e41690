"""`make cluster NODES=3`: a shell on the first node of a cluster, or a command there.

python -m nodes [--nodes N] [--release NAME] [--user NAME] [--bare] [COMMAND…]
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from pathlib import Path

from nodes.cluster import opened
from nodes.errors import NodesError
from nodes.layers import USERS
from nodes.releases import RELEASES

CHECKOUT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Runs a command, or a shell, on a new cluster; returns its exit code, or 69 where no cluster can be had."""
    parser = argparse.ArgumentParser(prog="nodes", description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=3, metavar="N", help="how many (default: 3)")
    parser.add_argument("--user", default="root", choices=["root", *USERS], help="who types (default: root)")
    parser.add_argument("--release", default="", choices=["", *RELEASES], help="of Debian (default: this machine's)")
    parser.add_argument("--bare", action="store_true", help="without DataCrumbs")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="what to run (default: a shell)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(f"nodes: starting {options.nodes} nodes", file=sys.stderr)
    try:
        with opened(CHECKOUT, count=options.nodes, bare=options.bare, release=options.release) as cluster:
            if not options.command:
                print(_WELCOME.format(last=cluster.nodes[-1].name, users=", ".join(USERS)), file=sys.stderr)
            command = cluster.login.command(*(options.command or ["bash", "-i"]), user=options.user)
            # A Ctrl-C is the shell's.
            before = signal.signal(signal.SIGINT, signal.SIG_IGN) if not options.command else None
            try:
                return subprocess.run(command, check=False).returncode
            finally:
                if before is not None:
                    signal.signal(signal.SIGINT, before)
    except NodesError as error:
        print(f"nodes: {error}", file=sys.stderr)
        return 69
    except KeyboardInterrupt:
        return 130


_WELCOME = """\
nodes: n1 to {last} are idle. You are root on n1: login node, controller and compute node.
  sinfo; srun -N1 hostname; ssh {last}; su - USER (users: {users}; homes in /shared/home)
  exit ends the cluster; nothing of it stays"""

if __name__ == "__main__":
    sys.exit(main())
