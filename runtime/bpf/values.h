/* SPDX-License-Identifier: MIT */
/**
 * From a function's registers and memory to the values of a record, as its struct dc_function_spec says.
 */
#ifndef DATACRUMBS_VALUES_H
#define DATACRUMBS_VALUES_H

#include "arch.h"
#include "files.h"
#include "frames.h"
#include "profile.h"

/* The loader sets the number of probes. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct dc_function_spec);
} function_specs SEC(".maps");

static __always_inline struct dc_function_spec *function_spec_of(__u32 fn) {
  return bpf_map_lookup_elem(&function_specs, &fn);
}

/** What is in the program's memory; 0 where nothing is. */
static __always_inline __u64 load_user(__u64 address, __u32 bytes) {
  __u64 value = 0;
  if (bytes && bytes <= sizeof(value))
    bpf_probe_read_user(&value, bytes, (const void *)address);
  return value;
}

static __noinline int take_values(struct pt_regs *regs, struct dc_function_spec *spec, struct frame *frame,
                                  struct call_args *args) {
  if (!spec || !frame || !args)
    return 0;
  for (int i = 0; i < DC_MAX_ARGS && i < spec->count; i++) {
    const struct dc_fetch *fetch = &spec->fetch[i];
    __u64 value = 0;
    if (fetch->from == DC_FROM_ARGUMENT)
      value = args->value[fetch->index & 7];
    else if (fetch->from == DC_FROM_REGISTER)
      bpf_probe_read_kernel(&value, sizeof(value), (void *)regs + 8 * fetch->index);
    else if (fetch->from == DC_FROM_CONSTANT)
      value = (__s64)fetch->offset;
    if (fetch->flags & DC_FETCH_MEMORY && !(fetch->flags & DC_FETCH_AT_RETURN))
      value = load_user(value + (__s64)fetch->offset, fetch->bytes);
    frame->values[i] = value;
  }
  return 0;
}

/** The files that a call names by descriptor or stream, and where its paths start. */
static __noinline int take_files(struct dc_task *tag, struct dc_function_spec *spec, struct frame *frame,
                                 struct call_args *args) {
  if (!tag || !spec || !frame || !args)
    return 0;
  struct task_struct *task = bpf_get_current_task_btf();
  for (int i = 0; i < DC_MAX_FILES; i++) {
    frame->file[i] = 0;
    if (spec->descriptor[i] != DC_NONE) {
      __u64 value = args->value[spec->descriptor[i] & 7];
      int descriptor = spec->flags & DC_FN_STREAM ? (int)load_user(value + DC_STREAM_DESCRIPTOR, 4) : (int)value;
      frame->file[i] = meet_descriptor(tag, task, descriptor);
    } else if (spec->path[i] != DC_NONE) {
      frame->file[i] = base_of(tag, task, spec->directory[i], args);
      frame->path[i] = args->value[spec->path[i] & 7];
    }
  }
  return 0;
}

/** All that is taken at a call's entry. */
static __always_inline void take(struct pt_regs *regs, struct dc_task *tag, struct dc_function_spec *spec,
                                 struct frame *frame) {
  struct call_args args;
  read_function_args(regs, &args);
  take_values(regs, spec, frame, &args);
  if (spec->descriptor[0] != DC_NONE || spec->path[0] != DC_NONE)
    take_files(tag, spec, frame, &args);
}

/** The values that are in memory only when the call has returned. */
static __always_inline void take_returned(struct dc_function_spec *spec, struct frame *frame) {
  for (int i = 0; i < DC_MAX_ARGS && i < spec->count; i++) {
    const struct dc_fetch *fetch = &spec->fetch[i];
    if (fetch->flags & DC_FETCH_AT_RETURN)
      frame->values[i] = load_user(frame->values[i] + (__s64)fetch->offset, fetch->bytes);
  }
}

/** Appends a text of the program's memory to a record. Returns its size, DC_NO_TEXT where it cannot be read. */
static __always_inline __u32 append_text(struct dc_call_ext *record, __u32 used, __u64 address) {
  if (used > 2 * DC_MAX_PATH + DC_MAX_TEXT)
    return DC_NO_TEXT;
  long size = bpf_probe_read_user_str(record->paths + used, DC_MAX_TEXT, (const void *)address);
  return size > 0 && size <= DC_MAX_TEXT ? size - 1 : DC_NO_TEXT;
}

/** Appends all texts of a call to its record, of which `used` bytes are paths; returns how many bytes are used then. */
__noinline int append_texts(struct scratch *scratch, struct dc_function_spec *spec, struct frame *frame, __u32 used) {
  if (!scratch || !spec || !frame)
    return 0;
  struct dc_call_ext *record = (void *)scratch->bytes;
  __u32 texts = 0;
  for (int i = 0; i <= DC_MAX_ARGS && texts < DC_MAX_TEXTS; i++) {
    __u64 address = record->call.result;
    if (i < DC_MAX_ARGS) {
      if (i >= spec->count || !(spec->fetch[i].flags & DC_FETCH_TEXT))
        continue;
      address = frame->values[i];
    } else if (!(spec->flags & DC_FN_RETURNS_TEXT)) {
      break;
    }
    __u32 size = append_text(record, used, address);
    record->text_size[texts & 1] = size;
    if (size != DC_NO_TEXT)
      used += size;
    texts++;
  }
  return used;
}

