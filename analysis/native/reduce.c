/* SPDX-License-Identifier: MIT */
#include "reduce.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SLICES 2048 /* at most; so each is shorter than 1/1024 of the time from the first to the last */

#define AHEAD 32 /* tallies are many and met in any order, so they are fetched some calls ahead */

struct call {
  int64_t begin, end, ns, moved;
  bool failed;
  uint32_t function, thread, file;
  size_t hash; /* of its tally */
};

static inline uint64_t tally_key(uint32_t function, uint32_t thread) { return (uint64_t)thread << 32 | function; }

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

static inline void join(struct dc_sum *sum, const struct dc_sum *other) {
  sum->high += other->high;
  sum->low += other->low;
}

/** Adds slices that are shorter by 2^shift. */
static bool join_slices(struct dc_rows *slices, const struct dc_slice *parts, size_t count, unsigned int shift,
                        const uint32_t *function) {
  for (const struct dc_slice *part = parts; part < parts + count; part++) {
    uint64_t number = function ? function[part->function] : part->function;
    struct dc_slice *slice = slice_of(slices, number, part->slice >> shift);
    if (!slice)
      return false;
    slice->calls += part->calls;
    slice->first = part->first < slice->first ? part->first : slice->first;
    slice->last = part->last > slice->last ? part->last : slice->last;
    join(&slice->time, &part->time);
    join(&slice->moved, &part->moved);
  }
  return true;
}

/** Makes slices as long as it takes for all to be few, and no shorter than `shift` says. */
static bool widen(struct dc_reducer *reducer, unsigned int shift) {
  shift = shift > reducer->shift ? shift : reducer->shift;
  while ((reducer->last >> shift) - (reducer->first >> shift) >= SLICES)
    shift++;
  if (shift == reducer->shift)
    return true;
  struct dc_rows wider;
  dc_rows_init(&wider, sizeof(struct dc_slice));
  if (!join_slices(&wider, reducer->slices.rows, reducer->slices.count, shift - reducer->shift, NULL)) {
    dc_rows_deinit(&wider);
    return false;
  }
  dc_rows_deinit(&reducer->slices);
  reducer->slices = wider;
  reducer->shift = shift;
  return true;
}

static inline void see(struct dc_reducer *reducer, int64_t begin) {
  reducer->first = begin < reducer->first ? begin : reducer->first;
  reducer->last = begin > reducer->last ? begin : reducer->last;
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

static struct dc_tally *tally_of(struct dc_rows *tallies, uint64_t who, uint32_t file, size_t hash) {
  struct dc_tally *tally = dc_rows_find(tallies, who, file, hash);
  if (!tally && (tally = dc_rows_add(tallies, who, file))) {
    tally->first = INT64_MAX;
    tally->last = INT64_MIN;
  }
  return tally;
}

static bool add_to_tally(struct dc_rows *tallies, const struct call *call) {
  struct dc_tally *tally = tally_of(tallies, tally_key(call->function, call->thread), call->file, call->hash);
  if (!tally)
    return false;
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
  call.hash = dc_rows_hash(tally_key(call.function, call.thread), call.file);
  dc_rows_expect_place(&reducer->tallies, call.hash);
  return call;
}

int dc_reducer_add(struct dc_reducer *reducer, const struct dc_calls *calls, const uint32_t *category) {
  if (!calls->size)
    return 0;
  for (size_t row = 0; row < calls->size; row++)
    see(reducer, calls->ts[row]);
  if (!widen(reducer, 0))
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

int dc_reducer_join(struct dc_reducer *reducer, const struct dc_sums *sums, const uint32_t *function,
                    const uint32_t *thread, const uint32_t *file) {
  for (size_t i = 0; i < sums->tally_count; i++) {
    const struct dc_tally *part = &sums->tallies[i];
    uint64_t who = tally_key(function[part->function], thread[part->thread]);
    uint32_t where = file[part->file];
    struct dc_tally *tally = tally_of(&reducer->tallies, who, where, dc_rows_hash(who, where));
    if (!tally)
      return -ENOMEM;
    tally->calls += part->calls;
    tally->errors += part->errors;
    tally->longest = part->longest > tally->longest ? part->longest : tally->longest;
    tally->first = part->first < tally->first ? part->first : tally->first;
    tally->last = part->last > tally->last ? part->last : tally->last;
    join(&tally->time, &part->time);
    join(&tally->moved, &part->moved);
  }
  for (size_t i = 0; i < sums->bucket_count; i++) {
    const struct dc_bucket *part = &sums->buckets[i];
    struct dc_bucket *bucket = dc_rows_get(&reducer->buckets, function[part->function], part->bucket);
    if (!bucket)
      return -ENOMEM;
    bucket->calls += part->calls;
  }
  for (size_t i = 0; i < sums->slice_count; i++)
    see(reducer, sums->slices[i].slice << sums->shift);
  if (!sums->slice_count)
    return 0;
  if (!widen(reducer, sums->shift) ||
      !join_slices(&reducer->slices, sums->slices, sums->slice_count, reducer->shift - sums->shift, function))
    return -ENOMEM;
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

void *dc_take(void **memory, size_t size) {
  void *taken = realloc(*memory, size); /* there was room for more */
  *memory = taken ? NULL : *memory;
  return taken;
}

void dc_taken_free(void *memory) { free(memory); }
