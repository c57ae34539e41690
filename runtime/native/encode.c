/* SPDX-License-Identifier: MIT */
#include "encode.h"

#include "encode_profile.h"
#include "line.h"

#include <datacrumbs/marker.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

/* Results that never reach user space: include/linux/errno.h. */
static const char *const restart_names[] = {
    [0] = "ERESTARTSYS", [1] = "ERESTARTNOINTR", [2] = "ERESTARTNOHAND", [4] = "ERESTART_RESTARTBLOCK"};

static const char *errno_name(int64_t error) {
  if (error >= 512 && error - 512 < (int64_t)(sizeof(restart_names) / sizeof(*restart_names)))
    return restart_names[error - 512];
  return strerrorname_np((int)error);
}

/** Process and lane of a span that the kernel did elsewhere for the thread in its head. */
static void put_lane(struct dc_text *line, const struct dc_record *record, uint32_t lane) {
  dc_text_unsigned(line, record->pid);
  dc_text_literal(line, ",\"tid\":");
  dc_text_unsigned(line, DC_LANE_TID + lane);
}

static void put_cause(struct dc_text *line, const struct dc_record *record) {
  const char *cause = record->flags & DC_CAUSE_REQUEST ? "request"
                      : record->flags & DC_CAUSE_INODE ? "inode"
                                                       : "transaction";
  dc_text_literal(line, ",\"cause\":\"");
  dc_text_bytes(line, cause, strlen(cause));
  dc_text_literal(line, "\",\"thread\":");
  dc_text_unsigned(line, record->tid);
}

/** A device number as the kernel keeps it: MKDEV in include/linux/kdev_t.h. */
static void put_device(struct dc_text *line, uint32_t device) {
  dc_text_literal(line, "\"");
  dc_text_unsigned(line, device >> 20);
  dc_text_literal(line, ":");
  dc_text_unsigned(line, device & 0xfffff);
  dc_text_literal(line, "\"");
}

/** What a block request does: enum req_op in include/linux/blk_types.h. */
static void put_block_operation(struct dc_text *line, uint8_t operation) {
  static const char *const names[] = {"read", "write", "flush", "discard", [5] = "secure erase", [9] = "write zeroes"};
  const char *name = operation < sizeof(names) / sizeof(*names) ? names[operation] : NULL;
  if (!name) {
    dc_text_unsigned(line, operation);
    return;
  }
  dc_text_literal(line, "\"");
  dc_text_bytes(line, name, strlen(name));
  dc_text_literal(line, "\"");
}

/** A finished call with all that its record has, in whichever form it came. */
struct call_view {
  const struct dc_call *call;
  uint64_t args[DC_MAX_ARGS];
  int count; /* of args */
  const char *text[DC_MAX_TEXTS];
  uint16_t text_size[DC_MAX_TEXTS];
  int texts_used;
};

static void put_float(struct dc_text *line, double value, int digits) {
  if (!isfinite(value)) {
    dc_text_literal(line, "null"); /* JSON has no other word for it */
    return;
  }
  line->size += (size_t)snprintf(line->data + line->size, 32, "%.*g", digits, value);
}

static void put_quoted_hex(struct dc_text *line, uint64_t value) {
  dc_text_literal(line, "\"0x");
  dc_text_hex(line, value);
  dc_text_literal(line, "\"");
}

/** The next text of a record; its address where it could not be read. */
static void put_string(struct dc_text *line, struct call_view *view, uint64_t address) {
  int text = view->texts_used++;
  if (!address) {
    dc_text_literal(line, "null");
  } else if (text >= DC_MAX_TEXTS || view->text_size[text] == DC_NO_TEXT) {
    put_quoted_hex(line, address);
  } else {
    dc_text_literal(line, "\"");
    dc_text_escaped(line, view->text[text], view->text_size[text]);
    dc_text_literal(line, "\"");
  }
}

/** A number of the width and the sign that its type says, whatever stood beside it in its register. */
static int64_t number_of(uint8_t type, uint64_t value) {
  switch (type) {
  case DC_I8:
    return (int8_t)value;
  case DC_U8:
    return (uint8_t)value;
  case DC_I16:
    return (int16_t)value;
  case DC_U16:
    return (uint16_t)value;
  case DC_I32:
    return (int32_t)value;
  case DC_U32:
    return (uint32_t)value;
  default:
    return (int64_t)value;
  }
}

