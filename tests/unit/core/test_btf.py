"""BTF: the running kernel's is understood, and damaged data is an error and never a crash."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from datacrumbs.core import btf
from datacrumbs.core.errors import DataError
from hypothesis import given
from hypothesis import strategies as st

VMLINUX = Path("/sys/kernel/btf/vmlinux")
needs_btf = pytest.mark.skipif(not VMLINUX.exists(), reason="this kernel has no BTF")


class Builder:
    """Writes BTF in memory."""

    def __init__(self) -> None:
        self.texts = b"\0"
        self.types: list[bytes] = []

    def text(self, text: str) -> int:
        if not text:
            return 0
        self.texts += text.encode() + b"\0"
        return len(self.texts) - len(text) - 1

    def add(self, kind: int, name: str = "", size: int = 0, count: int = 0, tail: bytes = b"", flag: int = 0) -> int:
        self.types.append(struct.pack("<III", self.text(name), flag << 31 | kind << 24 | count, size) + tail)
        return len(self.types)

    def integer(self, name: str, size: int, signed: bool) -> int:
        return self.add(1, name, size, tail=struct.pack("<I", signed << 24 | size * 8))

    def pointer(self, to: int) -> int:
        return self.add(2, size=to)

    def structure(self, name: str, *members: tuple[str, int, int]) -> int:
        tail = b"".join(struct.pack("<III", self.text(n), kind, offset * 8) for n, kind, offset in members)
        return self.add(4, name, 64, len(members), tail)

    def prototype(self, *parameters: tuple[str, int]) -> int:
        tail = b"".join(struct.pack("<II", self.text(name), kind) for name, kind in parameters)
        return self.add(13, count=len(parameters), tail=tail)

    def bytes(self) -> bytes:
        types = b"".join(self.types)
        head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(self.texts))
        return head + types + self.texts


def small() -> tuple[Builder, bytes]:
    """A structure inode { u64 i_ino; struct { u32 inner; }; struct sb *i_sb; }, and a tracepoint that passes one."""
    made = Builder()
    u64, u32 = made.integer("u64", 8, False), made.integer("int", 4, True)
    block = made.structure("sb", ("s_dev", u32, 16))
    nameless = made.structure("", ("inner", u32, 4))
    inode = made.structure("inode", ("i_ino", u64, 8), ("", nameless, 16), ("i_sb", made.pointer(block), 24))
    to_inode = made.pointer(inode)
    void = made.pointer(0)
    bare = made.prototype(("", void), ("", to_inode), ("", u32))
    made.add(8, "btf_trace_ext4_sync", made.pointer(bare))
    made.add(12, "__bpf_trace_ext4__class", made.prototype(("__data", void), ("inode", to_inode), ("datasync", u32)))
    return made, made.bytes()


def test_members_are_found_through_pointers_and_nameless_structures() -> None:
    types = btf.Btf(small()[1], "test")
    assert types.member("inode", "i_ino") == btf.Place((8,), 1)
    assert types.member("inode", "inner") == btf.Place((20,), 2)
    assert types.member("inode", "i_sb.s_dev") == btf.Place((24, 16), 2)
    assert types.member("inode", "i_nothing") is None
    assert types.member("nothing", "i_ino") is None
    assert types.integer(2) == btf.Integer("int", 4, True)


def test_a_tracepoints_arguments_have_the_names_of_its_class() -> None:
    parameters = btf.Btf(small()[1], "test").tracepoint("ext4_sync")
    assert parameters is not None
    assert [p.name for p in parameters] == ["inode", "datasync"]
    assert btf.Btf(small()[1], "test").tracepoint("gone") is None


def test_a_modules_types_continue_the_kernels() -> None:
    base = btf.Btf(small()[1], "kernel")
    made = Builder()
    made.types.append(struct.pack("<III", base.texts_end + 1, 4 << 24 | 1, 8))
    made.types[-1] += struct.pack("<III", base.texts_end + 5, 1, 0)
    made.texts = b"\0mod\0field\0"
    types = btf.Btf(made.bytes(), "module", base)
    assert types.member("mod", "field") == btf.Place((0,), 1)
    assert types.member("inode", "i_ino") == btf.Place((8,), 1)


@pytest.mark.parametrize("data", [b"", b"\x9f\xeb", small()[1][:40], b"x" * 100, b"\x9f\xeb\x02" + small()[1][3:]])
def test_damaged_data_is_an_error(data: bytes) -> None:
    with pytest.raises(DataError):
        btf.Btf(data, "test")


@given(st.integers(0, 400), st.integers(0, 255))
def test_any_changed_byte_is_an_error_or_an_answer(at: int, value: int) -> None:
    data = bytearray(small()[1])
    data[at % len(data)] = value
    try:
        types = btf.Btf(bytes(data), "test")
        types.tracepoint("ext4_sync")
        types.member("inode", "i_sb.s_dev")
        [types.integer(i) for i in range(12)]
        [types.parameters(number) for number in types.functions().values()]
    except DataError:
        pass


@needs_btf
def test_the_running_kernel_describes_its_functions_and_tracepoints() -> None:
    types = btf.kernel()
    prototype = types.functions()["vfs_read"]
    assert [p.name for p in types.parameters(prototype)] == ["file", "buf", "count", "pos"]
    events = types.tracepoint("sched_process_fork")
    assert events is not None
    assert [types.pointer_to(p.type) for p in events] == ["task_struct", "task_struct"]
    place = types.member("inode", "i_sb.s_dev")
    assert place is not None
    assert types.integer(place.type) == btf.Integer("unsigned int", 4, False)
