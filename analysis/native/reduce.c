/* SPDX-License-Identifier: MIT */
#include "reduce.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SLICES 2048 /* at most; see partial.py for why they are fine enough */

static inline void add(struct dc_sum *sum, int64_t number) {
  sum->high += number >> 32;
  sum->low += number & 0xffffffff;
}

/** The bits below the first one that tell durations apart: numbers of one bucket differ by 1/32 at most. */
static inline uint64_t bucket_of(int64_t ns) {
  if (ns < 64)
    return (uint64_t)ns;
  unsigned int power = 63 - (unsigned int)__builtin_clzll((uint64_t)ns);
  return (uint64_t)(power - 4) << 5 | ((uint64_t)ns >> (power - 5) & 31);
}

static bool add_slice(struct dc_rows *slices, const struct dc_slice *part) {
  size_t before = slices->count;
  struct dc_slice *slice = dc_rows_get(slices, part->function, (uint64_t)part->slice);
  if (!slice)
    return false;
  bool new = slices->count > before;
  slice->calls += part->calls;
  slice->first = new || part->first < slice->first ? part->first : slice->first;
  slice->last = new || part->last > slice->last ? part->last : slice->last;
  slice->time.high += part->time.high;
  slice->time.low += part->time.low;
  slice->moved.high += part->moved.high;
  slice->moved.low += part->moved.low;
  return true;
}

/** Makes slices as long as it takes for all to be few. */
static bool widen(struct dc_reducer *reducer) {
  unsigned int shift = reducer->shift;
  while ((reducer->last >> shift) - (reducer->first >> shift) >= SLICES)
    shift++;
  if (shift == reducer->shift)
    return true;
  struct dc_rows wider;
  dc_rows_init(&wider, sizeof(struct dc_slice));
  for (size_t i = 0; i < reducer->slices.count; i++) {
    struct dc_slice slice = ((struct dc_slice *)reducer->slices.rows)[i];
    slice.slice >>= shift - reducer->shift;
    if (!add_slice(&wider, &slice)) {
      dc_rows_deinit(&wider);
      return false;
    }
  }
  dc_rows_deinit(&reducer->slices);
  reducer->slices = wider;
  reducer->shift = shift;
  return true;
}

/** Adds a span to those of its lane, of which the last ones may come to be part of it. */
static bool add_span(struct dc_lane *lane, int64_t begin, int64_t end) {
  while (lane->count && begin <= lane->end[lane->count - 1] && end >= lane->end[lane->count - 1]) {
    lane->count--;
    begin = lane->begin[lane->count] < begin ? lane->begin[lane->count] : begin;
  }
  if (lane->count == lane->room) {
    size_t room = lane->room ? 2 * lane->room : 64;
    int64_t *grown = realloc(lane->begin, room * sizeof(*grown));
    if (!grown)
      return false;
    lane->begin = grown;
    grown = realloc(lane->end, room * sizeof(*grown));
    if (!grown)
      return false;
    lane->end = grown;
    lane->room = room;
  }
  lane->begin[lane->count] = begin;
  lane->end[lane->count++] = end;
  return true;
}

static bool add_tally(struct dc_reducer *reducer, const struct dc_calls *calls, size_t row) {
  struct dc_rows *tallies = &reducer->tallies;
  int64_t end = calls->ts[row] + calls->dur[row], ns = calls->ns[row], ret = calls->ret[row];
  size_t before = tallies->count;
  struct dc_tally *tally =
      dc_rows_get(tallies, (uint64_t)calls->thread[row] << 32 | calls->function[row], calls->file[row]);
  if (!tally)
    return false;
  if (tallies->count > before) {
    tally->first = calls->ts[row];
    tally->last = end;
  }
  tally->calls++;
  tally->errors += ret >= -4095 && ret < 0;
  tally->longest = ns > tally->longest ? ns : tally->longest;
  tally->first = calls->ts[row] < tally->first ? calls->ts[row] : tally->first;
  tally->last = end > tally->last ? end : tally->last;
  add(&tally->time, ns);
  if (ret > 0)
    add(&tally->moved, ret);
  return true;
}

int dc_reducer_add(struct dc_reducer *reducer, const struct dc_calls *calls, const uint32_t *category) {
  if (!calls->size)
    return 0;
  for (size_t row = 0; row < calls->size; row++) {
    reducer->first = calls->ts[row] < reducer->first ? calls->ts[row] : reducer->first;
    reducer->last = calls->ts[row] > reducer->last ? calls->ts[row] : reducer->last;
  }
  if (!widen(reducer))
    return -ENOMEM;
  for (size_t row = 0; row < calls->size; row++) {
    uint32_t function = calls->function[row];
    int64_t begin = calls->ts[row], end = begin + calls->dur[row];
    struct dc_slice slice = {function, begin >> reducer->shift, 1, begin, end, {0}, {0}};
    add(&slice.time, calls->ns[row]);
    if (calls->ret[row] > 0)
      add(&slice.moved, calls->ret[row]);
    struct dc_bucket *bucket = dc_rows_get(&reducer->buckets, function, bucket_of(calls->ns[row]));
    if (!bucket || !add_tally(reducer, calls, row) || !add_slice(&reducer->slices, &slice))
      return -ENOMEM;
    bucket->calls++;
    if (end == begin)
      continue;
    struct dc_lane *lane = dc_rows_get(&reducer->lanes, calls->thread[row], category[function]);
    if (!lane || !add_span(lane, begin, end))
      return -ENOMEM;
  }
  return 0;
}

struct dc_reducer *dc_reducer_create(void) {
  struct dc_reducer *reducer = calloc(1, sizeof(*reducer));
  if (!reducer)
    return NULL;
  dc_rows_init(&reducer->tallies, sizeof(struct dc_tally));
  dc_rows_init(&reducer->slices, sizeof(struct dc_slice));
  dc_rows_init(&reducer->buckets, sizeof(struct dc_bucket));
  dc_rows_init(&reducer->lanes, sizeof(struct dc_lane));
  reducer->first = INT64_MAX;
  reducer->last = INT64_MIN;
  return reducer;
}

void dc_reducer_destroy(struct dc_reducer *reducer) {
  if (!reducer)
    return;
  struct dc_lane *lanes = reducer->lanes.rows;
  for (size_t i = 0; i < reducer->lanes.count; i++) {
    free(lanes[i].begin);
    free(lanes[i].end);
  }
  dc_rows_deinit(&reducer->tallies);
  dc_rows_deinit(&reducer->slices);
  dc_rows_deinit(&reducer->buckets);
  dc_rows_deinit(&reducer->lanes);
  free(reducer);
}
