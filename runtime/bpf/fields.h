/* SPDX-License-Identifier: MIT */
/**
 * What is taken of the arguments of tracepoints and kernel functions, and how it is sent.
 */
#ifndef DATACRUMBS_FIELDS_H
#define DATACRUMBS_FIELDS_H

#include "owners.h"
#include "profile.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* the loader sets the number of probes */
  __type(key, __u32);
  __type(value, struct dc_event_spec);
} events SEC(".maps");

/* Spans begun and ended: the difference was left without an end. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct dc_function_count);
} event_counts SEC(".maps");

struct event_frame {
  __u64 start;
  struct owner owner;
  __u32 fn;
  __u32 unused;
  __u64 args[DC_MAX_ARGS];
};

struct arguments {
  __u64 value[DC_MAX_ARGUMENTS];
};

/** Run slot and probe id. Links to tracepoints carry them since kernel commit 68ca5d4eebb8 (6.10). */
static __always_inline __u64 cookie_of(void *context) {
  return fixed.cookie ? fixed.cookie : bpf_get_attach_cookie(context);
}

/* More than a tracepoint has are whatever lies behind them; no spec refers to those. */
static __always_inline void read_arguments(void *context, struct arguments *arguments) {
  bpf_probe_read_kernel(arguments, sizeof(*arguments), (const void *)number_from(context));
}

/** Follows a field's pointers up to where it lies. */
static __always_inline __u64 follow(const struct dc_field *field, const struct arguments *arguments) {
  __u64 at = arguments->value[field->argument % DC_MAX_ARGUMENTS];
  for (int i = 0; i < DC_MAX_STEPS; i++) {
    if (i >= field->steps)
      break;
    at += field->offset[i];
    if (i + 1 < field->steps)
      bpf_probe_read_kernel(&at, sizeof(at), (const void *)at);
  }
  return at;
}

static __always_inline __u64 narrowed(__u64 value, const struct dc_field *field) {
  __u32 shift = 64 - 8 * (field->size & 15);
  if (field->size >= 8 || !field->size)
    return value;
  return field->flags & DC_FIELD_SIGNED ? (__u64)((__s64)(value << shift) >> shift) : value << shift >> shift;
}

/** The values of the fields that belong to this end of the span; a global function, verified once. */
__noinline int read_fields(struct dc_event_spec *spec, struct arguments *arguments, struct event_frame *frame,
                           int end) {
  if (!spec || !arguments || !frame)
    return 0;
  for (int i = 0; i < DC_MAX_ARGS; i++) {
    const struct dc_field *field = &spec->fields[i];
    if (i >= spec->count)
      break;
    if (!(field->flags & DC_FIELD_AT_END) != !end)
      continue;
    __u64 value = follow(field, arguments);
    if (field->steps && bpf_probe_read_kernel(&value, sizeof(value), (const void *)value))
      value = 0;
    frame->args[i] = narrowed(value, field);
  }
  return 0;
}

/** The object that leads to a file or to a causer. */
static __always_inline __u64 holder_of(const struct dc_event_spec *spec, const struct arguments *arguments) {
  const struct dc_field *field = &spec->to_holder;
  __u64 at = follow(field, arguments);
  if (field->steps && !(field->flags & DC_FIELD_EMBEDDED))
    bpf_probe_read_kernel(&at, sizeof(at), (const void *)at);
  return at;
}

static __always_inline struct inode *inode_of_holder(__u8 kind, __u64 at) {
  switch (kind) {
  case DC_INODE:
    return (struct inode *)at;
  case DC_FILE_POINTER:
    return BPF_CORE_READ((struct file *)at, f_inode);
  case DC_DENTRY:
    return BPF_CORE_READ((struct dentry *)at, d_inode);
  case DC_FOLIO:
    return inode_of_page((struct page *)at);
  }
  return NULL;
}

