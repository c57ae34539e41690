"""From USDT probes to what is probed: pairs that make spans, and their arguments. Pure.

Arguments stand in a note as `N@OPERAND`, in the assembler's words (AT&T syntax on x86): N bytes, negative where it is
signed, `f` where it is a float; the operand is a register, a constant, or memory at a register plus a distance.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

from datacrumbs.configurator.material import Point
from datacrumbs.core.probes import MAX_ARGUMENTS, MAX_TEXTS, Argument, ArgumentType, Capture, Place

PAIRS: Final = {"entry": "return", "begin": "end", "start": "done", "enter": "exit"}
"""Last words of two probes that make a span: `function__entry` and `function__return`."""
KNOWN: Final[Mapping[tuple[str, str], tuple[tuple[str, str], ...]]] = {
    ("python", "function__entry"): (("file", "string"), ("function", "string"), ("line", "")),
    ("python", "function__return"): (("file", "string"), ("function", "string"), ("line", "")),
    ("python", "line"): (("file", "string"), ("function", "string"), ("line", "")),
    ("python", "import__find__load__start"): (("module", "string"),),
    ("python", "import__find__load__done"): (("module", "string"), ("found", "")),
    ("python", "audit"): (("event", "string"), ("arguments", "pointer")),
    ("python", "gc__start"): (("generation", ""),),
    ("python", "gc__done"): (("collected", ""),),
}
"""By provider and name, the arguments' names, and what they are where their size does not say it.

https://docs.python.org/3/howto/instrumentation.html
"""
_ARGUMENT: Final = re.compile(r"(-?)([1248])(f?)@(\S+)")
_MEMORY: Final = re.compile(r"(-?(?:0x[0-9a-f]+|\d+))?\(%([a-z0-9]+)\)\Z")
_CONSTANT: Final = re.compile(r"\$(-?(?:0x[0-9a-f]+|\d+))\Z")
_BYTE_REGISTERS: Final = {f"{name}l": f"{name}x" for name in "abcd"} | {
    f"{name}l": name for name in ("si", "di", "bp", "sp")
}


def spans(points: Iterable[Point]) -> Iterator[tuple[str, Point, tuple[Point, ...]]]:
    """What the points of one provider mean: a name for the trace, where it begins, and where it ends (not: an event).

    A probe that has several places begins nothing, for one cannot tell which end belongs to which.
    """
    by_name: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for point in points:
        by_name[point.provider, point.name].append(point)
    ends = {(p, name[: -len(last)] + PAIRS[last]): (p, name) for p, name in by_name if (last := _last(name)) in PAIRS}
    ends = {end: begin for end, begin in ends.items() if end in by_name and len(by_name[begin]) == 1}
    for key, places in by_name.items():
        if key in ends:
            continue
        end = next((end for end, begin in ends.items() if begin == key), None)
        if end is not None:
            word = key[1][: -len(_last(key[1]))].rstrip("_-")
            yield word or key[1], places[0], tuple(by_name[end])
        else:
            for place in places:
                yield key[1], place, ()


def _last(name: str) -> str:
    return re.split(r"[_-]", name)[-1]


def capture(point: Point) -> Capture:
    """The arguments of a probe that can be read; the others, such as floats in vector registers, are left out."""
    known = KNOWN.get((point.provider, point.name), ())
    arguments: list[Argument] = []
    texts = 0
    for number, match in enumerate(_ARGUMENT.finditer(point.arguments)):
        name, kind = known[number] if number < len(known) else (f"arg{number}", "")
        sign, size, is_float, operand = match.groups()
        place = _place(operand)
        if place is None or (is_float and not place.dereference) or len(arguments) >= MAX_ARGUMENTS:
            continue
        if not kind:
            kind = f"f{int(size) * 8}" if is_float else f"{'i' if sign else 'u'}{int(size) * 8}"
        if kind == "string":
            if place.dereference or texts >= MAX_TEXTS:
                kind = "pointer"
            texts += kind == "string"
        if kind in ("f8", "f16"):
            continue
        arguments.append(Argument(name, number, cast("ArgumentType", kind), place))
    return Capture(tuple(arguments))


def _place(operand: str) -> Place | None:
    constant, memory = _CONSTANT.match(operand), _MEMORY.match(operand)
    if constant:
        value = int(constant[1], 0)
        return Place("const", value) if -(2**31) <= value < 2**31 else None
    if memory:
        register = _register(memory[2])
        distance = int(memory[1] or "0", 0)
        return Place(register, distance, dereference=True) if register and abs(distance) < 2**31 else None
    register = _register(operand[1:]) if operand.startswith("%") else ""
    return Place(register) if register else None


def _register(name: str) -> str:
    """A register as struct pt_regs names it: rax, eax, ax and al are all `ax`. "" for those that it does not have."""
    plain = _BYTE_REGISTERS.get(name) or re.sub(r"^[re](?=[a-d]x$|[sd]i$|[sb]p$)", "", name)
    numbered = re.fullmatch(r"(r\d+)[dwb]?", plain)
    plain = numbered[1] if numbered else plain
    words = ["ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"]
    return plain if plain in words else ""
