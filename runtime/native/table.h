/* SPDX-License-Identifier: MIT */
/**
 * A map from one 64-bit number to another, with a limit: open addressing, growing by doubling.
 */
#ifndef DATACRUMBS_TABLE_H
#define DATACRUMBS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dc_table_entry {
  uint64_t key; /* 0: free; a key of 0 is stored as 1, which no good hash makes likelier than any other clash */
  uint64_t value;
};

struct dc_table {
  struct dc_table_entry *entries;
  size_t used, capacity, limit;
};

/** An empty table of at most `limit` keys. Returns false when memory is short. */
bool dc_table_init(struct dc_table *table, size_t limit);
void dc_table_deinit(struct dc_table *table);

/** The value under `key`, which may be written; NULL where there is none. */
uint64_t *dc_table_find(const struct dc_table *table, uint64_t key);

/** The value under `key`, made (0) where there was none; NULL when the table is at its limit or memory is short. */
uint64_t *dc_table_make(struct dc_table *table, uint64_t key, bool *made);

#endif
