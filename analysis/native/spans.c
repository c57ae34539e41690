/* SPDX-License-Identifier: MIT */
#include "spans.h"

void dc_spans_unite(const struct dc_spans *one, const struct dc_spans *other, struct dc_spans *both) {
  size_t i = 0, j = 0, count = 0;
  while (i < one->size || j < other->size) {
    const struct dc_spans *from = j == other->size || (i < one->size && one->begin[i] <= other->begin[j]) ? one : other;
    size_t *at = from == one ? &i : &j;
    int64_t begin = from->begin[*at], end = from->end[*at];
    ++*at;
    if (count && begin <= both->end[count - 1]) {
      both->end[count - 1] = end > both->end[count - 1] ? end : both->end[count - 1];
      continue;
    }
    both->begin[count] = begin;
    both->end[count++] = end;
  }
  both->size = count;
}
