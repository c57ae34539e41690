/* SPDX-License-Identifier: MIT */
/**
 * Sorts calls by begin, longer ones first. A trace has them by end, so they are nearly in order, and runs that are in
 * order already cost one comparison.
 */
#ifndef DATACRUMBS_SORT_H
#define DATACRUMBS_SORT_H

#include <stddef.h>
#include <stdint.h>

struct dc_span {
  int64_t begin, end; /* nanoseconds since 1970 */
  uint32_t row;
};

/** Returns the sorted spans, which are in `spans` or in `other`; equal ones stay in their order. */
struct dc_span *dc_sort(struct dc_span *spans, struct dc_span *other, size_t count);

#endif
