/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include <stdbool.h>
#include <stdlib.h>

#define FIRST_ROWS 256

void dc_rows_init(struct dc_rows *rows, size_t width) { *rows = (struct dc_rows){.width = width}; }

void dc_rows_deinit(struct dc_rows *rows) {
  free(rows->rows);
  free(rows->slots);
  *rows = (struct dc_rows){.width = rows->width};
}

static inline char *row_at(const struct dc_rows *rows, size_t place) {
  return (char *)rows->rows + place * rows->width;
}

/** Makes a row known, which is at `place`. */
static void enter(struct dc_rows *rows, size_t place) {
  uint64_t key[2];
  memcpy(key, row_at(rows, place), 16);
  size_t hash = dc_rows_hash(key[0], key[1]), at = hash & (rows->slot_count - 1);
  while (rows->slots[at])
    at = (at + 1) & (rows->slot_count - 1);
  rows->slots[at] = (hash & ~(uint64_t)UINT32_MAX) | (place + 1);
}

static bool grow(struct dc_rows *rows) {
  if (rows->count == rows->room) {
    size_t room = rows->room ? 2 * rows->room : FIRST_ROWS;
    void *grown = room < UINT32_MAX ? realloc(rows->rows, room * rows->width) : NULL;
    if (!grown)
      return false;
    rows->rows = grown;
    rows->room = room;
  }
  if (2 * rows->count < rows->slot_count)
    return true;
  size_t count = rows->slot_count ? 2 * rows->slot_count : 4 * FIRST_ROWS;
  uint64_t *slots = calloc(count, sizeof(*slots));
  if (!slots)
    return false;
  free(rows->slots);
  rows->slots = slots;
  rows->slot_count = count;
  for (size_t place = 0; place < rows->count; place++)
    enter(rows, place);
  return true;
}

void *dc_rows_add(struct dc_rows *rows, uint64_t first, uint64_t second) {
  const uint64_t key[2] = {first, second};
  if (!grow(rows))
    return NULL;
  char *row = row_at(rows, rows->count);
  memset(row, 0, rows->width);
  memcpy(row, key, 16);
  enter(rows, rows->count++);
  return row;
}
