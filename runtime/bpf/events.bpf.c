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
#include "fields.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

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
    /* What ends in another thread may outlast the calls of the one that began it: it has a track of its own. */
    struct dc_run *run;
    const struct dc_task *tag = own_tag(frame.owner.run, &run);
    if (!frame.owner.cause && (!tag || tag->tid != frame.owner.tid))
      frame.owner.cause = DC_CAUSE_REQUEST;
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
