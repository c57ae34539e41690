"""What is taken of the arguments of kernel functions and tracepoints: numbers, and what a few pointers lead to.

Addresses of kernel objects never reach a trace: they would tell where the kernel lies in memory. A pointer is followed
to the file that it leads to, and to those members of it that the tables below name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from datacrumbs.core.btf import Btf, Parameter
from datacrumbs.core.kernelprobes import MAX_KERNEL_ARGUMENTS, MAX_STEPS, Field, Holder
from datacrumbs.core.probes import MAX_ARGUMENTS, Argument, ArgumentType

HOLDERS: Final[Mapping[str, tuple[str, str]]] = {
    "file": ("", "file"),
    "inode": ("", "inode"),
    "dentry": ("", "dentry"),
    "folio": ("", "folio"),
    "page": ("", "folio"),
    "kiocb": ("ki_filp", "file"),
    "address_space": ("host", "inode"),
    "path": ("dentry", "dentry"),
    "vm_fault": ("vma.vm_file", "file"),
    "vm_area_struct": ("vm_file", "file"),
    "readahead_control": ("mapping.host", "inode"),
    "iomap_iter": ("inode", "inode"),
    "xfs_inode": ("i_vnode", "inode"),
    "btrfs_inode": ("vfs_inode", "inode"),
    "nfs_pgio_header": ("inode", "inode"),
    "nfs_commit_data": ("inode", "inode"),
    "ext4_allocation_context": ("ac_inode", "inode"),
    "ext4_allocation_request": ("inode", "inode"),
    "bio": ("", "bio"),
    "request": ("", "request"),
    "transaction_s": ("", "transaction"),
}
"""Which structures lead to a file or a causer: the member that does ("": itself), and what kind of object that is."""

MEMBERS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "kiocb": (("ki_pos", "pos"),),
    "iov_iter": (("count", "count"),),
    "writeback_control": (("nr_to_write", "nr_to_write"), ("sync_mode", "sync_mode")),
    "wb_writeback_work": (("nr_pages", "nr_pages"), ("reason", "reason")),
    "readahead_control": (("_index", "index"), ("_nr_pages", "nr_pages")),
    "folio": (("index", "index"),),
    "vm_fault": (("pgoff", "index"),),
    "super_block": (("s_dev", "dev"),),
    "request": (
        ("__data_len", "bytes"),
        ("cmd_flags", "op"),
        ("__sector", "sector"),
        ("part.bd_dev", "dev"),
    ),
    "bio": (("bi_iter.bi_size", "bytes"), ("bi_opf", "op"), ("bi_iter.bi_sector", "sector"), ("bi_bdev.bd_dev", "dev")),
    "journal_s": (("j_fs_dev.bd_dev", "dev"),),
    "transaction_s": (("t_tid", "transaction"),),
    "ext4_map_blocks": (("m_lblk", "lblk"), ("m_pblk", "pblk"), ("m_len", "len"), ("m_flags", "mflags")),
    "extent_status": (("es_lblk", "lblk"), ("es_len", "len")),
    "ext4_allocation_request": (("len", "len"), ("logical", "logical"), ("goal", "goal"), ("flags", "flags")),
    "ext4_extent": (("ee_block", "lblk"), ("ee_len", "len")),
    "iomap_iter": (("pos", "pos"), ("len", "length")),
    "iomap": (("addr", "addr"), ("offset", "offset"), ("length", "length"), ("type", "type")),
    "xfs_bmbt_irec": (("br_startoff", "startoff"), ("br_startblock", "startblock"), ("br_blockcount", "blockcount")),
    "xfs_buf": (("b_maps.bm_bn", "bno"), ("b_length", "nblks")),
    "btrfs_ordered_extent": (("file_offset", "file_offset"), ("num_bytes", "num_bytes")),
    "extent_map": (("start", "start"), ("len", "len")),
    "nfs_pgio_header": (("args.offset", "offset"), ("args.count", "count")),
    "nfs_commit_data": (("args.offset", "offset"), ("args.count", "count")),
    "fuse_req": (("in.h.opcode", "opcode"), ("in.h.len", "len")),
}
"""Members of structures that say something, with the names that they have in the trace (those of `format`)."""

RESULTS: Final = frozenset(["ret", "err", "error", "result"])
"""Arguments of an event that ends a span which are its result."""
_HEX: Final = frozenset(["flags", "mode", "mflags", "state", "fgp_flags", "gfp", "gfp_mask", "alloc_flags"])
_HIDDEN: Final = re.compile(
    r"line_no|(?:.*_)?(?:ip|pc|sp|ptr|addr|address|caller|callsite|call_site|func|function)\Z", re.IGNORECASE
)
"""Numbers that may be addresses of the kernel in disguise, or are of no use."""
_OP_TYPES: Final = frozenset(["blk_opf_t", "enum req_op"])


@dataclass(slots=True)
class Captured:
    """What is taken of a call: `fields` and `arguments` side by side."""

    holder: Holder | None = None
    fields: list[Field] = field(default_factory=list)
    arguments: list[Argument] = field(default_factory=list)
    result: int = -1

    def add(self, found: Field, shown: str, kind: ArgumentType) -> None:
        if len(self.fields) < MAX_ARGUMENTS and all(a.name != shown for a in self.arguments):
            self.arguments.append(Argument(shown, len(self.fields), kind))
            self.fields.append(found)


def describe(btf: Btf, begin: Sequence[Parameter], end: Sequence[Parameter] = (), *, results: bool = True) -> Captured:
    """Decides what to take.

    Args:
        btf: the types of the kernel, or of the module that the function is in.
        begin: the parameters of the function, of the single event, or of the one that begins a span.
        end: of the event that ends the span.
        results: whether an argument of `end` may be the span's result.
    """
    captured = Captured()
    for at_end, parameters in ((False, begin), (True, end)):
        for index, parameter in enumerate(parameters[:MAX_KERNEL_ARGUMENTS]):
            if at_end and results and parameter.name in RESULTS and btf.integer(parameter.type):
                captured.result = index
                continue
            if not at_end and captured.holder is None:
                captured.holder = _holder(btf, index, parameter)
            for found, shown, kind in _numbers(btf, index, parameter, at_end=at_end):
                captured.add(found, shown, kind)
    return captured


def _holder(btf: Btf, index: int, parameter: Parameter) -> Holder | None:
    structure = btf.pointer_to(parameter.type)
    if not structure or structure not in HOLDERS:
        return None
    member, kind = HOLDERS[structure]
    name = parameter.name or f"#{index}"
    if not member:
        return Holder(name, index, kind)
    place = btf.member(structure, member)
    if place is None or len(place.offsets) > MAX_STEPS:
        return None
    return Holder(f"{name}.{member}", index, kind, place.offsets, btf.pointer_to(place.type) is None)


def _numbers(btf: Btf, index: int, parameter: Parameter, *, at_end: bool) -> Iterator[tuple[Field, str, ArgumentType]]:
    name = parameter.name or f"#{index}"
    number = btf.integer(parameter.type)
    if number:
        if not _HIDDEN.match(name):
            shown = parameter.name or f"arg{index + 1}"
            found = Field(name, index, (), number.size, number.signed, at_end)
            yield found, shown, _type(shown, btf.written(parameter.type), signed=number.signed)
        return
    if btf.written(parameter.type) == "loff_t *":  # the file position, as VFS functions take it
        yield Field(f"{name}.", index, (0,), 8, True, at_end), name, "i64"
    structure = btf.pointer_to(parameter.type)
    for member, shown in MEMBERS.get(structure or "", ()):
        place = btf.member(structure or "", member)
        number = btf.integer(place.type) if place else None
        if place and number and len(place.offsets) <= MAX_STEPS:
            found = Field(f"{name}.{member}", index, place.offsets, number.size, number.signed, at_end)
            yield found, shown, _type(shown, btf.written(place.type), signed=number.signed)


def _type(shown: str, written: str, *, signed: bool) -> ArgumentType:
    if written == "dev_t" or shown == "dev":
        return "dev"
    if written in _OP_TYPES or shown == "op":
        return "blkop"
    if shown in _HEX:
        return "hex"
    return "i64" if signed else "u64"
