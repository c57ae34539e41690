/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <errno.h>
#include <linux/types.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BPF_RAW_TRACEPOINT_OPEN_COMMAND 17
#define BPF_LINK_CREATE_COMMAND 28
#define UPROBE_MULTI_RETURN 1
#define KPROBE_MULTI_RETURN 1

/* union bpf_attr's part for BPF_LINK_CREATE with uprobe_multi, as include/uapi/linux/bpf.h has it since 6.6. */
struct link_create {
  __u32 prog_fd, target_fd, attach_type, flags;
  struct {
    __aligned_u64 path, offsets, ref_ctr_offsets, cookies;
    __u32 cnt, flags, pid;
  } uprobe_multi;
};

int dc_link_functions(int program, unsigned type, const char *path, const unsigned long *offsets,
                      const unsigned long long *cookies, size_t count, bool returns) {
  return dc_link_marks(program, type, path, offsets, NULL, cookies, count, returns);
}

int dc_link_marks(int program, unsigned type, const char *path, const unsigned long *offsets,
                  const unsigned long *semaphores, const unsigned long long *cookies, size_t count, bool returns) {
  struct link_create attr;
  memset(&attr, 0, sizeof(attr));
  attr.prog_fd = (__u32)program;
  attr.attach_type = type;
  attr.uprobe_multi.path = (uintptr_t)path;
  attr.uprobe_multi.offsets = (uintptr_t)offsets;
  attr.uprobe_multi.ref_ctr_offsets = (uintptr_t)semaphores;
  attr.uprobe_multi.cookies = (uintptr_t)cookies;
  attr.uprobe_multi.cnt = (__u32)count;
  attr.uprobe_multi.flags = returns ? UPROBE_MULTI_RETURN : 0;
  long link = syscall(SYS_bpf, BPF_LINK_CREATE_COMMAND, &attr, sizeof(attr));
  return link < 0 ? -errno : (int)link;
}

/* The part for BPF_LINK_CREATE with kprobe_multi. */
struct kernel_link_create {
  __u32 prog_fd, target_fd, attach_type, link_flags;
  __u32 flags, cnt;
  __aligned_u64 syms, addrs, cookies;
};

int dc_link_kernel_functions(int program, unsigned type, const unsigned long long *addresses,
                             const unsigned long long *cookies, size_t count, bool returns) {
  struct kernel_link_create attr;
  memset(&attr, 0, sizeof(attr));
  attr.prog_fd = (__u32)program;
  attr.attach_type = type;
  attr.flags = returns ? KPROBE_MULTI_RETURN : 0;
  attr.cnt = (__u32)count;
  attr.addrs = (uintptr_t)addresses;
  attr.cookies = (uintptr_t)cookies;
  long link = syscall(SYS_bpf, BPF_LINK_CREATE_COMMAND, &attr, sizeof(attr));
  return link < 0 ? -errno : (int)link;
}

/* The part for BPF_RAW_TRACEPOINT_OPEN; the cookie since 6.10 (kernel commit 68ca5d4eebb8). */
struct tracepoint_open {
  __aligned_u64 name;
  __u32 prog_fd, unused;
  __aligned_u64 cookie;
};

int dc_link_tracepoint(int program, const char *name, unsigned long long cookie) {
  struct tracepoint_open attr;
  memset(&attr, 0, sizeof(attr));
  attr.name = (uintptr_t)name;
  attr.prog_fd = (__u32)program;
  attr.cookie = cookie;
  long link = syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN_COMMAND, &attr, sizeof(attr));
  return link < 0 ? -errno : (int)link;
}
