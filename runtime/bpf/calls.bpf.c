/* SPDX-License-Identifier: MIT */
/**
 * System calls, and who is followed.
 *
 * dc_sys_enter notes when a followed thread begins a selected call; dc_sys_exit sends the finished call. Every process
 * on the node passes through both, so the way of a task without a tag is one look-up long. The markers arrive as
 * system calls too, which is why following lives in this object: it is loaded in every run.
 */
#include "arch.h"
#include "follow.h"
#include "profile.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, DC_MAX_RUNS *DC_MAX_CALLS);
  __type(key, __u32);
  __type(value, struct dc_spec);
} specs SEC(".maps");

static __always_inline struct dc_spec *spec_of(const struct dc_task *tag, __u64 call) {
  __u32 index = tag->run * DC_MAX_CALLS + call;
  struct dc_spec *spec = call < DC_MAX_CALLS ? bpf_map_lookup_elem(&specs, &index) : NULL;
  return spec && spec->flags & DC_SPEC_SELECTED ? spec : NULL;
}

static __noinline int heed_marker(struct task_struct *task, struct pt_regs *regs) {
  struct dc_task *tag = tag_of(task);
  struct call_args args;
  read_args(regs, &args);
  if (stack_at(regs) != stack_of(task))
    stacks_differ = true;
  if (args.value[1] == DC_MARKER_START)
    return start_following(task, args.value[2]);
  struct dc_run *run = tag ? run_of(tag) : NULL;
  if (!run || !belongs(task, run))
    return 0;
  if (args.value[1] == DC_MARKER_STOP)
    return stop_following(task, tag);
  if (args.value[1] == DC_MARKER_REGION)
    return send_region(tag, (const void *)args.value[2], args.value[3]);
  return 0;
}

