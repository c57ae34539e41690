"""How the programs get the values of each function: struct dc_function_spec, filled from a probe's capture."""

from __future__ import annotations

import os
from typing import Any, Final

from datacrumbs.core.errors import InternalError
from datacrumbs.core.probes import RESULT, Argument, Capture
from datacrumbs.runtime._native import lib

_BYTES: Final = {"i8": 1, "u8": 1, "i16": 2, "u16": 2, "i32": 4, "u32": 4, "f32": 4}
"""Types that are narrower than eight bytes."""
_REGISTERS: Final = {
    "x86_64": [
        "r15",
        "r14",
        "r13",
        "r12",
        "bp",
        "bx",
        "r11",
        "r10",
        "r9",
        "r8",
        "ax",
        "cx",
        "dx",
        "si",
        "di",
        "orig_ax",
        "ip",
        "cs",
        "flags",
        "sp",
        "ss",
    ],
    "aarch64": [*(f"x{i}" for i in range(31)), "sp", "pc"],
}
"""By machine: struct pt_regs as arch/*/include/uapi/asm/ptrace.h has it, eight bytes each."""
_IN_REGISTERS: Final = {"x86_64": 6, "aarch64": 8}
"""Arguments in registers; the others are on the stack."""
_STACK_ARGUMENTS: Final = {"x86_64": 8, "aarch64": 0}
"""Bytes from the stack pointer at a function's entry to those others: x86 has the return address there."""


def spec(capture: Capture, *, instant: bool = False) -> dict[str, Any]:
    """The struct dc_function_spec of a capture, as a cffi initializer.

    Args:
        capture: what to take.
        instant: the probe has no return: all is taken at once.
    """
    files = [ref for ref in capture.files if ref.descriptor >= 0 or ref.path >= 0 or ref.returned]
    refs = [ref for ref in files if not ref.handle or ref.path >= 0]
    texts = capture.returns == "string" or any(argument.type == "string" for argument in capture.arguments)
    flags = lib.DC_FN_INSTANT if instant else 0
    if capture.arguments or refs:
        flags |= lib.DC_FN_FRAME
    if len(capture.arguments) > 2 or len(refs) > 1 or texts or any(ref.path >= 0 for ref in refs):
        flags |= lib.DC_FN_EXTENDED | lib.DC_FN_FRAME
    if capture.returns == "string":
        flags |= lib.DC_FN_RETURNS_TEXT
    for ref in refs:
        if ref.returned and not ref.handle:
            flags |= lib.DC_FN_RETURNS_STREAM if ref.stream else lib.DC_FN_RETURNS_FILE
        if ref.stream and ref.descriptor >= 0:
            flags |= lib.DC_FN_STREAM
    places = {"descriptor": [lib.DC_NONE] * 2, "path": [lib.DC_NONE] * 2, "directory": [lib.DC_NONE] * 2}
    for i, ref in enumerate(refs):
        places["descriptor"][i] = lib.DC_NONE if ref.handle else ref.descriptor & 0xFF
        places["path"][i] = ref.path & 0xFF
        places["directory"][i] = ref.directory & 0xFF
    factors = [_factor(capture, at) for at in capture.size[: lib.DC_MAX_FACTORS]]
    return {
        "flags": flags,
        "count": len(capture.arguments),
        "fetch": [fetch(argument) for argument in capture.arguments],
        **places,
        "result_shape": _shape("i64" if capture.returns == "errno" else capture.returns),
        "factor_count": len(factors),
        "factors": factors,
    }


def _factor(capture: Capture, at: int) -> dict[str, int]:
    kind = capture.returns if at == RESULT else capture.arguments[at].type
    return {"at": lib.DC_NONE if at == RESULT else at, "shape": _shape("i64" if kind == "errno" else kind)}


def _shape(kind: str) -> int:
    """How wide a number is, and whether it has a sign; 0 for what is no number."""
    if kind in ("", "hex", "pointer", "string", "f32", "f64"):
        return 0
    sign: int = lib.DC_SIGNED if kind.startswith("i") else 0
    return sign | _BYTES.get(kind, 8)


def fetch(argument: Argument, machine: str | None = None) -> dict[str, int]:
    """The struct dc_fetch of an argument.

    Raises:
        InternalError: there is no such register on this machine.
    """
    machine = machine or os.uname().machine
    place, flags = argument.place, lib.DC_FETCH_TEXT if argument.type == "string" else 0
    bytes_ = _BYTES.get(argument.type, 8)
    if place and place.register == "const":
        return {"from": lib.DC_FROM_CONSTANT, "bytes": 8, "flags": flags, "offset": place.offset}
    result = {"bytes": bytes_, "flags": flags, "offset": place.offset if place else 0}
    if place and (place.dereference or place.returned):
        result["flags"] |= lib.DC_FETCH_MEMORY | (lib.DC_FETCH_AT_RETURN if place.returned else 0)
    if place and place.register:
        return result | {"from": lib.DC_FROM_REGISTER, "index": _register(machine, place.register)}
    on_stack = argument.index - _IN_REGISTERS.get(machine, 6)
    if on_stack < 0:
        return result | {"from": lib.DC_FROM_ARGUMENT, "index": argument.index}
    return {
        "from": lib.DC_FROM_REGISTER,
        "index": _register(machine, "sp"),
        "bytes": bytes_,
        "flags": flags | lib.DC_FETCH_MEMORY,
        "offset": _STACK_ARGUMENTS.get(machine, 0) + 8 * on_stack,
    }


def _register(machine: str, name: str) -> int:
    registers = _REGISTERS.get(machine, [])
    if name not in registers:
        raise InternalError(
            f"{machine} has no register '{name}'", "make the probes file again on a machine like this one"
        )
    return registers.index(name)
