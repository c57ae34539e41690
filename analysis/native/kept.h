/* SPDX-License-Identifier: MIT */
/**
 * What is kept of calls for a second question (parts.py): columns in the narrowest form that holds them.
 */
#ifndef DATACRUMBS_KEPT_H
#define DATACRUMBS_KEPT_H

#include "calls.h"

struct dc_column {
  const void *at;
  uint32_t width; /* bytes of a number */
  bool is_signed;
};

/** Calls of one stretch of a file. What is unknown is no more than DC_NO_RET and DC_NO_OFFSET, below all that is known.
 */
struct dc_kept {
  size_t size;
  int64_t base; /* what to add to `ts` */
  struct dc_column function, thread, file, ts, dur, ns, ret, offset;
};

#define DC_NO_RET (-4096) /* less than what any call returns as an error */
#define DC_NO_OFFSET (-1)

/**
 * Copies calls, of which there is at least one: column behind column as struct dc_kept has them, each at a multiple of
 * 8 bytes (pieces.piece_of relies on it).
 *
 * @param bytes how long the block is
 * @return a block of memory with all columns; NULL when memory is short
 */
void *dc_kept_copy(const struct dc_calls *calls, struct dc_kept *kept, size_t *bytes);
void dc_kept_free(void *block);

/** Rows of calls that last from `low` up to below `high` nanoseconds, by function. Returns how many. */
size_t dc_kept_within(const struct dc_kept *kept, const int64_t *low, const int64_t *high, uint32_t *rows);

#define DC_BLOCK 512 /* numbers that are widened at once: they stay in the processor's first cache */

/** Some numbers of a column, at most DC_BLOCK; they are in `room` unless they are that wide themselves. */
const int64_t *dc_column_some(const struct dc_column *column, size_t from, size_t count, int64_t room[DC_BLOCK]);

/** How many of `size` numbers are in the block that begins at `from`. */
static inline size_t dc_block_size(size_t from, size_t size) { return size - from < DC_BLOCK ? size - from : DC_BLOCK; }

#endif
