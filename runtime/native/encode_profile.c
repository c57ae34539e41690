/* SPDX-License-Identifier: MIT */
#include "encode_profile.h"

#include "line.h"

static void name_lane(struct dc_encoder *encoder, const struct dc_record *ids, unsigned lane) {
  struct dc_text *line = dc_sink_line(encoder->sink, LINE_BYTES);
  if (!line)
    return;
  dc_text_literal(line, "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":");
  put_ids(line, ids);
  dc_text_literal(line, ",\"args\":{\"name\":\"profile ");
  dc_text_unsigned(line, lane + 1);
  dc_text_literal(line, "\"}}\n");
  dc_sink_line_done(encoder->sink);
}

static void put_number(struct dc_text *line, const char *name, uint64_t value) {
  dc_text_bytes(line, name, strlen(name));
  dc_text_unsigned(line, value);
}

/** Sparse: `"12":3` says that three calls took from 2^12 to below 2^13 ns. */
static void put_buckets(struct dc_text *line, const uint32_t *buckets) {
  const char *before = ",\"log2_ns\":{\"";
  for (unsigned i = 0; i < DC_PROFILE_BUCKETS; i++) {
    if (!buckets[i])
      continue;
    put_number(line, before, i);
    put_number(line, "\":", buckets[i]);
    before = ",\"";
  }
  dc_text_literal(line, "}");
}

void dc_encode_row(struct dc_encoder *encoder, const struct dc_profile_row *row) {
  const struct dc_profile_value *value = row->value;
  if (row->key->fn >= encoder->format_count || !row->calls) {
    encoder->malformed++;
    return;
  }
  const struct dc_format *format = &encoder->formats[row->key->fn];
  struct dc_record ids = {.pid = row->key->pid, .tid = ((row->lane + 4) << DC_LANE_BITS) + row->key->pid};
  if (row->first_of_lane)
    name_lane(encoder, &ids, row->lane);
  uint64_t file = row->key->file ? dc_names_find(&encoder->names, row->key->file) : 0;
  struct dc_text *line = dc_sink_line(encoder->sink, LINE_BYTES + 8192);
  if (!line)
    return;
  dc_text_bytes(line, format->head, strlen(format->head));
  put_ids(line, &ids);
  put_times(line, encoder, row->begin, value->total);
  put_host(line, encoder);
  put_hash(line, ",\"fhash\":\"", 10, file);
  if (format->moves)
    put_number(line, ",\"ret\":", value->bytes);
  if (format->factor_count)
    put_number(line, ",\"bytes\":", value->bytes);
  dc_text_bytes(line, format->extra, strlen(format->extra));
  put_number(line, ",\"dur_ns\":", value->total);
  put_number(line, ",\"profile\":{\"calls\":", row->calls);
  put_number(line, ",\"errors\":", value->errors);
  put_number(line, ",\"bytes\":", value->bytes);
  put_number(line, ",\"min_ns\":", value->least);
  put_number(line, ",\"max_ns\":", value->most);
  put_number(line, ",\"interval\":", row->interval);
  if (row->overflow)
    dc_text_literal(line, ",\"overflow\":1");
  put_buckets(line, value->buckets);
  dc_text_literal(line, "}}}\n");
  dc_sink_line_done(encoder->sink);
  encoder->captured += row->calls;
}

void dc_encode_switch(struct dc_encoder *encoder, const struct dc_switch *record) {
  const struct dc_format *format = &encoder->formats[record->head.fn];
  struct dc_text *line = dc_sink_line(encoder->sink, LINE_BYTES + 8192);
  if (!line)
    return;
  dc_text_literal(line, "{\"name\":\"datacrumbs\",\"cat\":\"dftracer\",\"ph\":\"M\",\"pid\":");
  put_ids(line, &record->head);
  dc_text_literal(line, ",\"args\":{\"name\":\"profiled\",\"value\":");
  dc_text_bytes(line, format->quoted, strlen(format->quoted));
  put_number(line, ",\"since\":", (encoder->epoch + record->time) / 1000);
  dc_text_literal(line, "}}\n");
  dc_sink_line_done(encoder->sink);
}
