/* SPDX-License-Identifier: MIT */
/**
 * Tracks of their own for what the kernel does for a process elsewhere: in its threads and in interrupts.
 *
 * Such spans overlap one another, and the spans of the thread that caused them, as they like. Readers nest the spans of
 * a thread by time, and some leave out those that cross. So they are shown on lanes, which look like threads whose
 * numbers no real one has; on a lane, no span begins before the last one has ended.
 */
#ifndef DATACRUMBS_LANES_H
#define DATACRUMBS_LANES_H

#include <stdint.h>

#define DC_MAX_LANES 1024
#define DC_LANE_TID 10000000 /* beyond PID_MAX_LIMIT, include/linux/threads.h */

struct dc_lanes {
  uint64_t end[DC_MAX_LANES]; /* µs since 1970 */
};

/** The lane for a span of these microseconds, the last one where all are taken. Spans come as they end. */
uint32_t dc_lanes_take(struct dc_lanes *lanes, uint64_t start, uint64_t end);

#endif
