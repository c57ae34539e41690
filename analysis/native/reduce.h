/* SPDX-License-Identifier: MIT */
/**
 * Sums over calls, for a summary of any number of them: what is kept grows with what is different, not with the calls.
 * Sums of parts of a trace add up to the sums of the whole, whatever the parts and their order.
 */
#ifndef DATACRUMBS_REDUCE_H
#define DATACRUMBS_REDUCE_H

#include "parse.h"
#include "rows.h"

/** A sum of numbers below 2^63 that cannot run over: of their upper and of their lower 32 bits. */
struct dc_sum {
  int64_t high, low;
};

/** Calls of a function by a thread on a file. Times as in struct dc_calls. */
struct dc_tally {
  uint32_t function, thread, file, zero;
  int64_t calls, errors, longest, first, last;
  struct dc_sum time, moved; /* nanoseconds; bytes, or whatever was returned above zero */
};

/** Calls of a function that begin in a slice of time: those whose `ts >> shift` is `slice`. */
struct dc_slice {
  uint64_t function;
  int64_t slice, calls, first, last;
  struct dc_sum time, moved;
};

/** Calls of a function whose durations begin with the same bits: dc_bucket_of. */
struct dc_bucket {
  uint64_t function, bucket;
  int64_t calls;
};

/** When a thread was in calls of a category: spans in microseconds that do not overlap, if the calls came by end. */
struct dc_lane {
  uint64_t thread, category;
  int64_t *begin, *end;
  size_t count, room;
};

struct dc_reducer {
  struct dc_rows tallies, slices, buckets, lanes;
  unsigned int shift;
  int64_t first, last; /* begins so far */
};

/** NULL when memory is short. */
struct dc_reducer *dc_reducer_create(void);
void dc_reducer_destroy(struct dc_reducer *reducer);

/**
 * Adds calls to the sums.
 *
 * @param category a number for each function
 * @return 0 or -ENOMEM
 */
int dc_reducer_add(struct dc_reducer *reducer, const struct dc_calls *calls, const uint32_t *category);

/** Rows of a reducer, and its shift. */
struct dc_sums {
  const struct dc_tally *tallies;
  const struct dc_slice *slices;
  const struct dc_bucket *buckets;
  size_t tally_count, slice_count, bucket_count;
  unsigned int shift;
};

/**
 * Adds the sums of other calls, but for their lanes.
 *
 * @param function, thread, file what the numbers in those are here
 * @return 0 or -ENOMEM
 */
int dc_reducer_join(struct dc_reducer *reducer, const struct dc_sums *sums, const uint32_t *function,
                    const uint32_t *thread, const uint32_t *file);

/**
 * Takes rows, or a lane's begins or ends, out of a reducer, which does without them from then on.
 *
 * @param size their bytes, which are not none
 * @return what somebody frees with dc_taken_free; NULL when memory is short
 */
void *dc_take(void **memory, size_t size);
void dc_taken_free(void *memory);

#endif
