/* SPDX-License-Identifier: MIT */
/**
 * How each architecture passes the arguments of a system call, and which calls are not in its own table.
 */
#ifndef DATACRUMBS_ARCH_H
#define DATACRUMBS_ARCH_H

#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define DC_AT_FDCWD (-100) /* AT_FDCWD of openat(2) */

/* An unused index, DC_NONE, masked to seven finds a zero. */
struct call_args {
  __u64 value[8];
};

#if defined(__TARGET_ARCH_x86)
#define DC_NR_PRCTL 157

static __always_inline void read_args(const struct pt_regs *regs, struct call_args *args) {
  *args = (struct call_args){{regs->di, regs->si, regs->dx, regs->r10, regs->r8, regs->r9}};
}

static __always_inline __u64 first_arg(const struct pt_regs *regs) { return regs->di; }

static __always_inline __u64 stack_pointer(const struct pt_regs *regs) { return BPF_CORE_READ(regs, sp); }

/** Arguments and result of a function: System V ABI for AMD64, 3.2.3. */
static __always_inline void read_function_args(struct pt_regs *regs, struct call_args *args) {
  *args = (struct call_args){{regs->di, regs->si, regs->dx, regs->cx, regs->r8, regs->r9}};
}

static __always_inline __u64 return_value(struct pt_regs *regs) { return regs->ax; }

/** 32-bit calls have numbers of their own: TS_COMPAT in arch/x86/include/asm/thread_info.h. */
static __always_inline bool is_foreign_call(const struct task_struct *task) { return task->thread_info.status & 2; }

#elif defined(__TARGET_ARCH_arm64)
#define DC_NR_PRCTL 167

static __always_inline void read_args(const struct pt_regs *regs, struct call_args *args) {
  const __u64 *r = regs->user_regs.regs;
  *args = (struct call_args){{regs->orig_x0, r[1], r[2], r[3], r[4], r[5]}};
}

static __always_inline __u64 first_arg(const struct pt_regs *regs) { return regs->orig_x0; }

static __always_inline __u64 stack_pointer(const struct pt_regs *regs) { return BPF_CORE_READ(regs, user_regs.sp); }

/** Arguments and result of a function: Procedure Call Standard for the Arm 64-bit Architecture, 6.8. */
static __always_inline void read_function_args(struct pt_regs *regs, struct call_args *args) {
  for (int i = 0; i < 8; i++)
    args->value[i] = BPF_CORE_READ(regs, user_regs.regs[i]);
}

static __always_inline __u64 return_value(struct pt_regs *regs) { return BPF_CORE_READ(regs, user_regs.regs[0]); }

static __always_inline bool is_foreign_call(const struct task_struct *task) { return false; }
#endif

#endif