static void put_value(struct dc_text *line, struct call_view *view, uint8_t type, uint64_t value) {
  float narrow;
  double wide;
  switch (type) {
  case DC_U64:
    dc_text_unsigned(line, value);
    return;
  case DC_POINTER:
  case DC_HEX:
    if (type == DC_POINTER && !value)
      dc_text_literal(line, "null");
    else
      put_quoted_hex(line, value);
    return;
  case DC_F32:
    memcpy(&narrow, &value, sizeof(narrow));
    put_float(line, (double)narrow, 9);
    return;
  case DC_F64:
    memcpy(&wide, &value, sizeof(wide));
    put_float(line, wide, 17);
    return;
  case DC_STRING:
    put_string(line, view, value);
    return;
  case DC_DEV:
    put_device(line, (uint32_t)value);
    return;
  case DC_BLKOP:
    put_block_operation(line, (uint8_t)value);
    return;
  default:
    dc_text_signed(line, number_of(type, value));
  }
}

static void put_result(struct dc_text *line, const struct dc_format *format, struct call_view *view) {
  const struct dc_call *call = view->call;
  if (call->head.flags & DC_UNFINISHED) {
    dc_text_literal(line, ",\"unfinished\":1");
    return;
  }
  dc_text_literal(line, ",\"ret\":");
  if (format->result != DC_ERRNO) {
    put_value(line, view, format->result, (uint64_t)call->result);
    return;
  }
  dc_text_signed(line, call->result);
  const char *error = call->result < 0 && call->result >= -4095 ? errno_name(-call->result) : NULL;
  if (!error)
    return;
  dc_text_literal(line, ",\"errno\":\"");
  dc_text_bytes(line, error, strlen(error));
  dc_text_literal(line, "\"");
}

/** The bytes that a call has moved, where that is more than its result says. */
static void put_bytes(struct dc_text *line, const struct dc_format *format, const struct call_view *view) {
  uint64_t bytes = 1;
  for (int i = 0; i < format->factor_count; i++) {
    int at = format->factors[i];
    int64_t factor = at == DC_RESULT    ? number_of(format->result, (uint64_t)view->call->result)
                     : at < view->count ? number_of(format->types[at], view->args[at])
                                        : 0;
    if (__builtin_mul_overflow(bytes, factor < 0 ? 0 : (uint64_t)factor, &bytes) || bytes > INT64_MAX)
      return;
  }
  dc_text_literal(line, ",\"bytes\":");
  dc_text_unsigned(line, bytes);
}

/** Names a path in the trace unless it is named already. Returns its hash. */
static uint64_t name_path(struct dc_encoder *encoder, const struct dc_record *record, const struct dc_path *path) {
  uint64_t hash = dc_path_hash(path);
  if (!dc_names_first(&encoder->names, hash))
    return hash;
  struct dc_text *line = dc_sink_line(encoder->sink, LINE_BYTES + path->size * DC_TEXT_ESCAPED);
  if (!line)
    return hash;
  dc_text_literal(line, "{\"name\":\"FH\",\"cat\":\"dftracer\",\"ph\":\"M\",\"pid\":");
  put_ids(line, record);
  dc_text_literal(line, ",\"args\":{\"name\":\"");
  dc_text_escaped(line, path->bytes, path->size);
  dc_text_literal(line, "\",\"value\":\"");
  dc_text_hash(line, hash);
  dc_text_literal(line, "\"}}\n");
  dc_sink_line_done(encoder->sink);
  return hash;
}

static void encode_file(struct dc_encoder *encoder, const struct dc_file *file) {
  struct dc_path path;
  dc_path_of_file(&path, file);
  dc_names_learn(&encoder->names, file, &path, name_path(encoder, &file->head, &path));
}