static __always_inline __u64 append_paths(struct dc_call_ext *record, struct dc_task *tag,
                                          struct dc_function_spec *spec, const struct frame *frame) {
  __u64 used = 0;
  for (int i = 0; i < DC_MAX_FILES; i++) {
    if (spec->path[i] == DC_NONE || used > DC_MAX_PATH)
      continue;
    __u64 *file = i ? &record->file2 : &record->call.file;
    long size = bpf_probe_read_user_str(record->paths + used, DC_MAX_PATH, (const void *)frame->path[i]);
    if (size <= 0) {
      *file = 0;
      continue;
    }
    if (size > 1 && record->paths[used] == '/')
      *file = meet_root(tag, bpf_get_current_task_btf());
    record->call.head.flags |= i ? DC_HAS_PATH2 : DC_HAS_PATH;
    record->path_size[i] = size - 1;
    used += size - 1;
  }
  return used;
}

static __noinline int send_extended(struct dc_task *tag, struct dc_function_spec *spec, struct frame *frame,
                                    struct dc_call *call, bool with_paths) {
  if (!tag || !spec || !frame || !call)
    return 0;
  struct scratch *scratch = scratch_take();
  if (!scratch)
    return count_lost(call->head.run, call->head.fn);
  struct dc_call_ext *record = (void *)scratch->bytes;
  record->call = *call;
  record->call.head.kind = DC_CALL_EXT;
  record->file2 = frame->file[1];
  record->path_size[0] = record->path_size[1] = 0;
  record->text_size[0] = record->text_size[1] = 0;
  for (int i = 2; i < DC_MAX_ARGS; i++)
    record->args[i - 2] = frame->values[i];
  __u64 used = with_paths ? append_paths(record, tag, spec, frame) : 0;
  used = append_texts(scratch, spec, frame, used);
  scratch_send(scratch, sizeof(*record) + used);
  return 0;
}

/** The file that a call has opened: by its descriptor, or by its stream. */
static __always_inline bool opened(struct dc_task *tag, struct dc_function_spec *spec, struct dc_call *call) {
  if (spec->flags & DC_FN_RETURNS_FILE ? (int)call->result < 0 : !call->result)
    return false;
  __u64 descriptor =
      spec->flags & DC_FN_RETURNS_FILE ? call->result : load_user(call->result + DC_STREAM_DESCRIPTOR, 4);
  call->file = meet_opened(tag, bpf_get_current_task_btf(), (__u32)descriptor);
  return true;
}

/** A number as its shape says, whatever stood beside it in its register; 0 where it is none. */
static __always_inline __s64 shaped(__u64 value, __u8 shape) {
  __u32 shift = 64 - 8 * (shape & 15);
  if (!(shape & 15))
    return 0;
  return shape & DC_SIGNED ? (__s64)(value << (shift & 63)) >> (shift & 63)
                           : (__s64)(value << (shift & 63) >> (shift & 63));
}

/** Adds up a finished call; `frame` may be NULL, where nothing was kept of it. */
static __noinline int profile_function(struct dc_function_spec *spec, struct frame *frame, struct dc_call *call) {
  if (!spec || !call)
    return 0;
  __u64 bytes = spec->factor_count ? 1 : 0;
  for (int i = 0; i < DC_MAX_FACTORS && i < spec->factor_count; i++) {
    __u8 at = spec->factors[i].at;
    __u64 value = at == DC_NONE ? call->result : frame ? frame->values[at % DC_MAX_ARGS] : 0;
    __s64 factor = shaped(value, spec->factors[i].shape);
    bytes *= factor > 0 ? factor : 0;
  }
  struct dc_call counted = *call;
  counted.result = shaped(call->result, spec->result_shape);
  return profile(&counted, bytes);
}

/** Ends a call with what its frame has of it. */
static __noinline int finish_framed(struct dc_task *tag, struct dc_function_spec *spec, struct frame *frame,
                                    struct dc_call *call, bool profiled) {
  if (!tag || !spec || !frame || !call)
    return 0;
  take_returned(spec, frame);
  bool with_paths = true;
  if (spec->descriptor[0] != DC_NONE || spec->path[0] != DC_NONE)
    call->file = frame->file[0];
  if (spec->flags & (DC_FN_RETURNS_FILE | DC_FN_RETURNS_STREAM))
    with_paths = !opened(tag, spec, call);
  call->args[0] = frame->values[0];
  call->args[1] = frame->values[1];
  if (profiled) {
    if (with_paths && spec->path[0] != DC_NONE) {
      tag->root = meet_root(tag, bpf_get_current_task_btf());
      meet_given(tag, frame->path[0], &call->file);
    } else {
      call->file = alias_of(tag, call->file);
    }
    profile_function(spec, frame, call);
  } else if (spec->flags & DC_FN_EXTENDED) {
    send_extended(tag, spec, frame, call, with_paths);
  } else {
    send_call(call);
  }
  return 0;
}

#endif
