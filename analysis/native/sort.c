/* SPDX-License-Identifier: MIT */
#include "sort.h"

#include <stdbool.h>
#include <string.h>

#define BLOCK 16 /* spans that are sorted by insertion */

static inline bool before(const struct dc_span *a, const struct dc_span *b) {
  return a->begin < b->begin || (a->begin == b->begin && a->end > b->end);
}

static void insert(struct dc_span *spans, size_t count) {
  for (size_t i = 1; i < count; i++) {
    struct dc_span span = spans[i];
    size_t at = i;
    for (; at && before(&span, &spans[at - 1]); at--)
      spans[at] = spans[at - 1];
    spans[at] = span;
  }
}

/** How many of sorted spans are before another, or no later. */
static size_t count_before(const struct dc_span *spans, size_t count, const struct dc_span *span, bool or_equal) {
  size_t low = 0;
  while (low < count) {
    size_t middle = low + (count - low) / 2;
    if (or_equal ? !before(span, &spans[middle]) : before(&spans[middle], span))
      low = middle + 1;
    else
      count = middle;
  }
  return low;
}

/** Makes one run of two, of `a_count` and of `b_count` spans, the first of which is the shorter. */
static void merge_up(struct dc_span *spans, size_t a_count, size_t b_count, struct dc_span *other) {
  const struct dc_span *a = other, *a_end = other + a_count, *b = spans + a_count, *b_end = b + b_count;
  memcpy(other, spans, a_count * sizeof(*spans));
  while (a < a_end && b < b_end)
    *spans++ = before(b, a) ? *b++ : *a++;
  memcpy(spans, a, (size_t)(a_end - a) * sizeof(*a));
}

/** The same, from behind, where the second is the shorter. */
static void merge_down(struct dc_span *spans, size_t a_count, size_t b_count, struct dc_span *other) {
  struct dc_span *out = spans + a_count + b_count;
  memcpy(other, spans + a_count, b_count * sizeof(*spans));
  while (a_count && b_count)
    *--out = before(&other[b_count - 1], &spans[a_count - 1]) ? spans[--a_count] : other[--b_count];
  memcpy(out - b_count, other, b_count * sizeof(*other));
}

void dc_sort(struct dc_span *spans, struct dc_span *other, size_t count) {
  if (count <= BLOCK) {
    insert(spans, count);
    return;
  }
  size_t a_count = count / 2, b_count = count - a_count;
  struct dc_span *b = spans + a_count;
  dc_sort(spans, other, a_count);
  dc_sort(b, other, b_count);
  if (!before(b, b - 1))
    return;
  size_t right = count_before(spans, a_count, b, true); /* where they belong already */
  b_count = count_before(b, b_count, b - 1, false);
  if (a_count - right < b_count)
    merge_up(spans + right, a_count - right, b_count, other);
  else
    merge_down(spans + right, a_count - right, b_count, other);
}
