/* SPDX-License-Identifier: MIT */
/**
 * Sorts calls by begin, longer ones first. A trace has them by end, so they are nearly in order, and neighbouring runs
 * that are in order already cost one comparison.
 */
#ifndef DATACRUMBS_SORT_H
#define DATACRUMBS_SORT_H

#include <stddef.h>
#include <stdint.h>

struct dc_span {
  int64_t begin, end; /* nanoseconds since 1970 */
  int64_t length;     /* what the trace says it took: in a trace of microseconds not the same as end - begin */
  uint32_t row, function;
};

/**
 * Sorts in place; equal spans stay in their order.
 *
 * @param other room for half of them, of which no more is touched than is out of order
 */
void dc_sort(struct dc_span *spans, struct dc_span *other, size_t count);

#endif
