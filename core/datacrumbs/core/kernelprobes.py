"""Where tracepoints and kernel functions are, and what is taken of their arguments: a part of the ProbeSet."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from datacrumbs.core.members import Members

HOLDERS: Final = ("inode", "file", "dentry", "folio", "bio", "request", "transaction")
"""Kinds of kernel objects that lead to a file, or to who caused work on it."""
MAX_STEPS: Final = 3
"""Pointers that are followed to reach a field; DC_MAX_STEPS in runtime/bpf/record.h."""
MAX_KERNEL_ARGUMENTS: Final = 8
"""Arguments of a kernel function or tracepoint that can be reached."""


MAX_FIELDS: Final = 8
"""Values captured of one call; DC_MAX_ARGS in runtime/bpf/record.h."""


@dataclass(frozen=True, slots=True)
class Field:
    """A number that a kernel function or a tracepoint is given, or that one of its arguments leads to.

    `path`: how it is reached, `map.m_lblk`; the first word is the argument's name. `argument` and `offsets` say it for
    the kernel that `ProbeSet.kernel` names: each offset in bytes is added, and the pointer there followed, but for
    the last, where the number is; no offsets: the argument itself. `size` in bytes; `at_end`: it is an argument of the
    event that ends the span.
    """

    path: str
    argument: int
    offsets: tuple[int, ...] = ()
    size: int = 8
    signed: bool = False
    at_end: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """The argument that leads to a file: `kind` is one of HOLDERS; `embedded`: the object is there, not a pointer."""

    path: str
    argument: int
    kind: str
    offsets: tuple[int, ...] = ()
    embedded: bool = False


@dataclass(frozen=True, slots=True)
class Tracepoint:
    """Where a tracepoint is, or the two that begin and end a span.

    `fields` are what `Capture.arguments` name, one for each. `key` and `end_key`: the arguments whose equal address
    says which begin an end belongs to; -1: both happen in one thread. `result`: the end's argument that is the result.
    """

    event: str
    """`subsystem:event`."""
    end: str = ""
    key: int = -1
    end_key: int = -1
    result: int = -1
    holder: Holder | None = None
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class KernelFunction:
    """Where a kernel function is: its symbol, and the module that it is in ("": the kernel proper).

    `parameters`: how many it has; `returned`: bytes of its result, 0 where that is none or an address; `signed`: the
    result has a sign.
    """

    symbol: str
    module: str = ""
    parameters: int = 0
    returned: int = 0
    signed: bool = False
    holder: Holder | None = None
    fields: tuple[Field, ...] = ()


def to_json(target: Tracepoint | KernelFunction) -> dict[str, Any]:
    value: dict[str, Any] = {}
    if isinstance(target, Tracepoint):
        value["event"] = target.event
        if target.end:
            value |= {"end": target.end, "key": target.key, "end_key": target.end_key, "result": target.result}
    else:
        value |= {"symbol": target.symbol, "parameters": target.parameters, "returned": target.returned}
        value["signed"] = target.signed
        if target.module:
            value["module"] = target.module
    if target.holder:
        value["holder"] = asdict(target.holder) | {"offsets": list(target.holder.offsets)}
    if target.fields:
        value["fields"] = [asdict(f) | {"offsets": list(f.offsets)} for f in target.fields]
    return value


def from_json(kind: str, item: Members) -> Tracepoint | KernelFunction:
    holders = tuple(_holder_from_json(h) for h in item.items("holder", 1, optional=True, single=True))
    holder = holders[0] if holders else None
    fields = tuple(_field_from_json(f) for f in item.items("fields", MAX_FIELDS, optional=True))
    if kind == "kprobe":
        symbol, module = item.name("symbol"), item.optional_text("module")
        parameters = item.integer("parameters", 0, MAX_KERNEL_ARGUMENTS)
        returned, signed = item.integer("returned", 0, 8), item.flag("signed")
        return KernelFunction(symbol, module, parameters, returned, signed, holder, fields)
    event, end = item.name("event"), item.optional_text("end")
    if not end:
        return Tracepoint(event, holder=holder, fields=fields)
    last = MAX_KERNEL_ARGUMENTS - 1
    key, end_key, result = (item.integer(name, -1, last) for name in ("key", "end_key", "result"))
    return Tracepoint(event, end, key, end_key, result, holder, fields)


def _field_from_json(item: Members) -> Field:
    found = Field(
        item.text("path"),
        item.integer("argument", 0, MAX_KERNEL_ARGUMENTS - 1),
        item.offsets("offsets", MAX_STEPS, 0xFFFF),
        item.integer("size", 1, 8),
        item.flag("signed"),
        item.flag("at_end"),
    )
    item.finish()
    return found


def _holder_from_json(item: Members) -> Holder:
    found = Holder(
        item.text("path"),
        item.integer("argument", 0, MAX_KERNEL_ARGUMENTS - 1),
        item.choice("kind", HOLDERS),
        item.offsets("offsets", MAX_STEPS, 0xFFFF),
        item.flag("embedded"),
    )
    item.finish()
    return found
