"""The same command on many nodes at once, over ssh: ClusterShell knows node sets, groups and fan-out."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ClusterShell.NodeSet import NodeSet, NodeSetException
from ClusterShell.Task import task_self
from datacrumbs.core.errors import UsageError
from datacrumbs.core.text import printable

FANOUT: Final = 64
_SSH: Final = "-oBatchMode=yes -oConnectTimeout=10 -oLogLevel=ERROR"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one node said."""

    node: str
    code: int | None
    """The command's exit code; 255: ssh failed; None: it did not end in time."""
    text: str


def parse_nodes(text: str) -> list[str]:
    """The names in a node set such as `node[1-4],login1` or `@group`.

    Raises:
        UsageError: it is no node set, or an empty one.
    """
    try:
        nodes = [str(node) for node in NodeSet(text)]
    except NodeSetException as error:
        raise UsageError(f"'{text}' is no list of nodes: {error}", "write names such as node[1-4],login1") from error
    if not nodes:
        raise UsageError(f"the list of nodes '{text}' is empty", "name the nodes, such as node[1-4]")
    if bad := next((node for node in nodes if node.startswith("-") or not node.isprintable() or " " in node), None):
        raise UsageError(f"'{bad}' is no name of a node", "write names such as node[1-4],login1")
    return nodes


def on_nodes(nodes: Sequence[str], command: Sequence[str], data: bytes, seconds: float, user: str) -> list[Answer]:
    """Runs a command on nodes.

    Args:
        nodes: names, as ssh knows them.
        command: program and arguments.
        data: for its stdin.
        seconds: how long it may take on each node.
        user: as whom to log in; empty: as ssh's configuration says.

    Returns:
        What each node said, stdout before stderr, in the order of `nodes`.
    """
    task = task_self()
    task.set_info("fanout", FANOUT)
    task.set_info("ssh_options", _SSH)
    if user:
        task.set_info("ssh_user", user)
    worker = task.shell(shlex.join(command), nodes=NodeSet.fromlist(nodes), timeout=seconds, stderr=True)
    worker.write(data)
    worker.set_write_eof()
    task.resume()
    codes = {str(node): int(code) for code, names in worker.iter_retcodes() for node in names}
    late = {str(node) for node in worker.iter_keys_timeout()}
    said: dict[str, list[bytes]] = {node: [] for node in nodes}
    for buffers in (worker.iter_buffers(), worker.iter_errors()):
        for buffer, names in buffers:
            for node in names:
                said[str(node)].append(bytes(buffer))
    return [
        Answer(
            node, None if node in late else codes.get(node), b"\n".join(said[node]).decode("utf-8", "replace").strip()
        )
        for node in nodes
    ]


def grouped(answers: Iterable[Answer]) -> list[tuple[str, str]]:
    """Node sets and what all of their nodes said alike, as lines."""
    by_text: dict[str, list[str]] = {}
    for answer in answers:
        by_text.setdefault(_told(answer), []).append(answer.node)
    return [(str(NodeSet.fromlist(nodes)), text) for text, nodes in by_text.items()]


def _told(answer: Answer) -> str:
    text = "\n".join(printable(line) for line in answer.text.splitlines())
    if answer.code is None:
        return text or "no answer in time"
    return text or ("done" if answer.code == 0 else f"ends with {answer.code} and says nothing")
