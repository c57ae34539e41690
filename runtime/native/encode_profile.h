/* SPDX-License-Identifier: MIT */
/**
 * The lines of a profile: one for each process, function, file and interval.
 */
#ifndef DATACRUMBS_ENCODE_PROFILE_H
#define DATACRUMBS_ENCODE_PROFILE_H

#include "encode.h"

/**
 * The thread that a row is shown on: there are no threads in a profile, so each lane is one, with a number that no
 * thread can have (PID_MAX_LIMIT in include/linux/threads.h is 2^22), and none of lanes.h: 2^24 and more.
 */
#define DC_LANE_BITS 22

struct dc_profile_row {
  const struct dc_profile_key *key;
  const struct dc_profile_value *value;
  uint64_t calls;
  uint64_t begin;     /**< where to show it: CLOCK_MONOTONIC, ns */
  uint64_t interval;  /**< number of the interval */
  unsigned lane;      /**< from 0 */
  bool first_of_lane; /**< the lane needs a name */
  bool overflow;      /**< for want of room: all processes and files of the function */
};

void dc_encode_row(struct dc_encoder *encoder, const struct dc_profile_row *row);

/** Says that a function is profiled from now on. */
void dc_encode_switch(struct dc_encoder *encoder, const struct dc_switch *record);

#endif
