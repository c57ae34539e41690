/* SPDX-License-Identifier: MIT */
/**
 * Spans of time that do not overlap.
 */
#ifndef DATACRUMBS_SPANS_H
#define DATACRUMBS_SPANS_H

#include <stddef.h>
#include <stdint.h>

struct dc_spans {
  size_t size;
  int64_t *begin, *end;
};

/** The time that either or both of two rows of spans cover, each sorted; `both` has room for all. */
void dc_spans_unite(const struct dc_spans *one, const struct dc_spans *other, struct dc_spans *both);

#endif
