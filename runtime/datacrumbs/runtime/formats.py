"""What the trace says of each probe, for the encoder: the words of its lines, and how its values are shown."""

from __future__ import annotations

from typing import Any, Final

from datacrumbs.core import jsontext
from datacrumbs.core.customprobes import HEAD_BYTES, Custom
from datacrumbs.core.probes import ARGUMENT_TYPES, Capture, Probe, Syscall, Target
from datacrumbs.core.syscalls import MOVES
from datacrumbs.core.usdt import Usdt
from datacrumbs.runtime._native import lib

TYPES: Final[dict[str, int]] = {
    "": lib.DC_NOTHING,
    "errno": lib.DC_ERRNO,
    **{name: getattr(lib, f"DC_{name.upper()}") for name in ARGUMENT_TYPES},
}
HANDLES: Final = ("", "mpi", "hdf5")
"""Kinds of handle; their places are their numbers. Kinds that are not listed share the last number."""


def words(probe: Probe) -> tuple[bytes, bytes, list[bytes]]:
    """The beginning of a probe's lines, more members of their `args`, and the names of the arguments, as JSON."""
    head = jsontext.dump({"name": probe.name, "cat": probe.category, "ph": "X"})[:-1] + b',"pid":'
    extra = b""
    if isinstance(probe.target, Syscall) and probe.target.name != probe.name:
        extra = b"," + jsontext.dump({"syscall": probe.target.name})[1:-1]
    return head, extra, [b"," + jsontext.dump(argument.name) + b":" for argument in probe.capture.arguments]


def own_name(probe: Probe) -> tuple[bytes, int]:
    """For calls that bring their name, the beginning of their lines after it and the number of the text that it is."""
    texts = [argument.name for argument in probe.capture.arguments if argument.type == "string"]
    if not isinstance(probe.target, Usdt) or not probe.target.ends or "function" not in texts:
        return b"", 0
    rest = b"," + jsontext.dump({"cat": probe.category, "ph": "X"})[1:-1] + b',"pid":'
    return rest, texts.index("function")


def numbers(probe: Probe) -> dict[str, Any]:
    """The other members of a probe's struct dc_format."""
    capture, system_call = probe.capture, isinstance(probe.target, Syscall)
    size = () if system_call else capture.size  # a system call's result says it already
    return {
        "types": [TYPES[argument.type] for argument in capture.arguments],
        "result": lib.DC_ERRNO if system_call else TYPES[capture.returns],
        "factor_count": len(size),
        "factors": list(size),
        "moves": isinstance(probe.target, Syscall) and probe.target.name in MOVES,
        **_handles(capture),
        **_layout(probe.target),
    }


def _layout(target: Target) -> dict[str, Any]:
    if not isinstance(target, Custom):
        return {}
    ends = [at + size for at, size in zip(target.offsets, target.sizes, strict=True)]
    return {
        "offsets": list(target.offsets),
        "sizes": list(target.sizes),
        "path": target.path,
        "path_size": target.path_size,
        "event_size": max([HEAD_BYTES, target.path + target.path_size, *ends]),
    }


def _handles(capture: Capture) -> dict[str, Any]:
    ref = next((ref for ref in capture.files if ref.handle), None)
    if ref is None:
        return {"handles": 0, "handle": lib.DC_RESULT}
    made = [i for i, a in enumerate(capture.arguments) if a.place and a.place.returned]
    plain = [i for i, a in enumerate(capture.arguments) if a.index == ref.descriptor and i not in made]
    return {
        "handles": HANDLES.index(ref.handle) if ref.handle in HANDLES else len(HANDLES),
        "handle": plain[0] if plain and ref.descriptor >= 0 else lib.DC_RESULT,
        "makes_handle": ref.returned,
        "made": made[0] if made else lib.DC_RESULT,
    }
