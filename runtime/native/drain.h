/* SPDX-License-Identifier: MIT */
/**
 * The thread that empties a run's ring into its trace. Lifecycle: create, start, (read stats), stop, finish, destroy.
 */
#ifndef DATACRUMBS_DRAIN_H
#define DATACRUMBS_DRAIN_H

#include "profile.h"

struct dc_drain_stats {
  uint64_t captured;   /**< calls and regions, profiled ones included */
  uint64_t malformed;  /**< records that made no sense */
  uint64_t unnamed;    /**< calls on files beyond the limit of names */
  uint64_t overflowed; /**< profiled calls for whose process and file there was no room */
  int profile_error;   /**< errno of a profile that could not be read; 0: none */
  struct dc_sink_stats sink;
};

struct dc_drain_options {
  int trace;                       /**< descriptor of the trace, which passes to the drain; -1: keep nothing */
  int ring;                        /**< descriptor of the ring buffer map */
  const struct dc_format *formats; /**< one for each probe; the caller's until the drain is destroyed */
  size_t format_count;
  uint64_t epoch; /**< CLOCK_REALTIME minus CLOCK_MONOTONIC, ns */
  uint64_t host;  /**< host hash */
  size_t max_files;
  bool nested; /**< whether calls can contain one another */
  struct dc_profile_options profile;
};

struct dc_drain;

/** A drain that does not run yet; NULL with errno set when memory or the ring fails. */
struct dc_drain *dc_drain_create(const struct dc_drain_options *options);

/** Writes a line that the caller made, before dc_drain_start or after dc_drain_stop. */
void dc_drain_write_line(struct dc_drain *drain, const char *line, size_t size);

/** Starts the thread. Returns 0 or an errno. */
int dc_drain_start(struct dc_drain *drain);

/** Takes what is left in the ring and ends the thread. What feeds the ring must be detached by now. */
void dc_drain_stop(struct dc_drain *drain);

/** Ends the trace: what was written since dc_drain_stop is in it, on its device, and the stats are final. */
void dc_drain_finish(struct dc_drain *drain);

/** A snapshot, safe at any time; it is up to a second old. */
void dc_drain_read_stats(struct dc_drain *drain, struct dc_drain_stats *stats);

/** Does what is left of stop and finish, and frees all. */
void dc_drain_destroy(struct dc_drain *drain);

#endif
