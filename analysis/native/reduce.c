/* SPDX-License-Identifier: MIT */
#include "reduce.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SLICES 2048 /* at most; see partial.py for why they are fine enough */

#define AHEAD 32 /* tallies are many and met in any order, so they are fetched some calls ahead */

struct call {
  int64_t begin, end, ns, moved;
  bool failed;
  uint32_t function, thread, file;
  size_t hash; /* of its tally */
};

static inline uint64_t tally_key(const struct call *call) { return (uint64_t)call->thread << 32 | call->function; }

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

static struct dc_slice *slice_of(struct dc_rows *slices, uint64_t function, int64_t number) {
  struct dc_slice *slice = dc_rows_get(slices, function, (uint64_t)number);
  if (slice && !slice->calls) {
    slice->first = INT64_MAX;
    slice->last = INT64_MIN;
  }
  return slice;
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
    const struct dc_slice *part = &((struct dc_slice *)reducer->slices.rows)[i];
    struct dc_slice *slice = slice_of(&wider, part->function, part->slice >> (shift - reducer->shift));
    if (!slice) {
      dc_rows_deinit(&wider);
      return false;
    }
    slice->calls += part->calls;
    slice->first = part->first < slice->first ? part->first : slice->first;
    slice->last = part->last > slice->last ? part->last : slice->last;
    slice->time.high += part->time.high;
    slice->time.low += part->time.low;
    slice->moved.high += part->moved.high;
    slice->moved.low += part->moved.low;
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

static bool add_bucket(struct dc_rows *buckets, uint32_t function, int64_t ns) {
  struct dc_bucket *bucket = dc_rows_get(buckets, function, bucket_of(ns));
  if (bucket)
    bucket->calls++;
  return bucket;
}

static bool add_to_slice(struct dc_reducer *reducer, const struct call *call) {
  struct dc_slice *slice = slice_of(&reducer->slices, call->function, call->begin >> reducer->shift);
  if (!slice)
    return false;
  slice->calls++;
  slice->first = call->begin < slice->first ? call->begin : slice->first;
  slice->last = call->end > slice->last ? call->end : slice->last;
  add(&slice->time, call->ns);
  add(&slice->moved, call->moved);
  return true;
}

static bool add_to_tally(struct dc_rows *tallies, const struct call *call) {
  uint64_t who = tally_key(call);
  struct dc_tally *tally = dc_rows_find(tallies, who, call->file, call->hash);
  if (!tally) {
    if (!(tally = dc_rows_add(tallies, who, call->file)))
      return false;
    tally->first = INT64_MAX;
    tally->last = INT64_MIN;
  }
  tally->calls++;
  tally->errors += call->failed;
  tally->longest = call->ns > tally->longest ? call->ns : tally->longest;
  tally->first = call->begin < tally->first ? call->begin : tally->first;
  tally->last = call->end > tally->last ? call->end : tally->last;
  add(&tally->time, call->ns);
  add(&tally->moved, call->moved);
  return true;
}

static bool add_call(struct dc_reducer *reducer, const struct call *call, uint32_t category) {
  if (!add_bucket(&reducer->buckets, call->function, call->ns) || !add_to_tally(&reducer->tallies, call) ||
      !add_to_slice(reducer, call))
    return false;
  if (call->end == call->begin)
    return true;
  struct dc_lane *lane = dc_rows_get(&reducer->lanes, call->thread, category);
  return lane && add_span(lane, call->begin, call->end);
}

/** What is asked of a call, and the place of its tally, which is being fetched meanwhile. */
static struct call look(const struct dc_reducer *reducer, const struct dc_calls *calls, size_t row) {
  int64_t begin = calls->ts[row], ret = calls->ret[row];
  struct call call = {begin,
                      begin + calls->dur[row],
                      calls->ns[row],
                      ret > 0 ? ret : 0,
                      ret >= -4095 && ret < 0,
                      calls->function[row],
                      calls->thread[row],
                      calls->file[row],
                      0};
  call.hash = dc_rows_hash(tally_key(&call), call.file);
  dc_rows_expect_place(&reducer->tallies, call.hash);
  return call;
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
  for (size_t done = 0; done < calls->size;) {
    struct call some[AHEAD];
    size_t count = calls->size - done < AHEAD ? calls->size - done : AHEAD;
    for (size_t i = 0; i < count; i++)
      some[i] = look(reducer, calls, done + i);
    for (size_t i = 0; i < count; i++)
      dc_rows_expect(&reducer->tallies, some[i].hash);
    for (size_t i = 0; i < count; i++)
      if (!add_call(reducer, &some[i], category[some[i].function]))
        return -ENOMEM;
    done += count;
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

void dc_times_free(int64_t *times) { free(times); }
