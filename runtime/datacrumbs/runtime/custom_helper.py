"""Compiles and attaches a custom probe with BCC; run by the system's Python, which has the bcc module.

Takes JSON on standard input: `text`, the whole program. Answers on the socket whose number is its argument: JSON with
`error`, or without and with the descriptors that keep the program attached.

It imports nothing of DataCrumbs, and ends without cleaning up: the descriptors belong to the runtime by then, and the
compiler's memory (130 MB) goes with this process.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

_KEPT = ("kprobe", "uprobe", "tracepoint", "raw_tracepoint", "kfunc_entry", "kfunc_exit")
"""BCC's tables of what is attached: `BPF.kprobe_fds` and so on."""
_AT_ONCE = 200
"""SCM_MAX_FD is 253."""


def main() -> None:
    """Does it."""
    answer = socket.socket(fileno=int(sys.argv[1]))
    text = json.load(sys.stdin)["text"]
    try:
        from bcc import BPF  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        _reply(answer, {"error": f"{sys.executable} has no module bcc ({error})", "missing": True}, [])
        return
    try:
        program = BPF(text=text)
        found = [fd for name in _KEPT for fd in _descriptors(getattr(program, f"{name}_fds", {}))]
    except Exception as error:
        _reply(answer, {"error": str(error) or type(error).__name__}, [])
        return
    _reply(answer, {} if found else {"error": "no function of it has a name by which BCC attaches it"}, found)


def _descriptors(table: Any) -> Iterator[int]:
    for value in table.values():
        if isinstance(value, dict):
            yield from _descriptors(value)
        elif isinstance(value, int) and value >= 0:
            yield value


def _reply(answer: socket.socket, value: dict[str, Any], found: list[int]) -> None:
    value["count"] = len(found)
    first, rest = found[:_AT_ONCE], found[_AT_ONCE:]
    socket.send_fds(answer, [json.dumps(value).encode()], first)
    for at in range(0, len(rest), _AT_ONCE):
        socket.send_fds(answer, [b"+"], rest[at : at + _AT_ONCE])


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)
