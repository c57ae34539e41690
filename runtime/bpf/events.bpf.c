/* SPDX-License-Identifier: MIT */
/**
 * Kernel tracepoints: single events, and pairs of them that are the ends of a span.
 *
 * Raw tracepoints: they pass the very arguments that the kernel works with, so that a file is known by the same key as
 * in system calls, and they detach at once. (Classic ones carry the fields of their `format`, but each takes a grace
 * period of 65 ms to detach, one after another; the fields here have the same names, and come from the arguments.)
 *
 * A span's beginning waits for its end in the thread's stack of frames, or, where the end happens elsewhere (a block
 * request's does in an interrupt), in a table by the address of what both ends share.
 */
#include "arch.h"
#include "owners.h"
#include "profile.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Run slot and probe id, where links cannot carry a cookie: kernel commit 68ca5d4eebb8 (6.10) added them. */
const volatile __u64 fixed_cookie = 0;

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

struct event_frames {
  __u32 depth;
  __u32 unused;
  struct event_frame frame[DC_EVENT_FRAMES];
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct event_frames);
} event_stacks SEC(".maps");

struct flight_key {
  __u64 address;
  __u64 fn;
};

/* Spans whose end is elsewhere. The oldest make room for new ones: an end that is never seen costs nothing for long. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, DC_MAX_FLIGHTS);
  __type(key, struct flight_key);
  __type(value, struct event_frame);
} flights SEC(".maps");

struct arguments {
  __u64 value[DC_MAX_ARGUMENTS];
};

static __always_inline __u64 cookie_of(void *context) {
  return fixed_cookie ? fixed_cookie : bpf_get_attach_cookie(context);
}

/* More than the tracepoint has are whatever lies behind them; no spec refers to those. */
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

SEC("raw_tp")
int dc_event(void *context) {
  __u64 now = bpf_ktime_get_ns(), cookie = cookie_of(context);
  struct dc_event_spec *spec = event_of(cookie);
  struct event_frame frame = {.start = now, .fn = cookie};
  struct arguments arguments = {};
  if (!spec)
    return 0;
  read_arguments(context, &arguments);
  if (!find_owner(spec, &arguments, cookie >> 32, &frame.owner))
    return 0;
  read_fields(spec, &arguments, &frame, 0);
  send_event(spec, &frame, 0, 0);
  return 0;
}

static __always_inline struct dc_function_count *event_count(__u32 fn) {
  return bpf_map_lookup_elem(&event_counts, &fn);
}

/** Puts a beginning onto the thread's stack; a span of the same kind that is still there was left without an end. */
static __always_inline void push_frame(const struct event_frame *new) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct event_frames *frames = bpf_task_storage_get(&event_stacks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!frames)
    return;
  __u32 depth = frames->depth;
  if (depth >= DC_EVENT_FRAMES)
    depth = 0;
  for (__u32 i = 0; i < DC_EVENT_FRAMES; i++) {
    if (i >= depth)
      break;
    if (frames->frame[i].fn == new->fn) {
      depth = i;
      break;
    }
  }
  frames->frame[depth % DC_EVENT_FRAMES] = *new;
  frames->depth = depth + 1;
}

SEC("raw_tp")
int dc_event_begin(void *context) {
  __u64 cookie = cookie_of(context);
  struct dc_event_spec *spec = event_of(cookie);
  struct event_frame frame = {.fn = cookie};
  struct arguments arguments = {};
  if (!spec)
    return 0;
  read_arguments(context, &arguments);
  if (!find_owner(spec, &arguments, cookie >> 32, &frame.owner))
    return 0;
  read_fields(spec, &arguments, &frame, 0);
  struct dc_function_count *count = event_count(cookie);
  if (count)
    __sync_fetch_and_add(&count->entered, 1);
  frame.start = bpf_ktime_get_ns();
  if (spec->key == DC_NONE) {
    push_frame(&frame);
    return 0;
  }
  struct flight_key key = {.address = arguments.value[spec->key % DC_MAX_ARGUMENTS], .fn = cookie};
  bpf_map_update_elem(&flights, &key, &frame, BPF_ANY);
  return 0;
}

static __always_inline bool pop_frame(__u32 fn, struct event_frame *frame) {
  struct event_frames *frames = bpf_task_storage_get(&event_stacks, bpf_get_current_task_btf(), 0, 0);
  if (!frames)
    return false;
  __u32 depth = frames->depth;
  for (int i = 0; i < DC_EVENT_FRAMES && depth; i++) {
    depth--;
    if (frames->frame[depth % DC_EVENT_FRAMES].fn != fn)
      continue;
    *frame = frames->frame[depth % DC_EVENT_FRAMES];
    frames->depth = depth;
    return true;
  }
  return false;
}

