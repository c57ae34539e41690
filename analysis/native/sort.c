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

static void merge(struct dc_span *out, const struct dc_span *a, size_t a_count, const struct dc_span *b,
                  size_t b_count) {
  if (a_count && b_count && before(b, &a[a_count - 1])) {
    const struct dc_span *a_end = a + a_count, *b_end = b + b_count;
    while (a < a_end && b < b_end)
      *out++ = before(b, a) ? *b++ : *a++;
    a_count = (size_t)(a_end - a);
    b_count = (size_t)(b_end - b);
  }
  memcpy(out, a, a_count * sizeof(*a));
  memcpy(out + a_count, b, b_count * sizeof(*b));
}

struct dc_span *dc_sort(struct dc_span *spans, struct dc_span *other, size_t count) {
  bool sorted = true;
  for (size_t i = 1; i < count && sorted; i++)
    sorted = !before(&spans[i], &spans[i - 1]);
  if (sorted)
    return spans;
  for (size_t i = 0; i < count; i += BLOCK)
    insert(spans + i, count - i < BLOCK ? count - i : BLOCK);
  for (size_t width = BLOCK; width < count; width *= 2) {
    for (size_t i = 0; i < count; i += 2 * width) {
      size_t a_count = count - i < width ? count - i : width;
      size_t b_count = count - i - a_count < width ? count - i - a_count : width;
      merge(other + i, spans + i, a_count, spans + i + a_count, b_count);
    }
    struct dc_span *swap = spans;
    spans = other;
    other = swap;
  }
  return spans;
}
