/* SPDX-License-Identifier: MIT */
/**
 * The few kernel structures that the programs look into, with only the members they read.
 *
 * CO-RE relocates every access to the running kernel's layout, so no vmlinux.h and no kernel headers are needed to
 * build, and one object serves all kernels. Names and nesting must be the kernel's own.
 */
#ifndef DATACRUMBS_KERNEL_H
#define DATACRUMBS_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long r10, r9, r8, ax, cx, dx, si, di, sp;
};
struct thread_info {
  __u32 status;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
  __u64 regs[31], sp, pc;
};
struct pt_regs {
  union {
    struct user_pt_regs user_regs;
  };
  __u64 orig_x0;
};
#else
#error "this architecture is not supported yet: add its system call registers here and in syscalls.bpf.c"
#endif

struct qstr {
  __u32 hash;
  __u32 len;
  const unsigned char *name;
};

struct hlist_node {
  struct hlist_node *next;
};

struct hlist_head {
  struct hlist_node *first;
};

struct list_head {
  struct list_head *next;
};

struct gendisk {
  struct block_device *part0;
};

struct block_device {
  __u32 bd_dev;
  struct gendisk *bd_disk;
};

struct mount;

struct super_block {
  __u32 s_dev;
  unsigned long s_magic;
  struct block_device *s_bdev;
  struct mount *s_mounts;
};

/* Until Linux 6.18 the mounts of a file system were a list. */
struct super_block___list {
  struct list_head s_mounts;
};

struct inode {
  unsigned short i_mode;
  struct super_block *i_sb;
  unsigned long i_ino;
  __u32 i_generation;
  struct hlist_head i_dentry;
};

struct dentry {
  struct dentry *d_parent;
  struct qstr d_name;
  struct inode *d_inode;
  union {
    struct hlist_node d_alias;
  } d_u;
};

struct address_space {
  struct inode *host;
};

struct page {
  unsigned long compound_head;
  struct address_space *mapping;
};

struct folio {
  struct address_space *mapping;
};

struct bio_vec {
  struct page *bv_page;
};

struct bvec_iter {
  __u64 bi_sector;
  unsigned int bi_size, bi_idx;
};

struct bio {
  struct bvec_iter bi_iter;
  struct bio_vec *bi_io_vec;
};

struct request {
  unsigned int __data_len;
  struct bio *bio;
};

struct journal_s {
  struct block_device *j_fs_dev;
};

struct transaction_s {
  struct journal_s *t_journal;
  unsigned int t_tid;
};

struct vfsmount {
  struct dentry *mnt_root;
};

struct mount {
  struct mount *mnt_parent;
  struct dentry *mnt_mountpoint;
  struct vfsmount mnt;
};

struct mount___list {
  struct list_head mnt_instance;
};

struct path {
  struct vfsmount *mnt;
  struct dentry *dentry;
};

struct file {
  struct path f_path;
  struct inode *f_inode;
};

struct fdtable {
  unsigned int max_fds;
  struct file **fd;
};

struct files_struct {
  struct fdtable *fdt;
};

struct fs_struct {
  struct path root, pwd;
};

typedef struct {
  __u32 val;
} kuid_t;

struct cred {
  kuid_t euid;
};

struct ns_common {
  unsigned int inum;
};

struct pid_namespace {
  unsigned int level;
  struct ns_common ns;
};

struct upid {
  int nr;
  struct pid_namespace *ns;
};

struct pid {
  unsigned int level;
  struct upid numbers[1];
};

typedef struct {
  int counter;
} atomic_t;

struct signal_struct {
  atomic_t live;
  int group_exit_code;
};

struct mm_struct {
  unsigned long arg_start, arg_end;
};

struct bpf_local_storage;

struct task_struct {
#if defined(__TARGET_ARCH_x86)
  struct thread_info thread_info;
#endif
  int pid, tgid, exit_code;
  unsigned int flags;
  char comm[16];
  struct task_struct *real_parent, *group_leader;
  struct signal_struct *signal;
  struct files_struct *files;
  struct fs_struct *fs;
  struct mm_struct *mm;
  struct pid *thread_pid;
  const struct cred *cred;
  struct bpf_local_storage *bpf_storage;
};

#pragma clang attribute pop

#endif
