/* SPDX-License-Identifier: MIT */
#include "profile.h"

#include "encode_profile.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#define LANES 64             /* rows of one process that lie side by side */
#define MAX_PROCESSES 262144 /* whose lanes are remembered */
#define BATCH 4096
#define SLACK 1024 /* a batch ends where the next bucket of the table does not fit: no bucket is as full as that */

/** Where the last row of each lane ends: CLOCK_MONOTONIC, ns. */
struct lanes {
  unsigned used;
  uint64_t end[LANES];
};

bool dc_profile_init(struct dc_profile *profile, const struct dc_profile_options *options, uint64_t now) {
  *profile = (struct dc_profile){.options = *options};
  if (options->tables < 0)
    return true;
  profile->next = now + options->interval;
  profile->capacity = (options->keys > options->functions ? options->keys : options->functions) + SLACK;
  profile->keys = malloc(profile->capacity * sizeof(*profile->keys));
  profile->values = malloc(profile->capacity * sizeof(*profile->values));
  return profile->keys && profile->values && dc_table_init(&profile->lanes, MAX_PROCESSES);
}

void dc_profile_deinit(struct dc_profile *profile) {
  for (size_t i = 0; i < profile->lanes.capacity; i++)
    free((void *)(uintptr_t)profile->lanes.entries[i].value);
  dc_table_deinit(&profile->lanes);
  free(profile->keys);
  free(profile->values);
  *profile = (struct dc_profile){.options.tables = -1};
}

bool dc_profile_is_due(const struct dc_profile *profile, uint64_t now) {
  return profile->options.tables >= 0 && now >= profile->next;
}

/** Puts the other table of a pair into use. */
static void swap(struct dc_profile *profile, uint32_t entry, const int *pair, unsigned *active) {
  /* Returns when no program can be using the table that was there: maybe_wait_bpf_programs in kernel/bpf/syscall.c. */
  int error = bpf_map_update_elem(profile->options.tables, &entry, &pair[!*active], BPF_ANY);
  if (error)
    profile->error = -error;
  else
    *active = !*active;
}

static bool is_empty(int table) {
  struct dc_profile_key key;
  return bpf_map_get_next_key(table, NULL, &key) == -ENOENT;
}

void dc_profile_swap(struct dc_profile *profile, uint64_t now) {
  if (profile->options.tables < 0)
    return;
  const struct dc_profile_options *options = &profile->options;
  swap(profile, options->slot, options->pair, &profile->active);
  /* Waiting for programs takes milliseconds, and mostly there is room: what comes just now is read next time. */
  if (!is_empty(options->overflow[profile->overflow_active]))
    swap(profile, options->slot + 1, options->overflow, &profile->overflow_active);
  profile->next += profile->options.interval;
  if (profile->next <= now)
    profile->next = now + profile->options.interval;
}

/** Empties a table into the arrays. Returns how many entries there were. */
static size_t take_all(struct dc_profile *profile, int table) {
  size_t count = 0;
  uint32_t position, *from = NULL;
  for (;;) {
    uint32_t some = BATCH;
    if (some > profile->capacity - count)
      some = (uint32_t)(profile->capacity - count);
    int error = bpf_map_lookup_and_delete_batch(table, from, &position, profile->keys + count, profile->values + count,
                                                &some, NULL);
    if (error && error != -ENOENT) {
      profile->error = -error;
      return count;
    }
    count += some;
    if (error) /* ENOENT: that was the last batch */
      return count;
    from = &position;
  }
}

static struct lanes *lanes_of(struct dc_profile *profile, uint32_t pid) {
  bool made;
  uint64_t *place = dc_table_make(&profile->lanes, pid, &made);
  if (place && !*place)
    *place = (uintptr_t)calloc(1, sizeof(struct lanes));
  return place ? (struct lanes *)(uintptr_t)*place : NULL;
}

/**
 * When a row's calls may have taken place, were they made one after the other: between the begin of the first and the
 * end of the last, in a lane where nothing else of the process is then. So a viewer shows rows side by side and none
 * is dropped, and the rows of a single thread lie one behind the other.
 */
static uint64_t place_row(struct lanes *lanes, const struct dc_profile_value *value, unsigned *lane) {
  uint64_t end = value->first + value->total, begin;
  if (end < value->last)
    end = value->last;
  unsigned earliest = 0;
  for (*lane = 0; *lane < lanes->used; ++*lane) {
    begin = lanes->end[*lane] > value->first ? lanes->end[*lane] : value->first;
    if (begin + value->total <= end)
      return begin;
    if (lanes->end[*lane] < lanes->end[earliest])
      earliest = *lane;
  }
  if (lanes->used < LANES) {
    lanes->used++;
    return value->first;
  }
  *lane = earliest;
  return lanes->end[earliest] > value->first ? lanes->end[earliest] : value->first;
}

static void write_row(struct dc_profile *profile, struct dc_encoder *encoder, const struct dc_profile_key *key,
                      const struct dc_profile_value *value, bool overflow) {
  struct dc_profile_row row = {.key = key, .value = value, .interval = profile->interval, .overflow = overflow};
  for (int i = 0; i < DC_PROFILE_BUCKETS; i++)
    row.calls += value->buckets[i];
  row.begin = value->first;
  struct lanes *lanes = lanes_of(profile, key->pid);
  if (lanes) {
    unsigned before = lanes->used;
    row.begin = place_row(lanes, value, &row.lane);
    lanes->end[row.lane] = row.begin + value->total;
    row.first_of_lane = lanes->used > before;
  }
  if (overflow)
    profile->overflowed += row.calls;
  dc_encode_row(encoder, &row);
}

struct order {
  uint32_t pid, index;
  uint64_t first;
};

static int by_process_and_time(const void *a, const void *b) {
  const struct order *x = a, *y = b;
  if (x->pid != y->pid)
    return x->pid < y->pid ? -1 : 1;
  return x->first < y->first ? -1 : x->first > y->first;
}

static void write_table(struct dc_profile *profile, struct dc_encoder *encoder, int table, bool overflow) {
  size_t count = take_all(profile, table);
  struct order *order = count ? malloc(count * sizeof(*order)) : NULL;
  for (size_t i = 0; order && i < count; i++)
    order[i] = (struct order){profile->keys[i].pid, (uint32_t)i, profile->values[i].first};
  if (order)
    qsort(order, count, sizeof(*order), by_process_and_time);
  for (size_t i = 0; i < count; i++) {
    size_t at = order ? order[i].index : i;
    write_row(profile, encoder, &profile->keys[at], &profile->values[at], overflow);
  }
  free(order);
}

void dc_profile_write(struct dc_profile *profile, struct dc_encoder *encoder) {
  if (profile->options.tables < 0)
    return;
  write_table(profile, encoder, profile->options.pair[!profile->active], false);
  write_table(profile, encoder, profile->options.overflow[!profile->overflow_active], true);
  profile->interval++;
}
