"""A function's signature, from wherever it was read, and what can be captured of its calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from datacrumbs.core.probes import (
    MAX_ARGUMENTS,
    MAX_INDEX,
    MAX_NAME,
    MAX_TEXTS,
    Argument,
    ArgumentType,
    Capture,
    ResultType,
)

_REGISTERS: Final = 6
Passed = Literal["integer", "float", "memory", "unknown"]
"""How a value is passed: in an integer register, in a vector register, on the stack, or one cannot tell."""


@dataclass(frozen=True, slots=True)
class Type:
    """A type, as far as the calling convention and the trace care."""

    passed: Passed
    shown: ArgumentType = "hex"
    """For those that are passed as integers."""
    words: int = 1
    """Eight-byte words on the stack, for those that are passed in memory."""


VOID: Final = None
UNKNOWN: Final = Type("unknown")
FLOAT: Final = Type("float")
POINTER: Final = Type("integer", "pointer")
TEXT: Final = Type("integer", "string")


def integer(size: int, *, signed: bool) -> Type:
    """An integer of `size` bytes."""
    if size not in (1, 2, 4, 8):
        return UNKNOWN
    kinds: dict[tuple[int, bool], ArgumentType] = {
        (1, True): "i8", (2, True): "i16", (4, True): "i32", (8, True): "i64",
        (1, False): "u8", (2, False): "u16", (4, False): "u32", (8, False): "u64",
    }  # fmt: skip
    return Type("integer", kinds[size, signed])


@dataclass(frozen=True, slots=True)
class Signature:
    """Parameters in order, each with its name ("" where it has none), and the type of the result (None: void)."""

    parameters: tuple[tuple[str, Type], ...]
    returns: Type | None


def capture(signature: Signature) -> Capture:
    """All that can be captured of a function: as far as it is certain where each value is.

    System V ABI for AMD64, 3.2.3: the first six integers and pointers are in registers, floats in vector registers that
    a probe cannot read, large structures on the stack. Where one cannot tell, what follows is left out.
    """
    arguments: list[Argument] = []
    used, stacked, vectors, texts = 0, 0, 0, 0
    if signature.returns and signature.returns.passed == "memory":
        used = 1  # the address of the room for the result
    elif signature.returns and signature.returns.passed == "unknown":
        return Capture()
    for place, (name, kind) in enumerate(signature.parameters):
        if kind.passed == "unknown":
            break
        if kind.passed == "float":
            vectors += 1
            stacked += vectors > 8
            continue
        if kind.passed == "memory":
            stacked += kind.words
            continue
        index = used if used < _REGISTERS else _REGISTERS + stacked
        stacked += used >= _REGISTERS
        used += 1
        if len(arguments) >= MAX_ARGUMENTS or index > MAX_INDEX:
            break
        shown = kind.shown
        if shown == "string":
            shown = "string" if texts < MAX_TEXTS else "pointer"
            texts += 1
        arguments.append(Argument(_name(name, place, arguments), index, shown))
    return Capture(tuple(arguments), returns=_result(signature.returns))


_TAKEN: Final = frozenset(
    ["hhash", "fhash", "fhash2", "ret", "errno", "dur_ns", "syscall", "unfinished", "bytes", "cause"]
)
"""Members of `args` that the trace gives a meaning of its own."""


def _name(name: str, place: int, before: list[Argument]) -> str:
    name = (name.lstrip("_") or name)[:MAX_NAME]
    if not name or name in _TAKEN or any(argument.name == name for argument in before):
        return f"{name}_{place}"[:MAX_NAME] if name else f"arg{place}"
    return name


def _result(kind: Type | None) -> ResultType:
    if kind is None or kind.passed != "integer":
        return ""
    return "pointer" if kind.shown == "string" else kind.shown
