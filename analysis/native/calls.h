/* SPDX-License-Identifier: MIT */
/**
 * Calls as columns that grow.
 */
#ifndef DATACRUMBS_CALLS_H
#define DATACRUMBS_CALLS_H

#include "line.h"

/** Columns of calls, each with its name in datacrumbs.analysis.reading.columns. */
struct dc_calls {
  size_t size, capacity;
  int64_t *ts;                              /* begin: microseconds since 1970 */
  int64_t *dur;                             /* duration in microseconds */
  int64_t *ns;                              /* exact duration in nanoseconds */
  int64_t *ret;                             /* what it returned; bytes where it moved some; DC_NULL */
  int64_t *offset;                          /* where in the file; DC_NULL */
  int64_t *count;                           /* bytes asked for; flags of an open; DC_NULL */
  uint32_t *function, *thread, *file, *key; /* numbers in the dictionaries of struct dc_parser */
  uint16_t *sub;                            /* nanoseconds of the begin beyond `ts`; DC_NO_SUB */
};

/** Numbers in the dictionaries of struct dc_parser. */
struct dc_ids {
  uint32_t function, thread, file, key;
};

/** Makes room for more calls. Returns whether there was memory for it. */
bool dc_calls_grow(struct dc_calls *calls);
void dc_calls_deinit(struct dc_calls *calls);

/** Returns whether there was memory for it. */
static inline bool dc_calls_append(struct dc_calls *calls, const struct dc_line *line, struct dc_ids ids) {
  if (calls->size == calls->capacity && !dc_calls_grow(calls))
    return false;
  size_t row = calls->size++;
  calls->ts[row] = line->ts;
  calls->dur[row] = line->dur;
  calls->ns[row] = line->ns;
  calls->ret[row] = line->ret;
  calls->offset[row] = line->offset;
  calls->count[row] = line->count;
  calls->sub[row] = line->sub < 0 || line->sub > 999 ? DC_NO_SUB : (uint16_t)line->sub;
  calls->function[row] = ids.function;
  calls->thread[row] = ids.thread;
  calls->file[row] = ids.file;
  calls->key[row] = ids.key;
  return true;
}

/** Frees a column and forgets it, in one step that no interrupt of Python's can part. */
void dc_column_free(void **column);

#endif
