/* SPDX-License-Identifier: MIT */
#include "calls.h"

#include <stdlib.h>
#include <sys/mman.h>

#define FIRST_CALLS 4096
#define COLUMNS 11

/** The address of each column's pointer, and bytes of its numbers. */
static void list_columns(struct dc_calls *calls, void **columns[COLUMNS], size_t widths[COLUMNS]) {
  void **const all[COLUMNS] = {(void **)&calls->ts,       (void **)&calls->dur,    (void **)&calls->ns,
                               (void **)&calls->ret,      (void **)&calls->offset, (void **)&calls->count,
                               (void **)&calls->function, (void **)&calls->thread, (void **)&calls->file,
                               (void **)&calls->key,      (void **)&calls->sub};
  for (size_t i = 0; i < COLUMNS; i++) {
    columns[i] = all[i];
    widths[i] = i < 6 ? 8 : i < 10 ? 4 : 2;
  }
}

/** Large columns are touched once from end to end: with pages of 2 MiB the kernel is asked 512 times less often. */
static void dc_use_huge_pages(char *column, size_t size) {
  const uintptr_t page = 2 << 20;
  uintptr_t begin = ((uintptr_t)column + page - 1) & ~(page - 1), end = ((uintptr_t)column + size) & ~(page - 1);
  if (end > begin)
    madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

bool dc_calls_grow(struct dc_calls *calls) {
  size_t capacity = calls->capacity ? 2 * calls->capacity : FIRST_CALLS, widths[COLUMNS];
  void **columns[COLUMNS];
  list_columns(calls, columns, widths);
  for (size_t i = 0; i < COLUMNS; i++) {
    void *column = realloc(*columns[i], capacity * widths[i]);
    if (!column)
      return false;
    *columns[i] = column;
    dc_use_huge_pages(column, capacity * widths[i]);
  }
  calls->capacity = capacity;
  return true;
}

void dc_calls_deinit(struct dc_calls *calls) {
  size_t widths[COLUMNS];
  void **columns[COLUMNS];
  list_columns(calls, columns, widths);
  for (size_t i = 0; i < COLUMNS; i++)
    free(*columns[i]);
  *calls = (struct dc_calls){0};
}

void dc_column_free(void **column) {
  free(*column);
  *column = NULL;
}
