/* SPDX-License-Identifier: MIT */
/**
 * What is kept of a function's call from its entry to its return: a stack of frames for each thread.
 */
#ifndef DATACRUMBS_FRAMES_H
#define DATACRUMBS_FRAMES_H

#include "maps.h"

#define DC_ANY_SP ((__u64) - 1) /* of a call that a program marks itself: it has no stack frame of its own */

#define DC_NO_FRAME (-1)

struct frame {
  __u64 start;
  __u64 sp; /* at the entry */
  __u32 fn;
  __u32 unused;
  __u64 file[DC_MAX_FILES];
  __u64 path[DC_MAX_FILES]; /* addresses */
  __u64 values[DC_MAX_ARGS];
};

struct frames {
  __u32 depth;
  __u32 beyond; /* marked calls that found no room, and whose ends are still to come */
  struct frame frame[DC_MAX_FRAMES];
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct frames);
} stacks SEC(".maps");

static __always_inline struct frames *frames_make(void) {
  return bpf_task_storage_get(&stacks, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

static __always_inline struct frames *frames_get(void) {
  return bpf_task_storage_get(&stacks, bpf_get_current_task_btf(), 0, 0);
}

/*
 * The searches are global functions: the verifier goes through them once, and what follows them once, not once for each
 * frame that may be found. They return places, since such functions return no pointers.
 */

/** The place of a new frame; DC_NO_FRAME where too many calls are in one another. */
__noinline int frame_room(struct frames *frames, __u64 sp) {
  if (!frames)
    return DC_NO_FRAME;
  /* A frame that is not above the new one on the stack was left without a return. */
  __u32 depth = frames->depth;
  for (int i = 0; i < DC_MAX_FRAMES && depth && sp != DC_ANY_SP; i++) {
    if (frames->frame[(depth - 1) % DC_MAX_FRAMES].sp > sp)
      break;
    depth--;
  }
  frames->depth = depth;
  if (depth >= DC_MAX_FRAMES) {
    frames->beyond += sp == DC_ANY_SP;
    return DC_NO_FRAME;
  }
  frames->depth = depth + 1;
  return depth;
}

/** All bits where a value is not 0. The verifier would go both ways of a condition, in each round of a loop. */
static __always_inline __u64 given(__u64 value) { return (__s64)(value | -value) >> 63; }

/**
 * The place of the uppermost frame of a function, which is taken off the stack with those above it: they were left
 * without a return. With `start`, it is the frame that began then; with `sp`, the one that was entered there.
 */
__noinline int frame_find(struct frames *frames, __u32 fn, __u64 sp, __u64 start) {
  if (!frames)
    return DC_NO_FRAME;
  __u32 depth = frames->depth;
  if (sp == DC_ANY_SP && frames->beyond) {
    frames->beyond--;
    return DC_NO_FRAME;
  }
  for (int i = 0; i < DC_MAX_FRAMES && depth; i++) {
    depth--;
    struct frame *frame = &frames->frame[depth % DC_MAX_FRAMES];
    if ((frame->fn ^ fn) | ((frame->sp ^ sp) & given(sp)) | ((frame->start ^ start) & given(start)))
      continue;
    frames->depth = depth;
    return depth;
  }
  return DC_NO_FRAME;
}

/** A new frame; NULL where too many calls are in one another. */
static __always_inline struct frame *frame_push(struct frames *frames, __u64 sp, __u32 fn) {
  int place = frame_room(frames, sp);
  if (place < 0)
    return NULL;
  struct frame *frame = &frames->frame[place % DC_MAX_FRAMES];
  frame->sp = sp;
  frame->fn = fn;
  return frame;
}

/** Takes a frame off the stack, see frame_find; NULL where there is none. */
static __always_inline struct frame *frame_pop(struct frames *frames, __u32 fn, __u64 sp, __u64 start) {
  int place = frame_find(frames, fn, sp, start);
  return place < 0 ? NULL : &frames->frame[place % DC_MAX_FRAMES];
}

#endif
