/* SPDX-License-Identifier: MIT */
#include "lanes.h"

uint32_t dc_lanes_take(struct dc_lanes *lanes, uint64_t start, uint64_t end) {
  uint32_t lane = 0;
  while (lane < DC_MAX_LANES - 1 && lanes->end[lane] > start)
    lane++;
  if (end > lanes->end[lane])
    lanes->end[lane] = end;
  return lane;
}
