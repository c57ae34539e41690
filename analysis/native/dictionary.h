/* SPDX-License-Identifier: MIT */
/**
 * Numbers for texts that repeat: the first text is 0, the next new one 1, and so on.
 */
#ifndef DATACRUMBS_DICTIONARY_H
#define DATACRUMBS_DICTIONARY_H

#include <stddef.h>
#include <stdint.h>

struct dc_slot {
  uint64_t hash;
  uint32_t id; /* of the text, plus one; 0: the slot is free */
};

struct dc_dictionary {
  struct dc_slot *slots;
  uint64_t *ends; /* of each text in `bytes` */
  char *bytes;
  size_t slot_count; /* a power of two */
  size_t count, room;
  size_t size, capacity;
};

#define DC_NO_ID UINT32_MAX

/** Returns 0 or -ENOMEM. */
int dc_dictionary_init(struct dc_dictionary *dictionary);
void dc_dictionary_deinit(struct dc_dictionary *dictionary);

/** The number of a text, which is new or known, and behind which 8 bytes may be read; DC_NO_ID: memory is short. */
uint32_t dc_dictionary_get(struct dc_dictionary *dictionary, const char *text, size_t size);

/** Forgets all texts but the first `count`. */
void dc_dictionary_shorten(struct dc_dictionary *dictionary, size_t count);

#endif
