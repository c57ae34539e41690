/* SPDX-License-Identifier: MIT */
/**
 * One line of a trace, taken apart: which of its members tell of a call, and what they say.
 */
#ifndef DATACRUMBS_LINE_H
#define DATACRUMBS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes behind a text that may be read, so that nobody need look where it ends for each word. */
#define DC_SLACK 32
/** A number that the line does not give. */
#define DC_NULL INT64_MIN
/** A begin without nanoseconds beyond its microsecond. */
#define DC_NO_SUB UINT16_MAX
#define DC_MAX_TIME (1ll << 53) /* schema.MAX_TIME */
/** Bytes of a name; longer ones are somebody else's work. */
#define DC_MAX_WORD 250

/** Somewhere in the line; `at` is NULL where it is not given. */
struct dc_piece {
  const char *at;
  size_t size;
};

struct dc_line {
  uint32_t seen; /* a bit for each known member: twice the same is not plain */
  struct dc_piece name, cat, ph, host, file, path, cause;
  int64_t pid, tid, ts, dur, ns, ret, size, bytes, count, offset, flags, sub, thread;
};

/**
 * Takes a line of the plain form apart.
 *
 * @param text ends with a line feed, behind which DC_SLACK bytes may be read
 * @param plain whether the line tells of a call in the plain form; `line` says what only then
 * @return a place in the line, which is its line feed where it is plain
 */
const char *dc_line_take(const char *text, struct dc_line *line, bool *plain);

/** Whether its times are such as a call can have. */
static inline bool dc_line_is_timely(const struct dc_line *line) {
  return line->ts >= 0 && line->ts <= DC_MAX_TIME && line->dur >= 0 && line->dur <= DC_MAX_TIME && line->ns >= 0 &&
         line->ns <= 1000 * DC_MAX_TIME;
}

#endif