/** The directories that a call's paths start at: after chdir() and chroot() they are others. */
static __noinline int meet_bases(struct dc_task *tag, struct task_struct *task, struct dc_spec *spec,
                                 struct call_args *args) {
  if (!tag || !task || !spec || !args)
    return 0;
  if (spec->path[0] != DC_NONE)
    tag->file = base_of(tag, task, spec->directory[0], args);
  if (spec->path[1] != DC_NONE)
    tag->file2 = base_of(tag, task, spec->directory[1], args);
  tag->root = meet_root(tag, task);
  return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(dc_sys_enter, struct pt_regs *regs, long call) {
  __u64 stack = stack_at(regs);
  struct dc_place *place = place_of(stack);
  bool marker = call == DC_NR_PRCTL && first_arg(regs) == DC_MARKER;
  if (!marker && (!fixed.calls || !may_be_followed(place, stack)))
    return 0;
  struct task_struct *task = bpf_get_current_task_btf();
  if (marker && !is_foreign_call(task))
    return heed_marker(task, regs);
  if (!fixed.calls)
    return 0;
  struct dc_task *tag = tag_at(regs);
  if (!tag)
    return 0;
  tag->start = 0;
  struct dc_spec *spec = spec_of(tag, call);
  struct dc_run *run = run_of(tag);
  if (!spec || !run || !belongs(task, run) || is_foreign_call(task))
    return 0;
  tag->call = call;
  tag->file = tag->file2 = 0;
  /* Now, not at the end: close() leaves nothing to look at. */
  if (spec->descriptor[0] != DC_NONE) {
    struct call_args args;
    read_args(regs, &args);
    tag->file = meet_descriptor(tag, task, args.value[spec->descriptor[0] & 7]);
    if (spec->descriptor[1] != DC_NONE)
      tag->file2 = meet_descriptor(tag, task, args.value[spec->descriptor[1] & 7]);
  }
  if (spec->path[0] != DC_NONE && !(spec->flags & DC_SPEC_RETURNS_FILE)) {
    struct call_args args;
    read_args(regs, &args);
    meet_bases(tag, task, spec, &args);
  }
  tag->start = bpf_ktime_get_ns();
  return 0;
}

/** Sends a call with what does not fit into the short form: paths, a second file, more arguments. */
static __noinline int send_extended(struct dc_task *tag, struct task_struct *task, struct dc_spec *spec,
                                    struct dc_call *call, struct call_args *args) {
  if (!tag || !spec || !call || !args)
    return 0;
  bool with_paths = !(spec->flags & DC_SPEC_RETURNS_FILE && call->result >= 0);
  __u64 file[DC_MAX_FILES] = {call->file, tag->file2};
  if (with_paths && spec->flags & DC_SPEC_RETURNS_FILE && spec->path[0] != DC_NONE) {
    meet_bases(tag, task, spec, args);
    file[0] = tag->file;
  }
  struct scratch *scratch = scratch_take();
  if (!scratch)
    return count_lost(tag->run, spec->fn);
  struct dc_call_ext *record = (void *)scratch->bytes;
  record->call = *call;
  record->call.head.kind = DC_CALL_EXT;
  record->call.file = file[0];
  record->file2 = file[1];
  for (int i = 0; i < DC_MAX_TEXTS; i++)
    record->text_size[i] = 0;
  for (int i = 2; i < DC_MAX_ARGS; i++)
    record->args[i - 2] = args->value[spec->args[i] & 7];
  __u64 used = 0;
  for (int i = 0; i < DC_MAX_FILES; i++) {
    record->path_size[i] = 0;
    if (!with_paths || spec->path[i] == DC_NONE || used > DC_MAX_PATH)
      continue;
    const void *from = (const void *)args->value[spec->path[i] & 7];
    long size = bpf_probe_read_user_str(record->paths + used, DC_MAX_PATH, from);
    if (size <= 0) { /* a bad pointer, or a call that did not finish */
      *(i ? &record->file2 : &record->call.file) = 0;
      continue;
    }
    if (size > 1 && record->paths[used] == '/')
      *(i ? &record->file2 : &record->call.file) = tag->root;
    record->call.head.flags |= i ? DC_HAS_PATH2 : DC_HAS_PATH;
    record->path_size[i] = size - 1;
    used += size - 1;
  }
  scratch_send(scratch, sizeof(*record) + used);
  return 0;
}

/** Adds up a call; one that was given a path goes by that. */
static __noinline int profile_call(struct dc_task *tag, struct task_struct *task, struct dc_spec *spec,
                                   struct dc_call *call, struct call_args *args) {
  if (!tag || !spec || !call || !args)
    return 0;
  if (spec->path[0] != DC_NONE && !(spec->flags & DC_SPEC_RETURNS_FILE && call->result >= 0)) {
    if (spec->flags & DC_SPEC_RETURNS_FILE)
      meet_bases(tag, task, spec, args);
    call->file = tag->file;
    meet_given(tag, args->value[spec->path[0] & 7], &call->file);
  } else {
    call->file = alias_of(tag, call->file);
  }
  return profile(call, spec->flags & DC_SPEC_MOVES && call->result > 0 ? call->result : 0);
}

/** The call of the current thread is over: it was the run's to see when it began, so it is now. */
static __always_inline void finish_call(struct dc_task *tag, struct pt_regs *regs, __s64 result, __u8 flags,
                                        __u64 now) {
  struct dc_spec *spec = spec_of(tag, tag->call);
  struct dc_run *run = run_of(tag);
  __u64 duration = now - tag->start;
  if (!spec || !run)
    return;
  struct call_args args = {};
  if (regs)
    read_args(regs, &args);
  struct dc_call call = {
      .head = head_of(tag, DC_CALL, flags, spec->fn),
      .start = tag->start,
      .duration = duration,
      .result = result,
      .file = tag->file,
      .args = {args.value[spec->args[0] & 7], args.value[spec->args[1] & 7]},
  };
  if (spec->flags & DC_SPEC_RETURNS_FILE && result >= 0)
    call.file = meet_opened(tag, bpf_get_current_task_btf(), result);
  if (is_brief(run, spec->fn, duration))
    return;
  if (is_profiled(run, &call.head, now))
    profile_call(tag, bpf_get_current_task_btf(), spec, &call, &args);
  else if (spec->flags & DC_SPEC_EXTENDED)
    send_extended(tag, bpf_get_current_task_btf(), spec, &call, &args);
  else
    send_call(&call);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(dc_sys_exit, struct pt_regs *regs, long result) {
  __u64 stack = stack_at(regs);
  struct dc_place *place = place_of(stack);
  if (!may_be_followed(place, stack))
    return 0;
  struct dc_task *tag = tag_at(regs);
  if (!tag || !tag->start)
    return 0;
  finish_call(tag, regs, result, 0, bpf_ktime_get_ns());
  tag->start = 0;
  return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(dc_fork, struct task_struct *parent, struct task_struct *child) {
  struct dc_task *tag = tag_of(parent);
  struct dc_run *run = tag ? run_of(tag) : NULL;
  if (!run || !belongs(parent, run))
    return 0;
  struct dc_task *young = tag_task(child, tag->run, run);
  if (!young)
    return count_lost(tag->run, DC_LOST_OTHER);
  if (young->tid == young->pid)
    send_process(young, parent, child, DC_PROCESS_START, run->pid_level);
  return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(dc_exec, struct task_struct *task) {
  struct dc_task *tag = tag_of(task);
  struct dc_run *run = tag ? run_of(tag) : NULL;
  if (!run)
    return 0;
  __u64 stack = stack_of(task);
  struct dc_place *place = place_of(stack);
  name_task(tag, task, run); /* a thread that executes a program takes over its leader's number */
  if (place->owner == stack)
    name_task(&place->tag, task, run);
  if (belongs(task, run))
    send_process(tag, task, task, DC_PROCESS_EXEC, run->pid_level);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(dc_exit, struct task_struct *task) {
  struct dc_task *tag = tag_of(task);
  struct dc_run *run = tag ? run_of(tag) : NULL;
  if (!run)
    return 0;
  __u64 stack = stack_of(task);
  struct dc_place *place = place_of(stack);
  struct dc_task *flight = place->owner == stack ? &place->tag : tag;
  if (flight->start)
    finish_call(flight, NULL, 0, DC_UNFINISHED, bpf_ktime_get_ns());
  if (!plain(task)->signal->live.counter)
    send_process(tag, task, task, DC_PROCESS_END, run->pid_level);
  forget_task(task, tag);
  return 0;
}

/** Tells the runtime how deep its own pid namespace is. */
SEC("syscall")
int dc_pid_level(void *context) { return BPF_CORE_READ(bpf_get_current_task_btf(), thread_pid, level); }
