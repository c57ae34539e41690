/* SPDX-License-Identifier: MIT */
/**
 * Rows that are found by their first 16 bytes: a growing array, and a hash table of places in it.
 */
#ifndef DATACRUMBS_ROWS_H
#define DATACRUMBS_ROWS_H

#include <stddef.h>
#include <stdint.h>

struct dc_rows {
  void *rows;
  size_t count, room, width; /* bytes of a row */
  uint32_t *slots;           /* place + 1; 0: free */
  size_t slot_count;         /* a power of two */
};

void dc_rows_init(struct dc_rows *rows, size_t width);
void dc_rows_deinit(struct dc_rows *rows);

/** The row of two words, new and zero but for them where there was none; NULL when memory is short. */
void *dc_rows_get(struct dc_rows *rows, uint64_t first, uint64_t second);

#endif
