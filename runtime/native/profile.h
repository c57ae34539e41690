/* SPDX-License-Identifier: MIT */
/**
 * The tables in which a run's calls are added up (runtime/bpf/profile.h): swapped at the end of each interval, emptied,
 * written. Lifecycle: init, then swap and write for each interval, deinit.
 */
#ifndef DATACRUMBS_PROFILE_H
#define DATACRUMBS_PROFILE_H

#include "encode.h"

/** Where the tables are; descriptors stay the caller's. */
struct dc_profile_options {
  int tables;        /**< the map whose entries `slot` and `slot + 1` hold the tables in use; -1: nothing is profiled */
  uint32_t slot;     /**< its entry for the tables of keys; the one for what found no room follows */
  int pair[2];       /**< the two tables of keys; the first one is in use */
  int overflow[2];   /**< what found no room in the table of the same number, by function */
  size_t keys;       /**< room in a table */
  size_t functions;  /**< room in an overflow table: the number of probes */
  uint64_t interval; /**< ns */
};

struct dc_profile {
  struct dc_profile_options options;
  unsigned active, overflow_active; /* the table in use of each pair */
  uint64_t next;                    /**< when the interval ends: CLOCK_MONOTONIC, ns */
  uint64_t interval;                /**< its number, from 0 */
  uint64_t overflowed;              /**< calls that are in overflow rows */
  int error;                        /**< errno of a table that could not be read; 0: none */
  size_t capacity;
  struct dc_profile_key *keys;
  struct dc_profile_value *values;
  struct dc_table lanes; /* process -> where its rows end, see write_row */
};

/** Returns false when memory is short. `now`: CLOCK_MONOTONIC, ns. */
bool dc_profile_init(struct dc_profile *profile, const struct dc_profile_options *options, uint64_t now);
void dc_profile_deinit(struct dc_profile *profile);

/** Whether the interval has ended. */
bool dc_profile_is_due(const struct dc_profile *profile, uint64_t now);

/** Begins another interval. When this returns, nobody adds to the tables of the last one any more. */
void dc_profile_swap(struct dc_profile *profile, uint64_t now);

/** Empties the tables of the last interval into the trace. The ring must have been drained since the swap: it names
 * the files. */
void dc_profile_write(struct dc_profile *profile, struct dc_encoder *encoder);

#endif