/** The lane of a span that the kernel did elsewhere; the trace names it when its process uses it first. */
static uint32_t take_lane(struct dc_encoder *encoder, const struct dc_call *call) {
  uint64_t from = encoder->epoch + call->start;
  uint32_t lane = dc_lanes_take(&encoder->lanes, from / 1000, (from + call->duration) / 1000);
  uint64_t mark = ((uint64_t)call->head.pid << 32 | lane) * 0x9e3779b97f4a7c15ull;
  if (!dc_names_first(&encoder->names, mark))
    return lane;
  struct dc_text *line = dc_sink_line(encoder->sink, LINE_BYTES);
  if (!line)
    return lane;
  dc_text_literal(line, "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":");
  put_lane(line, &call->head, lane);
  dc_text_literal(line, ",\"args\":{\"name\":\"kernel ");
  dc_text_unsigned(line, lane + 1);
  dc_text_literal(line, "\"}}\n");
  dc_sink_line_done(encoder->sink);
  return lane;
}

/** The hash of the path that a call was given, which may be relative to a directory. */
static uint64_t given_path(struct dc_encoder *encoder, const struct dc_record *record, uint64_t directory,
                           const char *bytes, size_t size) {
  struct dc_path path = {0};
  if (!size) /* AT_EMPTY_PATH: the directory's descriptor itself */
    return directory ? dc_names_find(&encoder->names, directory) : 0;
  const char *base = directory ? dc_names_directory(&encoder->names, directory) : NULL;
  if (!base && (directory || bytes[0] != '/'))
    base = "/...";
  if (base)
    dc_path_append(&path, base, strlen(base));
  if (base && bytes[0] == '/') { /* no ".." leads out of a root */
    struct dc_path inner = {0};
    dc_path_append(&inner, bytes, size);
    dc_path_append(&path, inner.bytes, inner.size);
  } else {
    dc_path_append(&path, bytes, size);
  }
  return name_path(encoder, record, &path);
}

static void encode_given(struct dc_encoder *encoder, const struct dc_given *given) {
  uint64_t hash = given_path(encoder, &given->head, given->directory, given->path, given->size);
  dc_names_know(&encoder->names, given->file, hash);
}

struct call_files {
  uint64_t hash[DC_MAX_FILES];
};

/** The beginning of a line: with the probe's name, or with one that the call itself brings. */
static void put_head(struct dc_text *line, const struct dc_format *format, const struct call_view *view) {
  uint16_t size = format->rest && view->call->head.kind == DC_CALL_EXT ? view->text_size[format->name_text] : 0;
  if (!size || size == DC_NO_TEXT) {
    dc_text_bytes(line, format->head, strlen(format->head));
    return;
  }
  dc_text_literal(line, "{\"name\":\"");
  dc_text_escaped(line, view->text[format->name_text], size);
  dc_text_literal(line, "\"");
  dc_text_bytes(line, format->rest, strlen(format->rest));
}

static void write_call(struct dc_encoder *encoder, struct call_view *view, const struct call_files *files) {
  const struct dc_call *call = view->call;
  const struct dc_format *format = &encoder->formats[call->head.fn];
  bool with_arguments = !(call->head.flags & (DC_UNFINISHED | DC_BARE));
  bool elsewhere = call->head.flags & DC_CAUSES;
  uint32_t lane = elsewhere ? take_lane(encoder, call) : 0;
  size_t texts = (size_t)view->texts_used * DC_MAX_TEXT * DC_TEXT_ESCAPED * 2;
  struct dc_text *line = dc_sink_line(encoder->sink, LINE_BYTES + format->room + texts);
  view->texts_used = 0;
  if (!line)
    return;
  put_head(line, format, view);
  if (elsewhere)
    put_lane(line, &call->head, lane);
  else
    put_ids(line, &call->head);
  put_times(line, encoder, call->start, call->duration);
  put_host(line, encoder);
  if (elsewhere)
    put_cause(line, &call->head);
  put_hash(line, ",\"fhash\":\"", 10, files->hash[0]);
  put_hash(line, ",\"fhash2\":\"", 11, files->hash[1]);
  if (format->result != DC_NOTHING && format->result != DC_STRING)
    put_result(line, format, view);
  for (int i = 0; i < view->count && format->arguments[i] && with_arguments; i++) {
    dc_text_bytes(line, format->arguments[i], strlen(format->arguments[i]));
    put_value(line, view, format->types[i], view->args[i]);
  }
  if (format->result == DC_STRING) /* after the arguments, because its text is after theirs */
    put_result(line, format, view);
  if (format->factor_count && with_arguments)
    put_bytes(line, format, view);
  dc_text_bytes(line, format->extra, strlen(format->extra));
  dc_text_literal(line, ",\"dur_ns\":");
  dc_text_unsigned(line, call->duration);
  dc_text_literal(line, "}}\n");
  dc_sink_line_done(encoder->sink);
  encoder->captured++;
}

/** The file behind a handle, and the handle that a call has made of a file. */
static void follow_handles(struct dc_encoder *encoder, const struct call_view *view, struct call_files *files) {
  const struct dc_format *format = &encoder->formats[view->call->head.fn];
  if (!format->handles || view->call->head.flags & (DC_UNFINISHED | DC_BARE))
    return;
  uint32_t pid = view->call->head.pid;
  if (format->handle >= 0 && format->handle < view->count && !files->hash[0])
    files->hash[0] = dc_names_handle(&encoder->names, format->handles, pid, view->args[format->handle]);
  if (!format->makes_handle || !files->hash[0])
    return;
  uint64_t made = format->made == DC_RESULT ? (uint64_t)view->call->result : view->args[format->made];
  dc_names_learn_handle(&encoder->names, format->handles, pid, made, files->hash[0]);
}

static void encode_call(struct dc_encoder *encoder, const struct dc_call *call) {
  struct call_files files = {{call->file ? dc_names_find(&encoder->names, call->file) : 0}};
  struct call_view view = {.call = call, .args = {call->args[0], call->args[1]}, .count = 2};
  follow_handles(encoder, &view, &files);
  write_call(encoder, &view, &files);
}

static void encode_call_ext(struct dc_encoder *encoder, const struct dc_call_ext *ext) {
  const struct dc_record *head = &ext->call.head;
  const uint64_t keys[DC_MAX_FILES] = {ext->call.file, ext->file2};
  const uint8_t flags[DC_MAX_FILES] = {DC_HAS_PATH, DC_HAS_PATH2};
  struct call_files files = {0};
  struct call_view view = {.call = &ext->call,
                           .args = {ext->call.args[0], ext->call.args[1]},
                           .count = DC_MAX_ARGS,
                           .texts_used = DC_MAX_TEXTS};
  memcpy(view.args + 2, ext->args, sizeof(ext->args));
  const char *at = ext->paths;
  for (int i = 0; i < DC_MAX_FILES; i++) {
    if (head->flags & flags[i])
      files.hash[i] = given_path(encoder, head, keys[i], at, ext->path_size[i]);
    else if (keys[i])
      files.hash[i] = dc_names_find(&encoder->names, keys[i]);
    at += ext->path_size[i];
  }
  for (int i = 0; i < DC_MAX_TEXTS; i++) {
    view.text[i] = at;
    view.text_size[i] = ext->text_size[i];
    at += ext->text_size[i] == DC_NO_TEXT ? 0 : ext->text_size[i];
  }
  follow_handles(encoder, &view, &files);
  write_call(encoder, &view, &files);
}

/** An event of a custom probe: its fields are where the probes file says. */
static void encode_custom(struct dc_encoder *encoder, const struct dc_custom *custom) {
  const struct dc_format *format = &encoder->formats[custom->call.head.fn];
  const char *event = (const char *)custom;
  struct call_files files = {0};
  struct call_view view = {.call = &custom->call, .texts_used = DC_MAX_TEXTS};
  int texts = 0;
  for (int i = 0; i < DC_MAX_ARGS && format->arguments[i]; i++, view.count++) {
    const char *at = event + format->offsets[i];
    if (format->types[i] == DC_STRING && texts < DC_MAX_TEXTS) {
      view.args[i] = 1; /* not a null pointer */
      view.text[texts] = at;
      view.text_size[texts++] = (uint16_t)strnlen(at, format->sizes[i]);
    } else if (format->sizes[i] <= sizeof(view.args[i])) {
      memcpy(&view.args[i], at, format->sizes[i]);
    }
  }
  size_t size = format->path_size ? strnlen(event + format->path, format->path_size) : 0;
  if (size)
    files.hash[0] = given_path(encoder, &custom->call.head, 0, event + format->path, size);
  write_call(encoder, &view, &files);
}

static void put_exit(struct dc_text *line, int code) {
  if (WIFSIGNALED(code)) {
    dc_text_literal(line, ",\"signal\":");
    dc_text_unsigned(line, (uint64_t)WTERMSIG(code));
  } else {
    dc_text_literal(line, ",\"exit\":");
    dc_text_unsigned(line, (uint64_t)WEXITSTATUS(code));
  }
}

/** The arguments of a command line, with spaces between them. */
static void put_command(struct dc_text *line, const struct dc_process *process) {
  size_t size = process->size;
  while (size && !process->command[size - 1])
    size--;
  dc_text_literal(line, ",\"cmd\":\"");
  for (size_t from = 0; from < size;) {
    size_t length = strnlen(process->command + from, size - from);
    dc_text_escaped(line, process->command + from, length);
    from += length + 1;
    if (from <= size)
      dc_text_literal(line, " ");
  }
  dc_text_literal(line, "\"");
}

static void put_comm(struct dc_text *line, const struct dc_process *process) {
  dc_text_escaped(line, process->comm, strnlen(process->comm, sizeof(process->comm)));
}

static void name_process(struct dc_encoder *encoder, const struct dc_process *process) {
  struct dc_text *line = dc_sink_line(encoder->sink, LINE_BYTES);
  if (!line)
    return;
  dc_text_literal(line, "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":");
  put_ids(line, &process->head);
  dc_text_literal(line, ",\"args\":{\"name\":\"");
  put_comm(line, process);
  dc_text_literal(line, "\"}}\n");
  dc_sink_line_done(encoder->sink);
}

static void encode_process(struct dc_encoder *encoder, const struct dc_process *process) {
  static const char *const names[] = {
      [DC_PROCESS_START] = "start", [DC_PROCESS_EXEC] = "exec", [DC_PROCESS_END] = "end"};
  bool end = process->head.flags == DC_PROCESS_END;
  if (!end)
    name_process(encoder, process);
  uint64_t cwd = process->cwd ? dc_names_find(&encoder->names, process->cwd) : 0;
  struct dc_text *line = dc_sink_line(encoder->sink, LINE_BYTES + DC_MAX_COMMAND * DC_TEXT_ESCAPED);
  if (!line)
    return;
  const char *name = names[process->head.flags];
  dc_text_literal(line, "{\"name\":\"");
  dc_text_bytes(line, name, strlen(name));
  dc_text_literal(line, "\",\"cat\":\"dftracer\",\"ph\":\"X\",\"pid\":");
  put_ids(line, &process->head);
  put_times(line, encoder, process->time, 0);
  put_host(line, encoder);
  put_hash(line, ",\"cwd\":\"", 8, cwd);
  dc_text_literal(line, ",\"ppid\":");
  dc_text_unsigned(line, process->parent);
  dc_text_literal(line, ",\"comm\":\"");
  put_comm(line, process);
  dc_text_literal(line, "\"");
  if (end)
    put_exit(line, process->exit_code);
  else
    put_command(line, process);
  dc_text_literal(line, "}}\n");
  dc_sink_line_done(encoder->sink);
}

/** The pairs of key and value after a region's name. */
static void put_pairs(struct dc_text *line, const char *at, const char *end) {
  while (at < end) {
    size_t key = strnlen(at, (size_t)(end - at));
    const char *value = at + key + 1;
    if (value >= end || !key)
      return;
    size_t size = strnlen(value, (size_t)(end - value));
    bool number = size && value[0] == 'n' && dc_text_is_number(value + 1, size - 1);
    dc_text_literal(line, ",\"");
    dc_text_escaped(line, at, key);
    dc_text_bytes(line, number ? "\":" : "\":\"", number ? 2 : 3);
    dc_text_escaped(line, value + 1, size ? size - 1 : 0);
    dc_text_bytes(line, "\"", number ? 0 : 1);
    at = value + size + 1;
  }
}

static void encode_region(struct dc_encoder *encoder, const struct dc_region *region) {
  struct dc_text *line = dc_sink_line(encoder->sink, LINE_BYTES + DC_MARKER_REGION_MAX * (DC_TEXT_ESCAPED + 8));
  if (!line)
    return;
  size_t name = strnlen(region->text, region->size);
  dc_text_literal(line, "{\"name\":\"");
  dc_text_escaped(line, region->text, name);
  dc_text_literal(line, "\",\"cat\":\"region\",\"ph\":\"X\",\"pid\":");
  put_ids(line, &region->head);
  put_times(line, encoder, region->start, region->duration);
  put_host(line, encoder);
  put_pairs(line, region->text + name + 1, region->text + region->size);
  dc_text_literal(line, ",\"dur_ns\":");
  dc_text_unsigned(line, region->duration);
  dc_text_literal(line, "}}\n");
  dc_sink_line_done(encoder->sink);
  encoder->captured++;
}

bool dc_record_span(const struct dc_record *record, uint64_t *start, uint64_t *end) {
  if (record->kind != DC_CALL && record->kind != DC_CALL_EXT && record->kind != DC_CUSTOM && record->kind != DC_REGION)
    return false;
  /* struct dc_region has the same two members in the same places */
  const struct dc_call *call = (const struct dc_call *)record;
  *start = call->start;
  *end = call->start + call->duration;
  return true;
}

static size_t text_bytes(const struct dc_call_ext *ext) {
  size_t bytes = 0;
  for (int i = 0; i < DC_MAX_TEXTS; i++)
    bytes += ext->text_size[i] == DC_NO_TEXT ? 0 : ext->text_size[i];
  return bytes;
}

/** Whether a record is as long as it says and what it refers to exists: a last guard before it is read. */
static bool is_sound(const struct dc_encoder *encoder, const struct dc_record *record, size_t size) {
  switch (record->kind) {
  case DC_CALL:
    return size >= sizeof(struct dc_call) && record->fn < encoder->format_count;
  case DC_CALL_EXT: {
    const struct dc_call_ext *ext = (const void *)record;
    return size >= sizeof(*ext) && record->fn < encoder->format_count &&
           size - sizeof(*ext) >= (size_t)ext->path_size[0] + ext->path_size[1] + text_bytes(ext);
  }
  case DC_FILE:
    return size >= sizeof(struct dc_file) && size - sizeof(struct dc_file) >= ((const struct dc_file *)record)->size;
  case DC_PROCESS: {
    const struct dc_process *process = (const void *)record;
    return size >= sizeof(*process) && size - sizeof(*process) >= process->size && record->flags >= DC_PROCESS_START &&
           record->flags <= DC_PROCESS_END;
  }
  case DC_REGION: {
    const struct dc_region *region = (const void *)record;
    return size >= sizeof(*region) && region->size && size - sizeof(*region) >= region->size;
  }
  case DC_GIVEN: {
    const struct dc_given *given = (const void *)record;
    return size >= sizeof(*given) && size - sizeof(*given) >= given->size;
  }
  case DC_CUSTOM:
    return record->fn < encoder->format_count && encoder->formats[record->fn].event_size &&
           size >= encoder->formats[record->fn].event_size;
  case DC_SWITCH:
    return size >= sizeof(struct dc_switch) && record->fn < encoder->format_count;
  default:
    return false;
  }
}

void dc_encode(struct dc_encoder *encoder, const struct dc_record *record, size_t size) {
  if (size < sizeof(*record) || !is_sound(encoder, record, size)) {
    encoder->malformed++;
    return;
  }
  switch (record->kind) {
  case DC_CALL:
    encode_call(encoder, (const struct dc_call *)record);
    return;
  case DC_CALL_EXT:
    encode_call_ext(encoder, (const struct dc_call_ext *)record);
    return;
  case DC_FILE:
    encode_file(encoder, (const struct dc_file *)record);
    return;
  case DC_PROCESS:
    encode_process(encoder, (const struct dc_process *)record);
    return;
  case DC_REGION:
    encode_region(encoder, (const struct dc_region *)record);
    return;
  case DC_GIVEN:
    encode_given(encoder, (const struct dc_given *)record);
    return;
  case DC_CUSTOM:
    encode_custom(encoder, (const struct dc_custom *)record);
    return;
  case DC_SWITCH:
    dc_encode_switch(encoder, (const struct dc_switch *)record);
    return;
  }
}
