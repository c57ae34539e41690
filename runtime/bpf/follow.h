/* SPDX-License-Identifier: MIT */
/**
 * Which threads belong to a run: tagging by marker, by fork, and what processes tell of themselves.
 */
#ifndef DATACRUMBS_FOLLOW_H
#define DATACRUMBS_FOLLOW_H

#include "files.h"
#include "stacks.h"

#include <datacrumbs/marker.h>

/* Open-coded task iterator: kernel commit c68a78ffe2cb (6.7). Without it a marker tags only the thread that made it. */
struct bpf_iter_task {
  __u64 opaque[3];
} __attribute__((aligned(8)));

#define DC_ITER_PROC_THREADS 2 /* BPF_TASK_ITER_PROC_THREADS */

extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym __weak;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym __weak;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym __weak;

/** The number of a thread in the pid namespace at `level`, which is the runtime's own. */
static __always_inline __u32 number_of(struct task_struct *task, __u32 level) {
  struct pid *pid = BPF_CORE_READ(task, thread_pid);
  __u32 number = 0;
  if (BPF_CORE_READ(pid, level) < level)
    return BPF_CORE_READ(task, pid);
  bpf_probe_read_kernel(&number, sizeof(number),
                        (void *)pid + bpf_core_field_offset(struct pid, numbers) +
                            level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, nr));
  return number;
}

/** Whether a thread is in the runtime's pid namespace or in one below: where nodes are containers, on the same node. */
static __always_inline bool shares_space(struct task_struct *task, const struct dc_run *run) {
  struct pid *pid = BPF_CORE_READ(task, thread_pid);
  struct pid_namespace *space = NULL;
  __u32 level = run->pid_level;
  if (BPF_CORE_READ(pid, level) < level)
    return false;
  bpf_probe_read_kernel(&space, sizeof(space),
                        (void *)pid + bpf_core_field_offset(struct pid, numbers) +
                            level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, ns));
  return BPF_CORE_READ(space, ns.inum) == run->pid_space;
}

static __always_inline void name_task(struct dc_task *tag, struct task_struct *task, const struct dc_run *run) {
  tag->tid = number_of(task, run->pid_level);
  tag->pid = number_of(BPF_CORE_READ(task, group_leader), run->pid_level);
}

static __always_inline struct dc_task *tag_task(struct task_struct *task, __u32 slot, const struct dc_run *run) {
  struct dc_task *tag = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!tag)
    return NULL;
  tag->run = slot;
  tag->start = 0;
  tag->known = 0;
  name_task(tag, task, run);
  place_tag(task, tag);
  return tag;
}

static __always_inline void forget_task(struct task_struct *task, struct dc_task *tag) {
  place_free(task, tag);
  bpf_task_storage_delete(&tasks, task);
}

/** Says who the process of `tag` is. The command line is read from the memory of the current process. */
static __noinline int send_process(struct dc_task *tag, struct task_struct *task, struct task_struct *who, __u8 event,
                                   __u32 level) {
  if (!tag || !task || !who)
    return 0;
  __u64 cwd = event == DC_PROCESS_END ? 0 : meet_directory(tag, task);
  struct scratch *scratch = scratch_take();
  if (!scratch) {
    count_lost(tag->run, DC_LOST_OTHER);
    return 0;
  }
  struct dc_process *record = (void *)scratch->bytes;
  struct mm_struct *memory = event == DC_PROCESS_END ? NULL : BPF_CORE_READ(task, mm);
  __u64 from = 0, size = 0;
  if (memory) {
    from = BPF_CORE_READ(memory, arg_start);
    size = BPF_CORE_READ(memory, arg_end) - from;
  }
  if (size > DC_MAX_COMMAND)
    size = DC_MAX_COMMAND;
  if (!size || bpf_probe_read_user(record->command, size, (const void *)from))
    size = 0;
  record->head = head_of(tag, DC_PROCESS, event, 0);
  record->head.tid = record->head.pid;
  record->time = bpf_ktime_get_ns();
  record->parent = number_of(BPF_CORE_READ(who, group_leader, real_parent, group_leader), level);
  int group_code = BPF_CORE_READ(who, signal, group_exit_code);
  record->exit_code = group_code ? group_code : BPF_CORE_READ(who, exit_code);
  record->cwd = cwd;
  bpf_probe_read_kernel_str(record->comm, sizeof(record->comm), &who->comm);
  record->size = size;
  scratch_send(scratch, sizeof(*record) + (size & 0xfff));
  return 0;
}

