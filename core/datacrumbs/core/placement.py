"""Where in a function its probe goes: at the entry, or a few instructions on, where a hit costs a sixth.

The kernel emulates some instructions at a uprobe: `push` of a register, near jumps and calls, the one-byte nop (Linux,
arch/x86/kernel/uprobes.c, branch_setup_xol_ops and push_setup_xol_ops). All others it single-steps out of line, which
costs microseconds. So a probe moves past the instructions that a function begins with to the first that is emulated, as
long as it makes no difference to what a probe sees:

- they run one after the other, and write neither memory nor the stack pointer nor a register with an argument;
- no jump leads between the entry and the new place, so that each call passes it once, and nothing else does. Jumps are
  looked for at every byte of the file's code, not only where instructions begin. What jumps through a register or a
  table leads to is not known; where it may lead there, the probe stays. It cannot lead to a `push` at a function's
  beginning: the stack would not be balanced.

Where any of this is in doubt the probe stays at the entry.
"""

from __future__ import annotations

import bisect
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

MAX_SKIP: Final = 48
"""Farthest place of a probe, in bytes from the entry."""
_KEPT: Final = frozenset(
    [
        "rdi",
        "edi",
        "di",
        "dil",
        "rsi",
        "esi",
        "si",
        "sil",
        "rdx",
        "edx",
        "dx",
        "dl",
        "dh",
        "rcx",
        "ecx",
        "cx",
        "cl",
        "ch",
        "r8",
        "r8d",
        "r8w",
        "r8b",
        "r9",
        "r9d",
        "r9w",
        "r9b",
        "rsp",
        "esp",
        "sp",
        "spl",
    ]
)
"""The argument registers and the stack pointer, by all the names of their parts."""
_NEVER: Final = ("rep", "lock", "push", "pop", "enter", "leave", "sys", "xsave", "xrstor", "wr", "hlt", "ud")
"""Beginnings of instructions that a probe never passes, whatever the disassembler says of them."""
_FAR_JUMP: Final = re.compile(rb"\xe9|\x0f[\x80-\x8f]", re.DOTALL)
_NEAR_JUMP: Final = re.compile(rb"[\xeb\x70-\x7f\xe0-\xe3]", re.DOTALL)
_INDIRECT: Final = re.compile(rb"\xff[\x20-\x27\x60-\x67\xa0-\xa7\xe0-\xe7]", re.DOTALL)
_REACH: Final = 130
"""Bytes that a jump with an 8-bit distance can be away, its own size included."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    entry: int
    steps: tuple[int, ...]
    """The offsets of the instructions after the first, up to the new place."""
    pushes: bool
    """Whether the new place is a push."""


def is_emulated(code: bytes) -> bool:
    """Whether the kernel emulates the x86-64 instruction that these bytes begin with."""
    first, second = (*code[:2], 0, 0)[:2]
    return (
        0x50 <= first <= 0x57
        or (first in (0x40, 0x41) and 0x50 <= second <= 0x57)
        or first in (0x90, 0xE8, 0xE9, 0xEB)
        or 0x70 <= first <= 0x7F
        or (first == 0x0F and 0x80 <= second <= 0x8F)
    )


def skips(
    segments: Iterable[tuple[int, bytes]], entries: Sequence[int], starts: Sequence[int], machine: str
) -> Mapping[int, int]:
    """How many bytes after its entry each function's probe goes.

    Args:
        segments: the file's code: offset in the file, and the bytes there. Offsets and addresses run alike in each.
        entries: offsets of the functions to probe.
        starts: offsets of all functions that are known, in order.
        machine: as `uname -m` says it.

    Returns:
        Bytes by entry, for those that move.
    """
    if machine != "x86_64":
        return {}
    moved: dict[int, int] = {}
    for start, code in segments:
        inside = [entry for entry in entries if start <= entry < start + len(code)]
        slow = [entry for entry in inside if not is_emulated(code[entry - start : entry - start + 2])]
        candidates = list(filter(None, (_candidate(code, start, entry) for entry in slow)))
        candidates = [c for c in candidates if not _holds_start(c, starts)]
        doubtful = _targets(code, start, {step for candidate in candidates for step in candidate.steps})
        for candidate in candidates:
            end = _end(candidate.entry, starts, start + len(code))
            if _is_sound(candidate, code[candidate.entry - start : end - start], doubtful):
                moved[candidate.entry] = candidate.steps[-1] - candidate.entry
    return moved


def _holds_start(candidate: _Candidate, starts: Sequence[int]) -> bool:
    """Whether another function begins between the entry and the new place."""
    following = bisect.bisect_right(starts, candidate.entry)
    return following < len(starts) and starts[following] <= candidate.steps[-1]


def _end(entry: int, starts: Sequence[int], last: int) -> int:
    following = bisect.bisect_right(starts, entry)
    return min(starts[following], last) if following < len(starts) else last


def _decoder(*, detail: bool) -> Any:
    import capstone  # here, because most uses need no disassembler

    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    decoder.detail = detail
    return decoder


def _candidate(code: bytes, start: int, entry: int) -> _Candidate | None:
    """The way from a function's entry to the first instruction that is emulated, if that is straight and harmless."""
    steps: list[int] = []
    at = entry - start
    for instruction in _decoder(detail=True).disasm(code[at : at + MAX_SKIP + 16], entry):
        if instruction.address > entry:
            steps.append(instruction.address)
        if is_emulated(bytes(instruction.bytes)):
            pushes = instruction.mnemonic == "push"
            return _Candidate(entry, tuple(steps), pushes) if steps else None
        if instruction.address - entry > MAX_SKIP or not _is_harmless(instruction):
            return None
    return None


