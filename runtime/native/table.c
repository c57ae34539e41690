/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <stdlib.h>

bool dc_table_init(struct dc_table *table, size_t limit) {
  *table = (struct dc_table){.capacity = 1024, .limit = limit};
  table->entries = calloc(table->capacity, sizeof(*table->entries));
  return table->entries;
}

void dc_table_deinit(struct dc_table *table) {
  free(table->entries);
  *table = (struct dc_table){0};
}

static struct dc_table_entry *place_of(const struct dc_table *table, uint64_t key) {
  size_t mask = table->capacity - 1, at = (size_t)(key * 0x9e3779b97f4a7c15ull >> 32) & mask;
  while (table->entries[at].key && table->entries[at].key != key)
    at = (at + 1) & mask;
  return &table->entries[at];
}

static bool grow(struct dc_table *table) {
  struct dc_table wider = *table;
  wider.capacity *= 2;
  wider.entries = calloc(wider.capacity, sizeof(*wider.entries));
  if (!wider.entries)
    return false;
  for (size_t i = 0; i < table->capacity; i++)
    if (table->entries[i].key)
      *place_of(&wider, table->entries[i].key) = table->entries[i];
  free(table->entries);
  *table = wider;
  return true;
}

uint64_t *dc_table_find(const struct dc_table *table, uint64_t key) {
  struct dc_table_entry *entry = place_of(table, key ? key : 1);
  return entry->key ? &entry->value : NULL;
}

uint64_t *dc_table_make(struct dc_table *table, uint64_t key, bool *made) {
  key = key ? key : 1;
  struct dc_table_entry *entry = place_of(table, key);
  *made = !entry->key;
  if (entry->key)
    return &entry->value;
  if (table->used >= table->limit)
    return NULL;
  if (table->used * 4 >= table->capacity * 3) {
    if (!grow(table))
      return NULL;
    entry = place_of(table, key);
  }
  table->used++;
  *entry = (struct dc_table_entry){.key = key};
  return &entry->value;
}
