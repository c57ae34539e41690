"""`datacrumbs_run` and `datacrumbs_stop`: traces on a list of nodes, without a scheduler."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from datacrumbs.core import cli
from datacrumbs.core.errors import NoInputError, UnavailableError, UsageError
from datacrumbs.core.metadata import Metadata, check_probe_file

RUN: Final = "datacrumbs_run"
STOP: Final = "datacrumbs_stop"
_SECONDS: Final = 120.0


def main_run() -> int:
    """The command `datacrumbs_run`."""
    return cli.main(RUN, run)


def main_stop() -> int:
    """The command `datacrumbs_stop`."""
    return cli.main(STOP, stop)


def run(argv: Sequence[str]) -> int:
    """Starts a run on nodes.

    Raises:
        UnavailableError: it is not ready on all of them.
    """
    parser = cli.parser(
        RUN,
        "Start a trace on a list of nodes, over ssh, as root there; it goes on until datacrumbs_stop.\n\n"
        "The nodes' processes of USER that are brought under tracing (datacrumbs_wrap) are followed.",
        f"{RUN} --node-list 'node[1-4]' /shared/probes.json.gz myrun\n{STOP} --node-list 'node[1-4]' myrun",
    )
    _add_nodes(parser)
    parser.add_argument("--user", metavar="NAME", default="", help="whose processes are traced (default: you)")
    parser.add_argument("probe_file", metavar="PROBES.json.gz", help="the signed probes file, as the nodes see it")
    parser.add_argument("run_id", nargs="?", metavar="RUN-ID", help="names the run (default: the time)")
    options = parser.parse_args(argv)
    run_id = _check_id(options.run_id or time.strftime("%Y%m%d-%H%M%S"))
    metadata = Metadata(check_probe_file(str(Path(options.probe_file).absolute())))
    user = options.user or os.environ.get("SUDO_USER") or str(os.getuid())
    words = ("start", "--job", run_id, "--user", user)
    return _everywhere(options, words, metadata.dump().encode(), "ready", f"run {run_id}")


def stop(argv: Sequence[str]) -> int:
    """Ends a run on nodes.

    Raises:
        UnavailableError: a node does not answer, or its trace is not closed.
    """
    parser = cli.parser(
        STOP,
        "End a trace that datacrumbs_run began on a list of nodes.",
        f"{STOP} --node-list 'node[1-4]' myrun",
    )
    _add_nodes(parser)
    parser.add_argument("run_id", metavar="RUN-ID", help="as datacrumbs_run had it")
    options = parser.parse_args(argv)
    run_id = _check_id(options.run_id)
    return _everywhere(options, ("stop", "--job", run_id), b"", "stopped", f"run {run_id}")


def node_program(name: str) -> str:
    """A command of this installation, by a path that nodes with the same installation have, too."""
    beside = Path(sys.prefix) / "bin" / name
    return str(beside if beside.exists() else Path(sys.argv[0]).absolute().parent / name)


def add_node_options(parser: ArgumentParser) -> None:
    """`--node-list`, and how to reach the nodes."""
    parser.add_argument("--node-list", required=True, metavar="NODES", help="such as 'node[1-4],login1', or '@group'")
    parser.add_argument("--ssh-user", default="root", metavar="NAME", help="as whom to log in (default: root)")


_add_nodes = add_node_options


def _check_id(text: str) -> str:
    from datacrumbs.systemd.job import check_id

    return check_id(text)


def _everywhere(options: Namespace, words: Sequence[str], data: bytes, good: str, what: str) -> int:
    from datacrumbs.systemd.fanout import grouped, on_nodes, parse_nodes

    nodes = parse_nodes(options.node_list)
    answers = on_nodes(nodes, [node_program("datacrumbs_node"), *words], data, _SECONDS, options.ssh_user)
    for names, text in grouped(answers):
        print(f"{names}: {text}")
    said = {answer.node: answer.text.split("\n")[0] for answer in answers if answer.code == 0}
    if set(said.values()) == {"absent"} and len(said) == len(nodes):
        raise NoInputError(f"{what} is on none of these nodes", "check the run id, and the list of nodes")
    bad = [node for node in nodes if said.get(node) not in (good, "absent")]
    if bad:
        raise UnavailableError(f"{what} is not {good} on {len(bad)} of {len(nodes)} nodes", "see what they say above")
    return 0


def run_wrapper(argv: Sequence[str]) -> int:
    """`datacrumbs_service_wrapper`: on this node, what a scheduler's prolog and epilog do.

    Raises:
        UnavailableError: the trace is not ready, or not closed.
    """
    import subprocess

    prog = "datacrumbs_service_wrapper"
    parser = cli.parser(
        prog,
        "Do on this node what a scheduler's prolog and epilog do: to try the path without a scheduler (root).",
        f"sudo {prog} start 4711 ada /shared/probes.json.gz\nsudo {prog} stop 4711",
    )
    parser.add_argument("verb", choices=("start", "stop"), help="what the prolog does, or the epilog")
    parser.add_argument("job", metavar="JOBID", help="any id: the traces bear it")
    parser.add_argument("user", nargs="?", metavar="USER", help="whose processes are traced")
    parser.add_argument("probe_file", nargs="?", metavar="PROBES", help="the signed probes file")
    options = parser.parse_args(argv)
    words, data, good = ["stop", "--job", options.job], b"", "stopped"
    if options.verb == "start":
        if not options.user or not options.probe_file:
            raise UsageError("start needs JOBID, USER and PROBES", f"see '{prog} --help'")
        words, good = ["start", "--job", options.job, "--user", options.user], "ready"
        data = Metadata(check_probe_file(str(Path(options.probe_file).absolute()))).dump().encode()
    done = subprocess.run([node_program("datacrumbs_node"), *words], input=data, stdout=subprocess.PIPE, check=False)
    answer = done.stdout.decode("utf-8", "replace").strip()
    print(answer)
    if answer != good:
        raise UnavailableError(f"job {options.job} is not {good}", "see what the node helper says above")
    return 0


def main_wrapper() -> int:
    """The command `datacrumbs_service_wrapper`."""
    return cli.main("datacrumbs_service_wrapper", run_wrapper)
