/* SPDX-License-Identifier: MIT */
/**
 * The tags of followed threads by their kernel stacks, for the two programs that every system call on the node passes.
 *
 * A thread's registers lie at the same address whenever it enters the kernel, the top of its kernel stack, and that
 * address is an argument of both programs, and of those at user functions. So a table by stack address tells without a
 * single call of a helper that nobody follows a thread, and finds the tag of one that is followed. Where two followed
 * threads have the same place in the table, the second is looked up by its task, as the other programs do.
 */
#ifndef DATACRUMBS_STACKS_H
#define DATACRUMBS_STACKS_H

#include "maps.h"

#define DC_PLACES 8192
#define DC_STACK_BITS 14 /* THREAD_SIZE is 16 KiB or more on x86_64 and arm64 */
#define DC_CLAIMED 1     /* no stack's: its new owner is not written yet */

struct dc_place {
  __u64 owner;  /* the stack of the thread whose tag this is; 0: none */
  __u64 others; /* followed threads that found the place taken */
  struct dc_task tag;
};

struct dc_place places[DC_PLACES];
bool stacks_differ; /* the tracepoint's registers are not where task_pt_regs() says: nothing is told by them */

/** A thread's stack as a number: the distance of its registers, since the verifier takes an address for no number. */
static __always_inline __u64 stack_at(const struct pt_regs *regs) { return (__u64)regs - (__u64)places; }

static __always_inline __u64 stack_of(struct task_struct *task) {
  return stack_at((const struct pt_regs *)bpf_task_pt_regs(task));
}

static __always_inline struct dc_place *place_of(__u64 stack) {
  return &places[(stack >> DC_STACK_BITS) & (DC_PLACES - 1)];
}

/** Whether a thread with this stack may be followed: false for all but a few of the others. */
static __always_inline bool may_be_followed(const struct dc_place *place, __u64 stack) {
  return place->owner == stack || place->others || stacks_differ;
}

/** The tag of the current thread, whose user registers these are; NULL where nobody follows it. */
static __always_inline struct dc_task *tag_at(const struct pt_regs *regs) {
  __u64 stack = stack_at(regs);
  struct dc_place *place = place_of(stack);
  return place->owner == stack ? &place->tag : tag_of(bpf_get_current_task_btf());
}

/** Gives a thread's tag its place; the thread is the current one, or one that is not yet followed. */
static __always_inline void place_tag(struct task_struct *task, struct dc_task *tag) {
  __u64 stack = stack_of(task);
  struct dc_place *place = place_of(stack);
  if (place->owner == stack || !__sync_val_compare_and_swap(&place->owner, 0, DC_CLAIMED)) {
    if (__sync_lock_test_and_set(&tag->crowded, 0))
      __sync_fetch_and_add(&place->others, -1);
    place->tag = *tag;
    __sync_lock_test_and_set(&place->owner, stack);
  } else if (!__sync_lock_test_and_set(&tag->crowded, 1)) {
    __sync_fetch_and_add(&place->others, 1);
  }
}

/** Takes it back, when the thread ends or is not followed any more. */
static __always_inline void place_free(struct task_struct *task, struct dc_task *tag) {
  __u64 stack = stack_of(task);
  struct dc_place *place = place_of(stack);
  if (place->owner == stack)
    __sync_lock_test_and_set(&place->owner, 0);
  else if (__sync_lock_test_and_set(&tag->crowded, 0))
    __sync_fetch_and_add(&place->others, -1);
}

#endif
