/* SPDX-License-Identifier: MIT */
/**
 * User functions.
 *
 * dc_function_session serves both ends of a call: the kernel keeps eight bytes for each call in between, so nesting,
 * recursion and longjmp need no bookkeeping here (uprobe sessions, 6.13). Older kernels use dc_function_enter and
 * dc_function_return, which keep a stack of frames for each thread.
 *
 * A return probe replaces the return address on the stack, and C++ exceptions cannot pass it: the program aborts. Where
 * they could, dc_function_leave sits on the function's own `ret` instructions instead.
 *
 * A link's cookie holds the run slot (upper half) and the probe id.
 */
#include "profile.h"
#include "stacks.h"
#include "values.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

extern __u64 *bpf_session_cookie(void) __ksym __weak;

/* Calls that were entered and that returned: the difference was left by longjmp, an exception or the thread's end. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1); /* the loader sets the number of probes */
  __type(key, __u32);
  __type(value, struct dc_function_count);
} functions SEC(".maps");

/** The thread's tag if this probe's run follows it. */
static __always_inline struct dc_task *tag_for(struct pt_regs *regs, __u64 cookie, struct dc_run **run) {
  struct dc_task *tag = tag_at(regs);
  if (!tag || tag->run != cookie >> 32)
    return NULL;
  *run = run_of(tag);
  return *run ? tag : NULL;
}

/** The same where a call begins: what was the run's to see then is so when it returns. */
static __always_inline struct dc_task *tag_entering(struct pt_regs *regs, __u64 cookie, struct dc_run **run) {
  struct dc_task *tag = tag_for(regs, cookie, run);
  return tag && belongs(bpf_get_current_task_btf(), *run) ? tag : NULL;
}

static __always_inline struct dc_function_count *count_of(__u32 fn) { return bpf_map_lookup_elem(&functions, &fn); }

static __always_inline void count_entry(__u32 fn) {
  struct dc_function_count *count = count_of(fn);
  if (count)
    __sync_fetch_and_add(&count->entered, 1);
}

/** A call has returned. `frame` is what was kept of it; NULL where that is nothing. */
static __always_inline void finish(struct pt_regs *regs, struct dc_task *tag, const struct dc_run *run, __u32 fn,
                                   struct dc_function_spec *spec, struct frame *frame, __u64 start, __u64 now) {
  struct dc_function_count *count = count_of(fn);
  if (count)
    __sync_fetch_and_add(&count->returned, 1);
  if (!(spec->flags & DC_FN_INSTANT) && is_brief(run, fn, now - start))
    return;
  bool bare = spec->flags & DC_FN_FRAME && !frame;
  struct dc_call call = {
      .head =
          {.kind = DC_CALL, .flags = bare ? DC_BARE : 0, .fn = fn, .tid = tag->tid, .pid = tag->pid, .run = tag->run},
      .start = start,
      .duration = now - start,
      .result = return_value(regs),
  };
  bool profiled = is_profiled(run, &call.head, now);
  if (frame && spec->flags & DC_FN_FRAME)
    finish_framed(tag, spec, frame, &call, profiled);
  else if (profiled)
    profile_function(spec, NULL, &call);
  else
    send_call(&call);
}

SEC("uprobe/session")
int dc_function_session(struct pt_regs *regs) {
  __u64 *start = bpf_session_cookie();
  bool returns = *start; /* the kernel clears it at the entry: handler_chain() in kernel/events/uprobes.c */
  __u64 now = returns ? bpf_ktime_get_ns() : 0, cookie = bpf_get_attach_cookie(regs);
  struct dc_run *run;
  struct dc_task *tag = returns ? tag_for(regs, cookie, &run) : tag_entering(regs, cookie, &run);
  struct dc_function_spec *spec = tag ? function_spec_of(cookie) : NULL;
  if (!spec)
    return 1; /* at entry: do not hook the return */
  struct frames *frames = NULL;
  struct frame *frame = NULL;
  if (returns) {
    if (spec->flags & DC_FN_FRAME)
      frames = frames_get();
    if (frames)
      frame = frame_pop(frames, cookie, 0, *start);
    finish(regs, tag, run, cookie, spec, frame, *start, now);
    return 0;
  }
  count_entry(cookie);
  if (spec->flags & DC_FN_FRAME)
    frames = frames_make();
  if (frames)
    frame = frame_push(frames, stack_pointer(regs), cookie);
  if (frame)
    take(regs, tag, spec, frame);
  *start = bpf_ktime_get_ns();
  if (frame)
    frame->start = *start;
  return 0;
}

SEC("uprobe/enter")
int dc_function_enter(struct pt_regs *regs) {
  __u64 cookie = bpf_get_attach_cookie(regs);
  struct dc_run *run;
  struct dc_task *tag = tag_entering(regs, cookie, &run);
  struct dc_function_spec *spec = tag ? function_spec_of(cookie) : NULL;
  struct frames *frames = spec ? frames_make() : NULL;
  if (!frames)
    return 0;
  count_entry(cookie);
  struct frame *frame = frame_push(frames, stack_pointer(regs), cookie);
  if (!frame)
    return 0;
  if (spec->flags & DC_FN_FRAME)
    take(regs, tag, spec, frame);
  frame->start = bpf_ktime_get_ns();
  return 0;
}

/** Finishes the call whose frame began at `sp`; frames below it were left without a return. */
static __always_inline int leave(struct pt_regs *regs, __u64 sp, __u64 now) {
  __u64 cookie = bpf_get_attach_cookie(regs);
  struct dc_run *run;
  struct dc_task *tag = tag_for(regs, cookie, &run);
  struct dc_function_spec *spec = tag ? function_spec_of(cookie) : NULL;
  struct frames *frames = spec ? frames_get() : NULL;
  struct frame *frame = frames ? frame_pop(frames, cookie, sp, 0) : NULL;
  if (frame)
    finish(regs, tag, run, cookie, spec, frame, frame->start, now);
  return 0;
}

SEC("uprobe/return")
int dc_function_return(struct pt_regs *regs) {
  __u64 now = bpf_ktime_get_ns();
  return leave(regs, stack_pointer(regs) - sizeof(void *), now); /* the return has popped the return address */
}

SEC("uprobe/leave")
int dc_function_leave(struct pt_regs *regs) {
  __u64 now = bpf_ktime_get_ns();
  return leave(regs, stack_pointer(regs), now);
}

/** A place that a program marks: an event, or the beginning of a call that another mark ends. */
SEC("uprobe/mark")
int dc_mark(struct pt_regs *regs) {
  __u64 now = bpf_ktime_get_ns(), cookie = bpf_get_attach_cookie(regs);
  struct dc_run *run;
  struct dc_task *tag = tag_entering(regs, cookie, &run);
  struct dc_function_spec *spec = tag ? function_spec_of(cookie) : NULL;
  struct frames *frames = spec ? frames_make() : NULL;
  if (!frames)
    return 0;
  count_entry(cookie);
  struct frame *frame = frame_push(frames, DC_ANY_SP, cookie);
  if (!frame)
    return 0;
  take(regs, tag, spec, frame);
  frame->start = bpf_ktime_get_ns();
  if (!(spec->flags & DC_FN_INSTANT))
    return 0;
  frames->depth--;
  frame->start = now;
  finish(regs, tag, run, cookie, spec, frame, now, now);
  return 0;
}

SEC("uprobe/mark_end")
int dc_mark_end(struct pt_regs *regs) {
  __u64 now = bpf_ktime_get_ns();
  return leave(regs, DC_ANY_SP, now);
}
