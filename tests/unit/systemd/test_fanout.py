"""Lists of nodes, and what they say, gathered."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from datacrumbs.core.errors import UsageError
from datacrumbs.systemd.fanout import Answer, grouped, parse_nodes


def test_node_sets() -> None:
    assert parse_nodes("n[1-3],login") == ["login", "n1", "n2", "n3"] or parse_nodes("n[1-3],login") == [
        "n1",
        "n2",
        "n3",
        "login",
    ]


@pytest.mark.parametrize("text", ["", "n[1-", "-oProxyCommand=x", "n1!n1", "a b"])
def test_no_node_sets(text: str) -> None:
    with pytest.raises(UsageError):
        parse_nodes(text)


def test_nodes_that_say_the_same_stand_together() -> None:
    answers = [Answer("n1", 0, "ready"), Answer("n2", 0, "ready"), Answer("n3", 255, ""), Answer("n4", None, "")]
    assert grouped(answers) == [
        ("n[1-2]", "ready"), ("n3", "ends with 255 and says nothing"), ("n4", "no answer in time"),
    ]  # fmt: skip


def test_a_node_that_is_not_there_is_told(bin_dir: Path) -> None:
    """No node, no trace: one line for the node, one for the whole, and the exit code says so."""
    done = subprocess.run(
        [bin_dir / "datacrumbs_stop", "--node-list", "no-such-node.invalid", "r1"],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 69
    assert done.stdout.startswith("no-such-node.invalid: ")
    assert done.stderr == (
        "datacrumbs_stop: error: run r1 is not stopped on 1 of 1 nodes; see what they say above [administrator]\n"
    )
