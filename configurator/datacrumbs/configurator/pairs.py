"""Which kernel tracepoints are the two ends of a span, and which subsystem an event belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

ENDINGS: Final = (("_enter", "_exit"), ("_begin", "_end"), ("_start", "_done"), ("_start", "_end"), ("_start", "_stop"))
"""What ends the names of most pairs."""

THREAD: Final = -1
"""Both ends happen in one thread; other keys are the places of the arguments with the address that both ends share."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two events that are the ends of a span; `key` and `end_key` as in core.probes.Tracepoint."""

    begin: str
    end: str
    name: str
    key: int = THREAD
    end_key: int = THREAD


PAIRS: Final = (
    Pair("ext4_writepages", "ext4_writepages_result", "ext4_writepages"),
    Pair("ext4_ext_remove_space", "ext4_ext_remove_space_done", "ext4_ext_remove_space"),
    Pair("jbd2_start_commit", "jbd2_end_commit", "jbd2_commit"),
    Pair("writeback_start", "writeback_written", "writeback_pages"),
    Pair("writeback_single_inode_start", "writeback_single_inode", "writeback_single_inode"),
    Pair("writeback_write_inode_start", "writeback_write_inode", "writeback_write_inode"),
    Pair("writeback_dirty_inode_start", "writeback_dirty_inode", "writeback_dirty_inode"),
    Pair("xfs_log_reserve", "xfs_log_reserve_exit", "xfs_log_reserve"),
    Pair("xfs_log_regrant", "xfs_log_regrant_exit", "xfs_log_regrant"),
    Pair("xfs_log_grant_sleep", "xfs_log_grant_wake", "xfs_log_grant_wait"),
    Pair("xfs_buf_iowait", "xfs_buf_iowait_done", "xfs_buf_iowait"),
    Pair("xfs_buf_lock", "xfs_buf_lock_done", "xfs_buf_lock"),
    Pair("xlog_iclog_syncing", "xlog_iclog_sync_done", "xlog_iclog_syncing", 0, 0),
    Pair("block_rq_issue", "block_rq_complete", "block_rq", 0, 0),
    Pair("block_io_start", "block_io_done", "block_io", 0, 0),
    Pair("iomap_dio_rw_begin", "iomap_dio_complete", "iomap_dio_rw", 0, 0),
    Pair("nfs_initiate_read", "nfs_readpage_done", "nfs_read", 0, 1),
    Pair("nfs_initiate_write", "nfs_writeback_done", "nfs_write", 0, 1),
    Pair("nfs_initiate_commit", "nfs_commit_done", "nfs_commit", 0, 1),
    Pair("fuse_request_send", "fuse_request_end", "fuse_request", 0, 0),
    Pair("nvme_setup_cmd", "nvme_complete_rq", "nvme_command", 0, 0),
    Pair("scsi_dispatch_cmd_start", "scsi_dispatch_cmd_done", "scsi_command", 0, 0),
    Pair("9p_client_req", "9p_client_res", "9p_request"),
)
"""Pairs whose names do not tell, and those whose ends need not happen in one thread."""

_PREFIXES: Final[Mapping[str, str]] = {
    "mm_filemap_": "filemap",
    "filemap_": "filemap",
    "file_check_": "filemap",
    "wbc_": "writeback",
    "balance_dirty_pages": "writeback",
    "bdi_dirty_": "writeback",
    "global_dirty_state": "writeback",
    "folio_wait_writeback": "writeback",
    "wait_on_page_writeback": "writeback",
    "sb_mark_inode_writeback": "writeback",
    "sb_clear_inode_writeback": "writeback",
    "inode_switch_wbs": "writeback",
    "inode_foreign_history": "writeback",
    "track_foreign_dirty": "writeback",
    "flush_foreign": "writeback",
    "xlog_": "xfs",
    "mm_vmscan_": "vmscan",
    "mm_lru_": "pagemap",
    "nfs4_": "nfs4",
    "page_cache_": "readahead",
    "blk_": "block",
    "disk_zone_": "block",
    "blkdev_": "block",
    "run_delayed_": "btrfs",
    "extent_writepage": "btrfs",
    "update_bytes_": "btrfs",
    "raid56_": "btrfs",
    "add_delayed_": "btrfs",
    "generic_": "filelock",
    "posix_lock_": "filelock",
    "locks_": "filelock",
    "flock_": "filelock",
    "fcntl_": "filelock",
    "break_lease_": "filelock",
    "leases_": "filelock",
    "time_out_leases": "filelock",
    "do_page_cache_": "readahead",
    "sys_": "syscalls",
}
"""Subsystems of events that are not the first word of their names (a test compares with tracefs)."""


def subsystem_of(event: str) -> str:
    """The subsystem that an event belongs to. From its name, for users cannot read tracefs."""
    for prefix, subsystem in _PREFIXES.items():
        if event.startswith(prefix):
            return subsystem
    return event.partition("_")[0]


def pairs_of(events: Iterable[str]) -> tuple[Pair, ...]:
    """All pairs among these events."""
    there = set(events)
    found = {pair.begin: pair for pair in PAIRS if pair.begin in there and pair.end in there}
    for event in sorted(there - found.keys()):
        for begin, end in ENDINGS:
            stem = event.removesuffix(begin)
            if event.endswith(begin) and stem + end in there:
                found[event] = Pair(event, stem + end, stem)
                break
    return tuple(found[begin] for begin in sorted(found))
