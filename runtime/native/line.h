/* SPDX-License-Identifier: MIT */
/**
 * The members that all lines of a trace have, put into a text with enough room.
 */
#ifndef DATACRUMBS_LINE_H
#define DATACRUMBS_LINE_H

#include "encode.h"

#define LINE_BYTES 1024 /* the fixed words and the numbers of a line */

/** Microseconds as every reader wants them: a child never begins before its parent or ends after it. */
static inline void put_times(struct dc_text *line, const struct dc_encoder *encoder, uint64_t start,
                             uint64_t duration) {
  uint64_t from = encoder->epoch + start;
  dc_text_literal(line, ",\"ts\":");
  dc_text_unsigned(line, from / 1000);
  dc_text_literal(line, ",\"dur\":");
  dc_text_unsigned(line, (from + duration) / 1000 - from / 1000);
}

/** Exact times at the end of a line's `args`: the duration, and the begin where readers nest calls by it. */
static inline void put_nanoseconds(struct dc_text *line, const struct dc_encoder *encoder, uint64_t start,
                                   uint64_t duration) {
  dc_text_literal(line, ",\"dur_ns\":");
  dc_text_unsigned(line, duration);
  if (!encoder->nested)
    return; /* three digits that match nothing: a third more bytes in a flood */
  dc_text_literal(line, ",\"ts_ns\":");
  dc_text_unsigned(line, (encoder->epoch + start) % 1000);
}

static inline void put_ids(struct dc_text *line, const struct dc_record *record) {
  dc_text_unsigned(line, record->pid);
  dc_text_literal(line, ",\"tid\":");
  dc_text_unsigned(line, record->tid);
}

static inline void put_host(struct dc_text *line, const struct dc_encoder *encoder) {
  dc_text_literal(line, ",\"args\":{\"hhash\":\"");
  dc_text_hash(line, encoder->host);
  dc_text_literal(line, "\"");
}

static inline void put_hash(struct dc_text *line, const char *name, size_t size, uint64_t hash) {
  if (!hash)
    return;
  dc_text_bytes(line, name, size);
  dc_text_hash(line, hash);
  dc_text_literal(line, "\"");
}

#endif
