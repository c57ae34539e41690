/* SPDX-License-Identifier: MIT */
/**
 * What is kept of calls for a second question (parts.py): columns in the narrowest form that holds them.
 */
#ifndef DATACRUMBS_KEPT_H
#define DATACRUMBS_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dc_column {
  const void *at;
  uint32_t width; /* bytes of a number */
  bool is_signed;
};

struct dc_kept {
  size_t size;
  int64_t base; /* what to add to `ts` */
  struct dc_column function, thread, file, ts, ns, ret, offset;
};

/** The least and the greatest number of a column of at least one, where nothing counts as less than `floor`. */
void dc_column_bounds(const struct dc_column *column, size_t size, int64_t floor, int64_t bounds[2]);

/** Copies a column into numbers of `width` bytes, which hold them: less `base`, and nothing less than `floor`. */
void dc_column_copy(const struct dc_column *column, size_t size, int64_t floor, int64_t base, void *to, uint32_t width);

/** Rows of calls that last from `low` up to below `high` nanoseconds, by function. Returns how many. */
size_t dc_kept_within(const struct dc_kept *kept, const int64_t *low, const int64_t *high, uint32_t *rows);

/** Columns of patterns.Moves, with room for all calls that are kept. */
struct dc_moves_room {
  uint16_t *file;
  uint32_t *thread;
  uint8_t *kind;
  int64_t *ts, *ret, *offset;
};

/**
 * Picks calls that did something to some files and did not fail.
 *
 * @param kinds what each function does; 0: nothing that matters
 * @param places the number of each file among those that are asked for, or -1
 * @return how many
 */
size_t dc_kept_moves(const struct dc_kept *kept, const uint8_t *kinds, const int64_t *places,
                     const struct dc_moves_room *moves);

#endif