struct search {
  __u64 token;
  __u32 uid;
  __u32 slot; /* DC_MAX_RUNS: none */
};

static long search_step(__u32 slot, struct search *search) {
  const struct dc_run *run = bpf_map_lookup_elem(&runs, &slot);
  if (!run || !run->ready || run->uid != search->uid)
    return 0;
  if (search->token != DC_TOKEN_ANY && search->token != run->token)
    return 0;
  if (!shares_space((struct task_struct *)bpf_get_current_task(), run))
    return 0;
  search->slot = slot;
  return 1;
}

/**
 * The run that wants this process: the first that is ready, has the token, and belongs to the same user
 * on the same node.
 *
 * A loop in the program itself would have the verifier go through all that follows once for each slot.
 */
static __always_inline struct dc_run *run_for(struct task_struct *task, __u64 token, __u32 *slot) {
  struct search search = {.token = token, .uid = euid_of(task), .slot = DC_MAX_RUNS};
  bpf_loop(DC_MAX_RUNS, search_step, &search, 0);
  *slot = search.slot;
  return bpf_map_lookup_elem(&runs, slot);
}

/** DC_MARKER_START: tags all threads of the current process. */
static __noinline int start_following(struct task_struct *task, __u64 token) {
  __u32 slot;
  struct dc_run *run = run_for(task, token, &slot);
  if (!run)
    return 0;
  struct dc_task *tag = tag_of(task);
  if (tag && tag->run == slot)
    return 0; /* the library's constructor, in a program that datacrumbs_wrap has tagged */
  tag = tag_task(task, slot, run);
  if (!tag)
    return 0;
  send_process(tag, task, task, DC_PROCESS_START, run->pid_level);
  if (!bpf_iter_task_new)
    return 0;
  struct bpf_iter_task threads;
  struct task_struct *thread;
  bpf_iter_task_new(&threads, task, DC_ITER_PROC_THREADS);
  while ((thread = bpf_iter_task_next(&threads)))
    if (thread != task && !tag_of(thread))
      tag_task(thread, slot, run);
  bpf_iter_task_destroy(&threads);
  return 0;
}

/** DC_MARKER_STOP: forgets all threads of the current process. */
static __noinline int stop_following(struct task_struct *task, struct dc_task *tag) {
  struct dc_run *run = tag ? run_of(tag) : NULL;
  if (!run)
    return 0;
  send_process(tag, task, task, DC_PROCESS_END, run->pid_level);
  if (bpf_iter_task_new) {
    struct bpf_iter_task threads;
    struct task_struct *thread;
    bpf_iter_task_new(&threads, task, DC_ITER_PROC_THREADS);
    while ((thread = bpf_iter_task_next(&threads))) {
      struct dc_task *other = thread == task ? NULL : tag_of(thread);
      if (other)
        forget_task(thread, other);
    }
    bpf_iter_task_destroy(&threads);
  }
  forget_task(task, tag);
  return 0;
}

/** DC_MARKER_REGION: a region of the program's own naming. */
static __noinline int send_region(struct dc_task *tag, const void *from, __u64 size) {
  struct dc_marker_region region;
  if (!tag || size <= sizeof(region) || size > DC_MARKER_REGION_MAX)
    return 0;
  if (bpf_probe_read_user(&region, sizeof(region), from))
    return 0;
  struct scratch *scratch = scratch_take();
  if (!scratch) {
    count_lost(tag->run, DC_LOST_OTHER);
    return 0;
  }
  struct dc_region *record = (void *)scratch->bytes;
  __u64 now = bpf_ktime_get_ns(), text = size - sizeof(region);
  asm volatile("" : "+r"(text)); /* or the compiler leaves the check out, which the verifier before 6.13 needs */
  if (text > DC_MARKER_REGION_MAX || bpf_probe_read_user(record->text, text, from + sizeof(region)))
    text = 0;
  record->head = head_of(tag, DC_REGION, 0, 0);
  record->start = region.start < now ? region.start : now;
  record->duration = now - record->start;
  record->size = text;
  scratch_send(scratch, sizeof(*record) + text);
  return 0;
}

#endif