/** Who causes what the kernel does here in a thread of its own, or in an interrupt. */
static __always_inline bool find_causer(__u8 kind, __u64 at, __u32 slot, struct owner *owner) {
  if (kind == DC_TRANSACTION)
    return recall(key_of_transaction((struct transaction_s *)at), DC_TRANSACTION, slot, DC_CAUSE_TRANSACTION, owner);
  struct inode *inode = inode_of_holder(kind, at);
  return inode && recall(key_of(inode), DC_INODE, slot, DC_CAUSE_INODE, owner);
}

/**
 * Whose event this is; a global function, verified once.
 *
 * Block I/O is always its submitter's: a thread that hands requests to the device may do so for others, and what ends
 * in an interrupt has nothing to do with the thread that was interrupted.
 */
__noinline int find_owner(struct dc_event_spec *spec, struct arguments *arguments, __u32 slot, struct owner *owner) {
  if (!spec || !arguments || !owner)
    return 0;
  __u8 kind = spec->holder;
  __u64 at = kind == DC_NO_HOLDER ? 0 : holder_of(spec, arguments);
  if (kind == DC_REQUEST)
    at = (__u64)BPF_CORE_READ((struct request *)at, bio);
  if (kind == DC_REQUEST || kind == DC_BIO)
    return recall(at, DC_BIO, slot, 0, owner);
  struct dc_run *run;
  struct dc_task *tag = own_tag(slot, &run);
  if (!tag && (kind == DC_NO_HOLDER || !is_kernel_thread(bpf_get_current_task_btf())))
    return 0;
  if (!tag)
    return find_causer(kind, at, slot, owner);
  *owner = (struct owner){.pid = tag->pid, .tid = tag->tid, .run = slot};
  struct inode *inode = inode_of_holder(kind, at);
  if (inode)
    owner->file = meet_inode(tag, number_from(inode));
  return 1;
}

static __always_inline struct dc_function_count *event_count(__u32 fn) {
  return bpf_map_lookup_elem(&event_counts, &fn);
}

static __always_inline struct dc_event_spec *event_of(__u64 cookie) {
  __u32 fn = cookie, slot = cookie >> 32;
  struct dc_run *run = bpf_map_lookup_elem(&runs, &slot);
  return run && run->ready ? bpf_map_lookup_elem(&events, &fn) : NULL;
}

/** Sends a span or an event; a global function, verified once. */
__noinline int send_event(struct dc_event_spec *spec, struct event_frame *frame, __u64 duration, __s64 result) {
  if (!spec || !frame)
    return 0;
  __u32 slot = frame->owner.run;
  struct dc_run *run = bpf_map_lookup_elem(&runs, &slot);
  if (!run || is_brief(run, frame->fn, duration))
    return 0;
  struct dc_call call = {
      .head = {.kind = DC_CALL,
               .flags = frame->owner.cause,
               .fn = frame->fn,
               .tid = frame->owner.tid,
               .pid = frame->owner.pid,
               .run = slot},
      .start = frame->start,
      .duration = duration,
      .result = result,
      .file = frame->owner.file,
      .args = {frame->args[0], frame->args[1]},
  };
  if (is_profiled(run, &call.head, call.start + duration)) {
    call.file = alias_in(slot, call.file);
    return profile(&call, 0);
  }
  if (!spec->extended) {
    send_call(&call);
    return 0;
  }
  void *ring = bpf_map_lookup_elem(&rings, &slot);
  struct dc_call_ext *record = ring ? bpf_ringbuf_reserve(ring, sizeof(*record), 0) : NULL;
  if (!record)
    return count_lost(slot, frame->fn);
  __builtin_memset(record, 0, sizeof(*record));
  record->call = call;
  record->call.head.kind = DC_CALL_EXT;
  for (int i = 2; i < DC_MAX_ARGS; i++)
    record->args[i - 2] = frame->args[i];
  bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
  return 0;
}

#endif
