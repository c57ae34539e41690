"""Kernel functions: what an entry selects, what is taken of their arguments, and what is never probed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from datacrumbs.configurator import kernelunsafe
from datacrumbs.configurator.gather import SOURCES, gather
from datacrumbs.configurator.material import KernelProbes
from datacrumbs.configurator.resolve import resolve
from datacrumbs.configurator.sources import ksym
from datacrumbs.configurator.spec import parse
from datacrumbs.core.errors import DataError, NoInputError
from datacrumbs.core.kernelprobes import Field, Holder, KernelFunction
from datacrumbs.core.probes import Probe, ProbeSet

pytestmark = pytest.mark.skipif(not Path("/sys/kernel/btf/vmlinux").exists(), reason="this kernel has no BTF")


def select(text: str) -> KernelProbes:
    entry = parse(f"capture_probes: [{{name: k, probe: kprobe, {text}}}]".encode(), "h.yaml").entries[0]
    found = SOURCES[entry.probe, entry.type](entry)
    assert isinstance(found, KernelProbes)
    return found


def names(text: str) -> set[str]:
    return {item.probe.name for item in select(text).probes if not item.problem}


def one(symbol: str) -> Probe:
    (found,) = select(f"regex: {symbol}").probes
    assert not found.problem
    return found.probe


def target(probe: Probe) -> KernelFunction:
    assert isinstance(probe.target, KernelFunction)
    return probe.target


def test_arguments_have_the_names_and_types_that_btf_gives_them() -> None:
    """ssize_t vfs_read(struct file *file, char __user *buf, size_t count, loff_t *pos): no address among them."""
    probe = one("vfs_read")
    assert [(a.name, a.type) for a in probe.capture.arguments] == [("count", "u64"), ("pos", "i64")]
    assert target(probe).holder == Holder("file", 0, "file")
    assert target(probe).fields == (
        Field("count", 2, (), 8, False, False),
        Field("pos.", 3, (0,), 8, True, False),
    )
    assert (target(probe).parameters, target(probe).returned, target(probe).signed) == (4, 8, True)
    assert probe.capture.returns == "errno"


def test_results_that_are_addresses_are_not_shown() -> None:
    """struct file *fget(unsigned int fd)."""  # noqa: D403
    probe = one("fget")
    assert (target(probe).returned, probe.capture.returns) == (0, "")


def test_upstreams_pattern_selects_with_look_ahead() -> None:
    found = names('type: ksym, regex: "^vfs_(?!.*read).*"')
    assert "vfs_write" in found
    assert "vfs_read" not in found


def test_a_header_selects_what_it_declares_and_the_kernel_has(tmp_path: Path) -> None:
    """Macros and inline functions around the declarations do not matter."""
    header = tmp_path / "fs.h"
    header.write_text(
        "#define __must_check __attribute__((x))\nstruct file; typedef long long loff_t;\n"
        "extern ssize_t __must_check vfs_read(struct file *, char __user *, size_t, loff_t *);\n"
        "static inline int vfs_inline_only(int a) { return helper(a); }\nint vfs_fsync(struct file *f, int datasync);\n"
    )
    assert names(f"type: header, file: {header}") == {"vfs_read", "vfs_fsync"}
    assert names(f"type: header, file: {header}, regex: vfs_r.*") == {"vfs_read"}


def test_without_its_header_an_entry_means_what_its_pattern_fits() -> None:
    missing = "type: header, file: /nonexistent/pagemap.h"
    assert names(f"{missing}, regex: vfs_read") == {"vfs_read"}
    assert "names come from the kernel" in select(f"{missing}, regex: vfs_read").notes[0]
    assert select(missing).probes == ()
    assert select(missing).notes == (
        "h.yaml:1:63: /nonexistent/pagemap.h is not on this machine, and no pattern says which functions are meant",
    )


def test_a_file_that_means_nothing_but_a_missing_header_says_so() -> None:
    """Where nothing is left to probe, the header is named with its line and column."""
    text = b"capture_probes:\n  - name: cache\n    probe: kprobe\n    type: header\n    file: /nonexistent/pagemap.h\n"
    spec = parse(text, "h.yaml")
    with pytest.raises(DataError, match=r"no function fits: .*h\.yaml:5:11: /nonexistent/pagemap\.h is not"):
        resolve(spec, gather(spec), arch="x86_64", most=10)


def test_a_header_that_cannot_be_looked_for_is_an_error() -> None:
    """A name that the kernel refuses is no missing file."""
    with pytest.raises(NoInputError, match="File name too long"):
        select(f"type: header, file: /{'x' * 300}.h")


def test_a_module_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DataError, match="no module nonesuch is loaded"):
        select("type: binary, file: /lib/modules/x/nonesuch.ko.xz")


@pytest.mark.parametrize(
    "symbol",
    ["default_do_nmi", "trace_event_raw_init", "_raw_spin_lock", "mutex_lock", "rcu_read_unlock_special", "schedule",
     "bpf_map_lookup_elem", "ftrace_ops_list_func", "printk", "panic", "memcpy", "vfs_read.cold", "ext4_foo.isra.0",
     "asm_exc_page_fault", "ktime_get", "__pfx_vfs_read", "do_exit"],
)  # fmt: skip
def test_what_must_not_be_probed_is_left_out_with_a_reason(symbol: str) -> None:
    assert kernelunsafe.reason(symbol)


@pytest.mark.parametrize(
    "symbol",
    ["vfs_read", "ext4_file_write_iter", "filemap_get_pages", "generic_perform_write", "iomap_dio_rw", "nfs_file_read",
     "blk_mq_submit_bio", "writeback_single_inode", "xfs_file_buffered_write", "btrfs_sync_file", "submit_bio_noacct"],
)  # fmt: skip
def test_io_functions_may_be_probed(symbol: str) -> None:
    assert kernelunsafe.reason(symbol) is None


def test_the_signer_believes_neither_offsets_nor_names() -> None:
    probe = one("vfs_read")
    ksym.check(probe)
    first = target(probe).fields[0]
    for changed in (
        replace(target(probe), symbol="mutex_lock"),
        replace(target(probe), symbol="no_such_function"),
        replace(target(probe), returned=4),
        replace(target(probe), holder=Holder("buf", 1, "inode")),
        replace(target(probe), fields=(replace(first, offsets=(8,)), target(probe).fields[1])),
        replace(target(probe), fields=(replace(first, argument=1), target(probe).fields[1])),
    ):
        with pytest.raises(DataError):
            ksym.check(replace(probe, target=changed))


def test_json_keeps_all() -> None:
    made = ProbeSet("x86_64", (one("vfs_read"), one("vfs_fsync_range")), kernel="0123456789abcdef")
    assert ProbeSet.from_json(made.to_json()) == made