/** A block request can end in parts; only the last one ends the span. */
static __always_inline bool is_partial(const struct dc_event_spec *spec, const struct arguments *arguments) {
  if (spec->holder != DC_REQUEST || spec->result == DC_NONE)
    return false;
  const struct request *request = (const void *)arguments->value[0];
  return (__u32)arguments->value[2] < BPF_CORE_READ(request, __data_len);
}

SEC("raw_tp")
int dc_event_end(void *context) {
  __u64 now = bpf_ktime_get_ns(), cookie = cookie_of(context);
  struct dc_event_spec *spec = event_of(cookie);
  struct event_frame frame = {};
  struct arguments arguments = {};
  if (!spec)
    return 0;
  if (spec->key == DC_NONE) {
    if (!pop_frame(cookie, &frame))
      return 0;
    read_arguments(context, &arguments);
  } else {
    read_arguments(context, &arguments);
    struct flight_key key = {.address = arguments.value[spec->end_key % DC_MAX_ARGUMENTS], .fn = cookie};
    const struct event_frame *flight = bpf_map_lookup_elem(&flights, &key);
    if (!flight || is_partial(spec, &arguments))
      return 0;
    frame = *flight;
    bpf_map_delete_elem(&flights, &key);
  }
  struct dc_function_count *count = event_count(cookie);
  if (count)
    __sync_fetch_and_add(&count->returned, 1);
  read_fields(spec, &arguments, &frame, 1);
  __s64 result = spec->result == DC_NONE ? 0 : (__s32)arguments.value[spec->result % DC_MAX_ARGUMENTS];
  send_event(spec, &frame, now - frame.start, result);
  return 0;
}

/* ---- who causes what ---- */

/** writeback_mark_inode_dirty(inode, flags): a thread changes a file, whose pages are written back later. */
SEC("raw_tp/writeback_mark_inode_dirty")
int dc_dirty(struct bpf_raw_tracepoint_args *context) {
  struct dc_run *run;
  struct dc_task *tag = own_tag(0, &run);
  if (!tag)
    return 0;
  __u64 file = meet_inode(tag, context->args[0]);
  struct owner owner = {.pid = tag->pid, .tid = tag->tid, .file = file, .run = tag->run};
  remember(file, DC_INODE, &owner);
  return 0;
}

/** Who submits a bio: the current thread, or for a kernel thread who changed the file last whose pages these are. */
static __always_inline bool find_submitter(struct bio *bio, struct owner *owner) {
  struct dc_run *run;
  struct dc_task *tag = own_tag(0, &run);
  if (!tag && !is_kernel_thread(bpf_get_current_task_btf()))
    return false;
  struct inode *inode = inode_of_bio(bio);
  if (!tag)
    return inode && recall(key_of(inode), DC_INODE, 0, DC_CAUSE_INODE, owner);
  *owner = (struct owner){.pid = tag->pid, .tid = tag->tid, .run = tag->run, .cause = DC_CAUSE_REQUEST};
  owner->file = inode ? meet_inode(tag, number_from(inode)) : 0;
  return true;
}

/** block_bio_queue(bio) and block_split(bio, sector): data on its way to a device. */
SEC("raw_tp/block_bio_queue")
int dc_submit(struct bpf_raw_tracepoint_args *context) {
  struct owner owner = {};
  struct owner_key key = {.what = context->args[0], .kind = DC_BIO};
  if (find_submitter((struct bio *)context->args[0], &owner))
    bpf_map_update_elem(&owners, &key, &owner, BPF_ANY);
  else
    bpf_map_delete_elem(&owners, &key); /* the memory was another's bio before */
  return 0;
}

/** jbd2_handle_start(device, transaction, …): a thread takes part in a transaction. */
SEC("raw_tp/jbd2_handle_start")
int dc_take_part(struct bpf_raw_tracepoint_args *context) {
  struct dc_run *run;
  struct dc_task *tag = own_tag(0, &run);
  if (!tag)
    return 0;
  struct owner owner = {.pid = tag->pid, .tid = tag->tid, .run = tag->run};
  remember(transaction_key(context->args[0], context->args[1]), DC_TRANSACTION, &owner);
  return 0;
}
