/* SPDX-License-Identifier: MIT */
/**
 * Calls that are added up in the kernel instead of being sent: all of a run's, or those of functions that are called
 * too often. How a provider ends a call:
 *
 *   if (is_brief(run, fn, duration))                      shorter than min_duration: counted there
 *     return;
 *   if (is_profiled(run, &call.head, now)) {
 *     call.file = alias_of(tag, call.file);               where it has one (files.h)
 *     profile(&call, bytes);
 *   } else {
 *     send_call(&call);
 *   }
 *
 * Nothing is lost between intervals: a run has two tables, of which one is behind its slot in `profiles`. The drain
 * puts the other one there; the kernel returns from that only when no program can be using the first one any more
 * (kernel commit 1ae80cf31938, 5.0), and only then the drain empties it.
 */
#ifndef DATACRUMBS_PROFILE_H
#define DATACRUMBS_PROFILE_H

#include "scratch.h"

struct dc_profile_table {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(struct dc_profile_key)); /* clang describes no types of an inner map */
  __uint(value_size, sizeof(struct dc_profile_value));
};

/* For each run the table of the interval (even), and where its calls go that find no room there (odd). */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 2 * DC_MAX_RUNS);
  __type(key, __u32);
  __array(values, struct dc_profile_table);
} profiles SEC(".maps");

/* By probe id; the loader sets the number of probes. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct dc_brief);
} briefs SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct dc_rate);
} rates SEC(".maps");

__noinline int count_brief(__u32 fn, __u64 duration) {
  struct dc_brief *brief = bpf_map_lookup_elem(&briefs, &fn);
  if (!brief)
    return 0;
  __sync_fetch_and_add(&brief->calls, 1);
  __sync_fetch_and_add(&brief->time, duration);
  return 0;
}

/** Whether a call is too short to be written; then it is counted. */
static __always_inline bool is_brief(const struct dc_run *run, __u32 fn, __u64 duration) {
  if (duration >= run->min_duration)
    return false;
  count_brief(fn, duration);
  return true;
}

__noinline int send_switch(struct dc_record *head, __u64 now) {
  struct scratch *scratch = head ? scratch_take() : NULL;
  if (!scratch)
    return 0;
  struct dc_switch *record = (void *)scratch->bytes;
  record->head = *head;
  record->head.kind = DC_SWITCH;
  record->head.flags = 0;
  record->time = now;
  scratch_send(scratch, sizeof(*record));
  return 0;
}

/** Counts a call of mode auto. Whether its function is called too often to be traced; it stays so. */
__noinline int pass_limit(struct dc_record *head, __u32 limit, __u64 now) {
  if (!head)
    return 0;
  __u32 fn = head->fn;
  struct dc_rate *rate = bpf_map_lookup_elem(&rates, &fn);
  if (!rate)
    return 0;
  if (rate->profiled)
    return 1;
  if (rate->window != now >> 30) {
    rate->window = now >> 30;
    rate->calls = 0;
  }
  if (__sync_fetch_and_add(&rate->calls, 1) < limit)
    return 0;
  if (!__sync_val_compare_and_swap(&rate->profiled, 0, 1))
    send_switch(head, now);
  return 1;
}

static __always_inline bool is_profiled(const struct dc_run *run, struct dc_record *head, __u64 now) {
  if (fixed.mode == DC_MODE_TRACE)
    return false;
  return fixed.mode == DC_MODE_PROFILE || pass_limit(head, run->rate_limit, now);
}

/** The place of the highest bit that is set. */
static __always_inline __u32 log2_of(__u64 value) {
  __u32 bits = 0;
  if (value >> 16)
    bits += 16, value >>= 16;
  if (value >> 8)
    bits += 8, value >>= 8;
  if (value >> 4)
    bits += 4, value >>= 4;
  if (value >> 2)
    bits += 2, value >>= 2;
  return bits + (value >> 1 != 0);
}

static __always_inline void add(struct dc_profile_value *value, const struct dc_call *call, __u64 bytes) {
  __u64 duration = call->duration;
  __u32 bucket = duration >> DC_PROFILE_BUCKETS ? DC_PROFILE_BUCKETS - 1 : log2_of(duration);
  __sync_fetch_and_add(&value->buckets[bucket % DC_PROFILE_BUCKETS], 1);
  __sync_fetch_and_add(&value->total, duration);
  if (bytes)
    __sync_fetch_and_add(&value->bytes, bytes);
  if (call->result < 0 && call->result >= -4095)
    __sync_fetch_and_add(&value->errors, 1);
  value->last = call->start + duration;
  /* Rarely true, so a loop of a few tries is enough for two threads that find a new extreme at once. */
  for (int i = 0; i < 8; i++) {
    __u64 most = value->most;
    if (duration <= most || __sync_val_compare_and_swap(&value->most, most, duration) == most)
      break;
  }
  for (int i = 0; i < 8; i++) {
    __u64 least = value->least;
    if (duration >= least || __sync_val_compare_and_swap(&value->least, least, duration) == least)
      break;
  }
}

/* A new value is made here and not on the stack, of which kernels before 6.13 give 512 bytes to all calls together. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct dc_profile_value);
} fresh_values SEC(".maps");

/** The value of a new key, NULL where the table is full. */
static __always_inline struct dc_profile_value *insert(void *table, struct dc_profile_key *key, __u64 start) {
  __u32 zero = 0;
  struct dc_profile_value *fresh = bpf_map_lookup_elem(&fresh_values, &zero);
  if (!fresh)
    return NULL;
  fresh->least = ~0ULL;
  fresh->first = start;
  bpf_map_update_elem(table, key, fresh, BPF_NOEXIST);
  return bpf_map_lookup_elem(table, key); /* another thread may have been first */
}

__noinline int profile_new(struct dc_call *call, __u64 bytes) {
  if (!call)
    return 0;
  __u32 run = call->head.run, slot = 2 * run, overflow = 2 * run + 1;
  struct dc_profile_key key = {.file = call->file, .pid = call->head.pid, .fn = call->head.fn};
  struct dc_profile_key rest = {.fn = call->head.fn};
  void *table = bpf_map_lookup_elem(&profiles, &slot);
  struct dc_profile_value *value = table ? insert(table, &key, call->start) : NULL;
  if (!value) {
    table = bpf_map_lookup_elem(&profiles, &overflow);
    if (table)
      value = bpf_map_lookup_elem(table, &rest);
    if (table && !value)
      value = insert(table, &rest, call->start);
  }
  if (value)
    add(value, call, bytes);
  else
    count_lost(run, call->head.fn);
  return 0;
}

/** Adds a finished call to its run's table. `bytes`: what it moved. */
__noinline int profile(struct dc_call *call, __u64 bytes) {
  if (!call)
    return 0;
  __u32 slot = 2 * call->head.run;
  struct dc_profile_key key = {.file = call->file, .pid = call->head.pid, .fn = call->head.fn};
  void *table = bpf_map_lookup_elem(&profiles, &slot);
  struct dc_profile_value *value = table ? bpf_map_lookup_elem(table, &key) : NULL;
  if (!value)
    return profile_new(call, bytes);
  add(value, call, bytes);
  return 0;
}

#endif