def _is_harmless(instruction: Any) -> bool:
    import capstone
    from capstone import x86

    if instruction.mnemonic.startswith("endbr"):
        return True
    if instruction.groups:
        stays_out = (
            capstone.CS_GRP_JUMP, capstone.CS_GRP_CALL, capstone.CS_GRP_RET, capstone.CS_GRP_INT, capstone.CS_GRP_IRET,
            capstone.CS_GRP_PRIVILEGE,
        )  # fmt: skip
        if any(instruction.group(group) for group in stays_out):
            return False
    if any(op.type == x86.X86_OP_MEM and op.access & capstone.CS_AC_WRITE for op in instruction.operands):
        return False
    if instruction.mnemonic.startswith(_NEVER):
        return False
    _, written = instruction.regs_access()
    return not any(instruction.reg_name(register) in _KEPT for register in written)


def _targets(code: bytes, start: int, places: set[int]) -> Mapping[int, list[int]]:
    """For each of some places, where bytes stand that could be a jump to it."""
    found: dict[int, list[int]] = {}
    if not places:
        return found
    for match in _FAR_JUMP.finditer(code):
        at = match.end()
        target = start + at + 4 + int.from_bytes(code[at : at + 4], "little", signed=True)
        if target in places:
            found.setdefault(target, []).append(start + match.start())
    for place in places:
        low = max(place - start - _REACH, 0)
        near = code[low : place - start + _REACH]
        for match in _NEAR_JUMP.finditer(near):
            at = match.end()
            distance = int.from_bytes(near[at : at + 1], "little", signed=True)
            if at < len(near) and start + low + at + 1 + distance == place:
                found.setdefault(place, []).append(start + low + match.start())
    return found


def _is_sound(candidate: _Candidate, body: bytes, doubtful: Mapping[int, list[int]]) -> bool:
    """Whether nothing leads to a place after the entry but the entry."""
    hits = [at for step in candidate.steps for at in doubtful.get(step, ())]
    indirect = not candidate.pushes and _INDIRECT.search(body) is not None
    if not hits and not indirect:
        return True
    if any(not candidate.entry <= at < candidate.entry + len(body) for at in hits):
        return False
    return not _jumps(candidate, body)


def _jumps(candidate: _Candidate, body: bytes) -> bool:
    """The same for the function's own instructions, decoded one after the other: True where they may lead there."""
    at = candidate.entry
    for address, size, mnemonic, operand in _decoder(detail=False).disasm_lite(body, candidate.entry):
        at = address + size
        if mnemonic.startswith(("j", "notrack j", "bnd j", "loop")):
            if operand.startswith("0x"):
                if int(operand, 16) in candidate.steps:
                    return True
            elif not candidate.pushes:
                return True
    return at < candidate.entry + len(body) and bool(body[at - candidate.entry :].strip(b"\x90\xcc\x00"))


def read_segments(descriptor: int, code: Sequence[Any]) -> Iterator[tuple[int, bytes]]:
    """The code of a file, as `skips` wants it: `code` is `elf.Image.code`."""
    for segment in code:
        yield segment.offset, os.pread(descriptor, segment.size, segment.offset)
