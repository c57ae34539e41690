/* SPDX-License-Identifier: MIT */
/**
 * Kernel functions, by whichever mechanism the kernel has: kprobe sessions, pairs of kprobe_multi links, or a
 * trampoline (fentry and fexit) for each function.
 *
 * A thread's calls are kept on a stack of frames from entry to return. Calls return in the order in which they nest, so
 * the one that returns is the highest frame of its function; what lies above it was left without a return.
 */
#include "arch.h"
#include "fields.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

extern bool bpf_session_is_return(void) __ksym __weak;

struct kernel_frames {
  __u32 depth;
  __u32 beyond; /* calls that found the stack full */
  struct event_frame frame[DC_KERNEL_FRAMES];
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct kernel_frames);
} kernel_stacks SEC(".maps");

/** Notes a call's beginning; a global function, verified once. Returns whether its end is wanted. */
__noinline int enter_function(struct arguments *arguments, __u64 cookie) {
  struct dc_event_spec *spec = event_of(cookie);
  struct event_frame frame = {.fn = cookie};
  if (!spec || !arguments)
    return 0;
  if (!find_owner(spec, arguments, cookie >> 32, &frame.owner))
    return 0;
  struct task_struct *task = bpf_get_current_task_btf();
  struct kernel_frames *frames = bpf_task_storage_get(&kernel_stacks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  struct dc_function_count *count = event_count(cookie);
  if (!frames)
    return 0;
  if (count)
    __sync_fetch_and_add(&count->entered, 1);
  __u32 depth = frames->depth;
  if (depth >= DC_KERNEL_FRAMES) {
    frames->beyond++;
    return 0;
  }
  read_fields(spec, arguments, &frame, 0);
  frame.start = bpf_ktime_get_ns();
  frames->frame[depth % DC_KERNEL_FRAMES] = frame;
  frames->depth = depth + 1;
  return 1;
}

static __always_inline __s64 result_of(const struct dc_event_spec *spec, __u64 value) {
  const struct dc_field shape = {.size = spec->returned & 15,
                                 .flags = spec->returned & DC_RETURNS_SIGNED ? DC_FIELD_SIGNED : 0};
  return narrowed(value, &shape);
}

/** Finishes the call that returns; a global function, verified once. */
__noinline int leave_function(__u64 cookie, __u64 now, __u64 value) {
  struct dc_event_spec *spec = event_of(cookie);
  struct kernel_frames *frames = bpf_task_storage_get(&kernel_stacks, bpf_get_current_task_btf(), 0, 0);
  if (!spec || !frames)
    return 0;
  __u32 depth = frames->depth;
  for (int i = 0; i < DC_KERNEL_FRAMES && depth; i++) {
    depth--;
    struct event_frame *frame = &frames->frame[depth % DC_KERNEL_FRAMES];
    if (frame->fn != (__u32)cookie)
      continue;
    frames->depth = depth;
    struct dc_function_count *count = event_count(cookie);
    if (count)
      __sync_fetch_and_add(&count->returned, 1);
    struct event_frame copy = *frame;
    return send_event(spec, &copy, now - copy.start, result_of(spec, value));
  }
  return 0;
}

static __always_inline int enter_with(struct pt_regs *regs, __u64 cookie) {
  struct call_args registers;
  struct arguments arguments;
  read_function_args(regs, &registers);
  for (int i = 0; i < DC_MAX_ARGUMENTS; i++)
    arguments.value[i] = registers.value[i];
  return enter_function(&arguments, cookie);
}

/* Most calls are nobody's: a load tells so before anything is read. Kernel threads may be at work for somebody. */
static __always_inline bool is_nobodys(void) {
  struct task_struct *task = bpf_get_current_task_btf();
  return !is_kernel_thread(task) && !tag_of(task);
}

/* The loader sets the attach type: libbpf before 1.5 knows no sessions. */
SEC("kprobe.multi/session")
int dc_kernel_session(struct pt_regs *regs) {
  __u64 now = bpf_ktime_get_ns();
  if (bpf_session_is_return()) {
    leave_function(bpf_get_attach_cookie(regs), now, return_value(regs));
    return 0;
  }
  if (is_nobodys())
    return 1; /* do not hook the return */
  return !enter_with(regs, bpf_get_attach_cookie(regs));
}

SEC("kprobe.multi")
int dc_kernel_enter(struct pt_regs *regs) {
  if (!is_nobodys())
    enter_with(regs, bpf_get_attach_cookie(regs));
  return 0;
}

SEC("kretprobe.multi")
int dc_kernel_return(struct pt_regs *regs) {
  __u64 now = bpf_ktime_get_ns();
  if (!is_nobodys())
    leave_function(bpf_get_attach_cookie(regs), now, return_value(regs));
  return 0;
}

/* A trampoline's context: the arguments, then the result. Each function has an instance with its own fixed.cookie. */
SEC("fentry")
int dc_kernel_fentry(void *context) {
  struct arguments arguments = {};
  if (is_nobodys())
    return 0;
  read_arguments(context, &arguments);
  enter_function(&arguments, fixed.cookie);
  return 0;
}

SEC("fexit")
int dc_kernel_fexit(void *context) {
  __u64 now = bpf_ktime_get_ns(), value = 0;
  struct dc_event_spec *spec = is_nobodys() ? NULL : event_of(fixed.cookie);
  if (!spec)
    return 0;
  bpf_probe_read_kernel(&value, sizeof(value), (const void *)(number_from(context) + 8 * spec->parameters));
  leave_function(fixed.cookie, now, value);
  return 0;
}
