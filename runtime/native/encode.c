/* SPDX-License-Identifier: MIT */
#include "encode.h"

#include "encode_process.h"
#include "encode_profile.h"
#include "line.h"
#include "sound.h"
#include "values.h"

#include <datacrumbs/marker.h>
#include <stdlib.h>

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
static void put_head(struct dc_text *line, const struct dc_format *format, const struct dc_call_view *view) {
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

static void write_call(struct dc_encoder *encoder, struct dc_call_view *view, const struct call_files *files) {
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
    dc_put_result(line, format, view);
  for (int i = 0; i < view->count && format->arguments[i] && with_arguments; i++) {
    dc_text_bytes(line, format->arguments[i], strlen(format->arguments[i]));
    dc_put_value(line, view, format->types[i], view->args[i]);
  }
  if (format->result == DC_STRING) /* after the arguments, because its text is after theirs */
    dc_put_result(line, format, view);
  if (format->factor_count && with_arguments)
    dc_put_bytes(line, format, view);
  dc_text_bytes(line, format->extra, strlen(format->extra));
  put_nanoseconds(line, encoder, call->start, call->duration);
  dc_text_literal(line, "}}\n");
  dc_sink_line_done(encoder->sink);
  encoder->captured++;
}

/** The file behind a handle, and the handle that a call has made of a file. */
static void follow_handles(struct dc_encoder *encoder, const struct dc_call_view *view, struct call_files *files) {
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
  struct dc_call_view view = {.call = call, .args = {call->args[0], call->args[1]}, .count = 2};
  follow_handles(encoder, &view, &files);
  write_call(encoder, &view, &files);
}

static void encode_call_ext(struct dc_encoder *encoder, const struct dc_call_ext *ext) {
  const struct dc_record *head = &ext->call.head;
  const uint64_t keys[DC_MAX_FILES] = {ext->call.file, ext->file2};
  const uint8_t flags[DC_MAX_FILES] = {DC_HAS_PATH, DC_HAS_PATH2};
  struct call_files files = {0};
  struct dc_call_view view = {.call = &ext->call,
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
  struct dc_call_view view = {.call = &custom->call, .texts_used = DC_MAX_TEXTS};
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
  put_nanoseconds(line, encoder, region->start, region->duration);
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

void dc_encode(struct dc_encoder *encoder, const struct dc_record *record, size_t size) {
  if (size < sizeof(*record) || !dc_is_sound(encoder, record, size)) {
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
    dc_encode_process(encoder, (const struct dc_process *)record);
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
