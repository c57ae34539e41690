/* SPDX-License-Identifier: MIT */
/**
 * Who causes what the kernel does in its own threads and in interrupts.
 *
 * A file's pages are written back by the kernel long after the write, and a block request ends in an interrupt. Three
 * tables say for whom: the thread that changed a file last, that submitted a bio, that took part last in a transaction.
 */
#ifndef DATACRUMBS_OWNERS_H
#define DATACRUMBS_OWNERS_H

#include "files.h"

#define DC_KERNEL_THREAD 0x00200000 /* PF_KTHREAD, include/linux/sched.h */
#define DC_MAPPING_FLAGS 3          /* low bits of page->mapping: not a file's page, include/linux/page-flags.h */

struct owner {
  __u32 pid, tid;
  __u64 file;
  __u32 run;
  __u8 cause; /* enum dc_call_flag; 0: the thread itself, now */
  __u8 unused[3];
};

struct owner_key {
  __u64 what; /* file key, address of a bio, or device and number of a transaction */
  __u64 kind; /* enum dc_holder */
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, DC_MAX_OWNERS);
  __type(key, struct owner_key);
  __type(value, struct owner);
} owners SEC(".maps");

static __always_inline bool is_kernel_thread(struct task_struct *task) { return task->flags & DC_KERNEL_THREAD; }

/** The current thread's tag if this run follows it. */
static __always_inline struct dc_task *own_tag(__u32 slot, struct dc_run **run) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct dc_task *tag = tag_of(task);
  if (!tag || tag->run != slot)
    return NULL;
  *run = run_of(tag);
  return *run && belongs(task, *run) ? tag : NULL;
}

static __always_inline struct inode *inode_of_page(struct page *page) {
  unsigned long head = 0;
  if (!page)
    return NULL;
  if (bpf_core_field_exists(struct page, compound_head))
    head = BPF_CORE_READ(page, compound_head);
  if (head & 1)
    page = (void *)(head - 1);
  struct address_space *mapping = BPF_CORE_READ(page, mapping);
  return mapping && !((__u64)mapping & DC_MAPPING_FLAGS) ? BPF_CORE_READ(mapping, host) : NULL;
}

/** The inode whose page cache a bio moves; NULL for memory of programs and where there is no data. */
static __always_inline struct inode *inode_of_bio(struct bio *bio) {
  struct bio_vec *vectors = BPF_CORE_READ(bio, bi_io_vec);
  if (!vectors || !BPF_CORE_READ(bio, bi_iter.bi_size))
    return NULL;
  vectors = (void *)vectors + BPF_CORE_READ(bio, bi_iter.bi_idx) * bpf_core_type_size(struct bio_vec);
  return inode_of_page(BPF_CORE_READ(vectors, bv_page));
}

/** Device and number of a transaction in one word. */
static __always_inline __u64 transaction_key(__u32 device, __u32 number) { return (__u64)device << 32 | number; }

static __always_inline __u64 key_of_transaction(struct transaction_s *transaction) {
  if (!bpf_core_type_exists(struct transaction_s) || !bpf_core_type_exists(struct journal_s))
    return 0; /* jbd2 is a module, and not loaded */
  return transaction_key(BPF_CORE_READ(transaction, t_journal, j_fs_dev, bd_dev), BPF_CORE_READ(transaction, t_tid));
}

static __always_inline void remember(__u64 what, __u64 kind, const struct owner *owner) {
  struct owner_key key = {.what = what, .kind = kind};
  bpf_map_update_elem(&owners, &key, owner, BPF_ANY);
}

/** Fills `owner` with who is known to have caused work on `what`. */
static __always_inline bool recall(__u64 what, __u64 kind, __u32 slot, __u8 cause, struct owner *owner) {
  struct owner_key key = {.what = what, .kind = kind};
  const struct owner *found = what ? bpf_map_lookup_elem(&owners, &key) : NULL;
  if (!found || found->run != slot)
    return false;
  *owner = *found;
  if (cause)
    owner->cause = cause;
  return true;
}

/** A name of the inode and a mount of its file system: enough to walk its path. */
static __always_inline bool path_of_inode(struct inode *inode, struct path *path) {
  struct hlist_node *alias = BPF_CORE_READ(inode, i_dentry.first);
  struct super_block *block = BPF_CORE_READ(inode, i_sb);
  struct mount *mount = NULL;
  if (!alias)
    return false;
  if (bpf_core_field_exists(struct mount___list, mnt_instance)) {
    struct super_block___list *old = (void *)block;
    mount = (void *)BPF_CORE_READ(old, s_mounts.next) - bpf_core_field_offset(struct mount___list, mnt_instance);
  } else {
    mount = BPF_CORE_READ(block, s_mounts);
  }
  if (!mount)
    return false;
  path->mnt = (void *)mount + bpf_core_field_offset(struct mount, mnt);
  path->dentry = (void *)alias - bpf_core_field_offset(struct dentry, d_u.d_alias);
  return true;
}

/** The key of an inode; makes sure that a path of it has been sent. Pointers are plain numbers: a global function. */
__noinline __u64 meet_inode(struct dc_task *tag, __u64 at) {
  struct path path = {};
  struct inode *inode = (struct inode *)at;
  if (!tag || !inode)
    return 0;
  __u64 key = key_of(inode);
  struct seen_key seen_key = {.file = key, .run = tag->run};
  if (key == tag->known)
    return key;
  if (bpf_map_lookup_elem(&seen, &seen_key))
    tag->known = key;
  else if (path_of_inode(inode, &path))
    announce(tag, number_from(&path), key);
  return key;
}

#endif
