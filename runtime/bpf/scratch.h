/* SPDX-License-Identifier: MIT */
/**
 * Room for the records that do not fit on the stack.
 *
 * Programs can be preempted by others on the same processor, so a slot is claimed, and given back by sending it.
 */
#ifndef DATACRUMBS_SCRATCH_H
#define DATACRUMBS_SCRATCH_H

#include "maps.h"

#define DC_SCRATCH_SLOTS 4
#define DC_SCRATCH_BYTES (sizeof(struct dc_call_ext) + DC_MAX_FILES * DC_MAX_PATH + DC_MAX_TEXTS * DC_MAX_TEXT)

struct scratch {
  __u64 busy;
  char bytes[DC_SCRATCH_BYTES];
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, DC_SCRATCH_SLOTS);
  __type(key, __u32);
  __type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch *scratch_take(void) {
  for (__u32 i = 0; i < DC_SCRATCH_SLOTS; i++) {
    __u32 slot = i; /* the verifier loses count of a counter whose address is taken */
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (scratch && !__sync_lock_test_and_set(&scratch->busy, 1))
      return scratch;
  }
  return NULL;
}

static __always_inline void scratch_drop(struct scratch *scratch) { __sync_lock_test_and_set(&scratch->busy, 0); }

/** Sends the first `size` bytes of a slot, which begin with a struct dc_record, and gives the slot back. */
static __always_inline bool scratch_send(struct scratch *scratch, __u64 size) {
  const struct dc_record *head = (const void *)scratch->bytes;
  __u32 run = head->run, fn = head->kind == DC_CALL_EXT ? head->fn : DC_LOST_OTHER;
  void *ring = bpf_map_lookup_elem(&rings, &run);
  bool sent = false;
  if (ring && size <= DC_SCRATCH_BYTES)
    sent = !bpf_ringbuf_output(ring, scratch->bytes, size, BPF_RB_NO_WAKEUP);
  scratch_drop(scratch);
  if (!sent)
    count_lost(run, fn);
  return sent;
}

/** The head of a record that a followed thread sends. */
static __always_inline struct dc_record head_of(const struct dc_task *tag, __u8 kind, __u8 flags, __u16 fn) {
  return (struct dc_record){.kind = kind, .flags = flags, .fn = fn, .tid = tag->tid, .pid = tag->pid, .run = tag->run};
}

#endif
