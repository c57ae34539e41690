/* SPDX-License-Identifier: MIT */
#include "dictionary.h"

#include "words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 1024
#define MULTIPLIER 0x9e3779b97f4a7c15ull /* 2^64 over the golden ratio: Knuth's multiplicative hashing */

int dc_dictionary_init(struct dc_dictionary *dictionary) {
  *dictionary = (struct dc_dictionary){.slot_count = FIRST_SLOTS, .room = FIRST_SLOTS, .capacity = 1 << 14};
  dictionary->slots = calloc(dictionary->slot_count, sizeof(*dictionary->slots));
  dictionary->ends = malloc(dictionary->room * sizeof(*dictionary->ends));
  dictionary->bytes = malloc(dictionary->capacity);
  if (dictionary->slots && dictionary->ends && dictionary->bytes)
    return 0;
  dc_dictionary_deinit(dictionary);
  return -ENOMEM;
}

void dc_dictionary_deinit(struct dc_dictionary *dictionary) {
  free(dictionary->slots);
  free(dictionary->ends);
  free(dictionary->bytes);
  *dictionary = (struct dc_dictionary){0};
}

static uint64_t hash_of(const char *text, size_t size) {
  uint64_t hash = size * MULTIPLIER;
  for (; size >= 8; text += 8, size -= 8) {
    hash = (hash ^ dc_word(text)) * MULTIPLIER;
    hash ^= hash >> 29;
  }
  hash = (hash ^ (dc_word(text) & dc_first_bytes(size))) * MULTIPLIER;
  return hash ^ hash >> 32;
}

/** Makes room for one more text. Returns 0 or -ENOMEM. */
static int grow(struct dc_dictionary *dictionary, size_t size) {
  if (dictionary->count == dictionary->room) {
    uint64_t *ends = realloc(dictionary->ends, 2 * dictionary->room * sizeof(*ends));
    if (!ends)
      return -ENOMEM;
    dictionary->ends = ends;
    dictionary->room *= 2;
  }
  size += 8; /* which may be read behind the last text */
  if (dictionary->capacity - dictionary->size < size) {
    size_t capacity = 2 * dictionary->capacity + size;
    char *bytes = realloc(dictionary->bytes, capacity);
    if (!bytes)
      return -ENOMEM;
    dictionary->bytes = bytes;
    dictionary->capacity = capacity;
  }
  if (2 * dictionary->count < dictionary->slot_count)
    return 0;
  size_t count = 2 * dictionary->slot_count;
  struct dc_slot *slots = calloc(count, sizeof(*slots));
  if (!slots)
    return -ENOMEM;
  for (size_t i = 0; i < dictionary->slot_count; i++) {
    struct dc_slot *slot = &dictionary->slots[i];
    size_t at = slot->hash & (count - 1);
    while (slot->id && slots[at].id)
      at = (at + 1) & (count - 1);
    if (slot->id)
      slots[at] = *slot;
  }
  free(dictionary->slots);
  dictionary->slots = slots;
  dictionary->slot_count = count;
  return 0;
}

uint32_t dc_dictionary_get(struct dc_dictionary *dictionary, const char *text, size_t size) {
  uint64_t hash = hash_of(text, size);
  size_t at = hash & (dictionary->slot_count - 1);
  for (struct dc_slot *slot; (slot = &dictionary->slots[at])->id; at = (at + 1) & (dictionary->slot_count - 1)) {
    if (slot->hash != hash)
      continue;
    uint64_t begin = slot->id > 1 ? dictionary->ends[slot->id - 2] : 0;
    if (dictionary->ends[slot->id - 1] - begin == size && dc_equal(dictionary->bytes + begin, text, size))
      return slot->id - 1;
  }
  if (dictionary->count >= DC_NO_ID - 1 || grow(dictionary, size))
    return DC_NO_ID;
  for (at = hash & (dictionary->slot_count - 1); dictionary->slots[at].id;)
    at = (at + 1) & (dictionary->slot_count - 1);
  memcpy(dictionary->bytes + dictionary->size, text, size);
  dictionary->size += size;
  dictionary->ends[dictionary->count] = dictionary->size;
  dictionary->slots[at] = (struct dc_slot){hash, (uint32_t)++dictionary->count};
  return (uint32_t)dictionary->count - 1;
}

void dc_dictionary_shorten(struct dc_dictionary *dictionary, size_t count) {
  if (count >= dictionary->count)
    return;
  struct dc_slot *slots = dictionary->slots;
  size_t mask = dictionary->slot_count - 1;
  for (; dictionary->count > count; dictionary->count--) {
    uint64_t begin = dictionary->count > 1 ? dictionary->ends[dictionary->count - 2] : 0;
    size_t at = hash_of(dictionary->bytes + begin, dictionary->ends[dictionary->count - 1] - begin) & mask;
    while (slots[at].id != dictionary->count)
      at = (at + 1) & mask;
    slots[at].id = 0; /* the latest text ended its chain, unless the table grew since: then the chain closes up */
    for (size_t next = (at + 1) & mask; slots[next].id; next = (next + 1) & mask) {
      if (((next - (slots[next].hash & mask)) & mask) < ((next - at) & mask))
        continue;
      slots[at] = slots[next];
      slots[next].id = 0;
      at = next;
    }
    dictionary->size = begin;
  }
}
