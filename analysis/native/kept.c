/* SPDX-License-Identifier: MIT */
#include "kept.h"

#include <stdlib.h>

#define WIDEN(type)                                                                                                    \
  for (size_t i = 0; i < count; i++)                                                                                   \
  room[i] = ((const type *)column->at)[from + i]

const int64_t *dc_column_some(const struct dc_column *column, size_t from, size_t count, int64_t room[DC_BLOCK]) {
  if (column->width == 8)
    return (const int64_t *)column->at + from;
  if (column->width == 4 && column->is_signed)
    WIDEN(int32_t);
  else if (column->width == 4)
    WIDEN(uint32_t);
  else if (column->width == 2 && column->is_signed)
    WIDEN(int16_t);
  else if (column->width == 2)
    WIDEN(uint16_t);
  else if (column->is_signed)
    WIDEN(int8_t);
  else
    WIDEN(uint8_t);
  return room;
}

/** The width of numbers that hold all of a column, where nothing counts as less than `floor`, less `base`. */
static struct dc_column narrowest(const struct dc_column *column, size_t size, int64_t floor, int64_t base) {
  int64_t room[DC_BLOCK], low = INT64_MAX, high = floor;
  for (size_t from = 0; from < size; from += DC_BLOCK) {
    size_t count = dc_block_size(from, size);
    const int64_t *numbers = dc_column_some(column, from, count, room);
    for (size_t i = 0; i < count; i++) {
      low = numbers[i] < low ? numbers[i] : low;
      high = numbers[i] > high ? numbers[i] : high;
    }
  }
  low = (low > floor ? low : floor) - base;
  high -= base;
  bool is_signed = low < 0;
  for (uint32_t width = 1; width < 8; width *= 2) {
    int64_t limit = INT64_C(1) << (8 * width - is_signed);
    if (high < limit && low >= (is_signed ? -limit : 0))
      return (struct dc_column){NULL, width, is_signed};
  }
  return (struct dc_column){NULL, 8, true};
}

#define NARROW(type)                                                                                                   \
  for (size_t i = 0; i < count; i++)                                                                                   \
  ((type *)to)[from + i] = (type)((numbers[i] > floor ? numbers[i] : floor) - base)

static void copy(const struct dc_column *column, size_t size, int64_t floor, int64_t base, void *to, uint32_t width) {
  int64_t room[DC_BLOCK];
  for (size_t from = 0; from < size; from += DC_BLOCK) {
    size_t count = dc_block_size(from, size);
    const int64_t *numbers = dc_column_some(column, from, count, room);
    if (width == 8)
      NARROW(int64_t);
    else if (width == 4)
      NARROW(uint32_t);
    else if (width == 2)
      NARROW(uint16_t);
    else
      NARROW(uint8_t);
  }
}

void *dc_kept_copy(const struct dc_calls *calls, struct dc_kept *kept, size_t *bytes) {
  kept->size = calls->size;
  kept->base = INT64_MAX;
  for (size_t i = 0; i < calls->size; i++)
    kept->base = calls->ts[i] < kept->base ? calls->ts[i] : kept->base;
  const struct {
    struct dc_column from, *to;
    int64_t floor, base;
  } columns[] = {
      {{calls->function, 4, false}, &kept->function, 0, 0}, {{calls->thread, 4, false}, &kept->thread, 0, 0},
      {{calls->file, 4, false}, &kept->file, 0, 0},         {{calls->ts, 8, true}, &kept->ts, INT64_MIN, kept->base},
      {{calls->dur, 8, true}, &kept->dur, INT64_MIN, 0},    {{calls->ns, 8, true}, &kept->ns, INT64_MIN, 0},
      {{calls->ret, 8, true}, &kept->ret, DC_NO_RET, 0},    {{calls->offset, 8, true}, &kept->offset, DC_NO_OFFSET, 0},
  };
  const size_t count = sizeof(columns) / sizeof(*columns);
  *bytes = 0;
  for (size_t i = 0; i < count; i++) {
    *columns[i].to = narrowest(&columns[i].from, calls->size, columns[i].floor, columns[i].base);
    *bytes += (calls->size * columns[i].to->width + 7) / 8 * 8;
  }
  char *block = malloc(*bytes), *at = block;
  for (size_t i = 0; block && i < count; i++) {
    copy(&columns[i].from, calls->size, columns[i].floor, columns[i].base, at, columns[i].to->width);
    columns[i].to->at = at;
    at += (calls->size * columns[i].to->width + 7) / 8 * 8;
  }
  return block;
}

void dc_kept_free(void *block) { free(block); }

size_t dc_kept_within(const struct dc_kept *kept, const int64_t *low, const int64_t *high, uint32_t *rows) {
  int64_t functions[DC_BLOCK], durations[DC_BLOCK];
  size_t found = 0;
  for (size_t from = 0; from < kept->size; from += DC_BLOCK) {
    size_t count = dc_block_size(from, kept->size);
    const int64_t *function = dc_column_some(&kept->function, from, count, functions);
    const int64_t *ns = dc_column_some(&kept->ns, from, count, durations);
    for (size_t i = 0; i < count; i++) {
      rows[found] = (uint32_t)(from + i); /* stays where it is one of them */
      found += (ns[i] >= low[function[i]]) & (ns[i] < high[function[i]]);
    }
  }
  return found;
}
