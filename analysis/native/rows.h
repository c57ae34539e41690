/* SPDX-License-Identifier: MIT */
/**
 * Rows that are found by their first 16 bytes: a growing array, and a hash table of places in it.
 */
#ifndef DATACRUMBS_ROWS_H
#define DATACRUMBS_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dc_rows {
  void *rows;
  size_t count, room, width; /* bytes of a row */
  uint64_t *slots;           /* the hash's upper half, and below it place + 1; 0: free */
  size_t slot_count;         /* a power of two */
};

void dc_rows_init(struct dc_rows *rows, size_t width);
void dc_rows_deinit(struct dc_rows *rows);

/** Adds the row of two words, of which there is none yet: zero but for them; NULL when memory is short. */
void *dc_rows_add(struct dc_rows *rows, uint64_t first, uint64_t second);

static inline size_t dc_rows_hash(uint64_t first, uint64_t second) {
  uint64_t hash = (first * 0x9e3779b97f4a7c15ull ^ second) * 0xff51afd7ed558ccdull;
  return hash ^ hash >> 32;
}

static inline void *dc_rows_at(const struct dc_rows *rows, uint64_t slot) {
  return (char *)rows->rows + ((uint32_t)slot - 1) * rows->width;
}

/** The row of two words, whose hash is given; NULL where there is none. */
static inline void *dc_rows_find(const struct dc_rows *rows, uint64_t first, uint64_t second, size_t hash) {
  const uint64_t key[2] = {first, second};
  if (!rows->slot_count)
    return NULL;
  for (size_t at = hash & (rows->slot_count - 1); rows->slots[at]; at = (at + 1) & (rows->slot_count - 1)) {
    void *row = dc_rows_at(rows, rows->slots[at]);
    if (rows->slots[at] >> 32 == hash >> 32 && !memcmp(row, key, 16))
      return row;
  }
  return NULL;
}

/** The row of two words, new where there was none; NULL when memory is short. */
static inline void *dc_rows_get(struct dc_rows *rows, uint64_t first, uint64_t second) {
  void *row = dc_rows_find(rows, first, second, dc_rows_hash(first, second));
  return row ? row : dc_rows_add(rows, first, second);
}

/** Has the place of a row, and a moment later the row itself, brought to the processor before they are needed. */
static inline void dc_rows_expect_place(const struct dc_rows *rows, size_t hash) {
  if (rows->slot_count)
    __builtin_prefetch(&rows->slots[hash & (rows->slot_count - 1)]);
}
static inline void dc_rows_expect(const struct dc_rows *rows, size_t hash) {
  if (!rows->slot_count)
    return;
  for (size_t at = hash & (rows->slot_count - 1); rows->slots[at]; at = (at + 1) & (rows->slot_count - 1)) {
    if (rows->slots[at] >> 32 != hash >> 32)
      continue;
    const char *row = dc_rows_at(rows, rows->slots[at]);
    __builtin_prefetch(row, 1);
    __builtin_prefetch(row + rows->width - 1, 1);
    return;
  }
}

#endif
