/* SPDX-License-Identifier: MIT */
/**
 * The tables that all programs share, and how records get into the ring.
 *
 * Every object declares the same maps; the loader creates them once, with the first object, and hands them to the
 * others.
 */
#ifndef DATACRUMBS_MAPS_H
#define DATACRUMBS_MAPS_H

#include "kernel.h"
#include "record.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

const volatile struct dc_fixed fixed = {};

/** The tag of a followed thread, which is also the record of its call in flight: one look-up serves both (stacks.h). */
struct dc_task {
  __u32 run; /* slot */
  __u32 pid, tid;
  __u32 call;  /* number of the system call in flight */
  __u64 start; /* when it began; 0: none in flight */
  __u64 file, file2;
  __u64 root;    /* where its absolute paths start, see meet_root */
  __u64 known;   /* the file key that this thread used last: surely announced */
  __u64 crowded; /* 1: its place is taken by another thread, see stacks.h */
  __u64 alias;   /* and what a profile knows it by */
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct dc_task);
} tasks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, DC_MAX_RUNS);
  __type(key, __u32);
  __type(value, struct dc_run);
} runs SEC(".maps");

/* The ring of each run; the loader sets the size. */
struct dc_ring {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, DC_MAX_RUNS);
  __type(key, __u32);
  __array(values, struct dc_ring);
} rings SEC(".maps");

/* Records that found the ring full. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, DC_MAX_LOST);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct dc_lost_key);
  __type(value, __u64);
} lost SEC(".maps");

/* Lets programs follow untrusted kernel pointers with plain loads: kernel commit a35b9af4ec2c (6.2). */
extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __ksym __weak;

/**
 * A task that the verifier does not trust. At each pointer that is read from one that it trusts it goes through the
 * names of all of the kernel's types (btf_nested_type_is_trusted), for half a millisecond.
 */
static __always_inline const struct task_struct *plain(const struct task_struct *task) {
  return bpf_rdonly_cast ? bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct)) : task;
}

/** The tag of a thread, NULL where nobody follows it. Most have no storage at all: a load says so before a call can. */
static __always_inline struct dc_task *tag_of(struct task_struct *task) {
  if (bpf_core_field_exists(task->bpf_storage) && !plain(task)->bpf_storage)
    return NULL;
  return bpf_task_storage_get(&tasks, task, 0, 0);
}

static __always_inline struct dc_run *run_of(const struct dc_task *tag) {
  __u32 slot = tag->run;
  struct dc_run *run = bpf_map_lookup_elem(&runs, &slot);
  return run && run->ready ? run : NULL;
}

static __always_inline __u32 euid_of(const struct task_struct *task) { return plain(task)->cred->euid.val; }

/** A set-user-id program or a process that became somebody else is not the run's to see, followed or not. */
static __always_inline bool belongs(struct task_struct *task, const struct dc_run *run) {
  return euid_of(task) == run->uid;
}

static __noinline int count_lost(__u32 run, __u32 fn) {
  struct dc_lost_key key = {.run = run, .fn = fn}, other = {.run = run, .fn = DC_LOST_OTHER};
  __u64 zero = 0, *count = bpf_map_lookup_elem(&lost, &key);
  if (!count) {
    bpf_map_update_elem(&lost, &key, &zero, BPF_NOEXIST);
    count = bpf_map_lookup_elem(&lost, &key);
  }
  if (!count)
    count = bpf_map_lookup_elem(&lost, &other);
  if (count)
    __sync_fetch_and_add(count, 1);
  return 0;
}

/** Sends a finished call in its short form. Plain stores into the ring are faster than bpf_ringbuf_output's copy. */
static __always_inline void send_call(const struct dc_call *call) {
  __u32 run = call->head.run;
  void *ring = bpf_map_lookup_elem(&rings, &run);
  struct dc_call *record = ring ? bpf_ringbuf_reserve(ring, sizeof(*call), 0) : NULL;
  if (!record) {
    count_lost(run, call->head.fn);
    return;
  }
  *record = *call;
  bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

#endif
