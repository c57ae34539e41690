/* SPDX-License-Identifier: MIT */
/**
 * Texts that lines had lately, just as they stood there, and the numbers that they stand for. A tracer's lines say the
 * same again and again, and to compare with what they said costs less than to take it apart.
 */
#ifndef DATACRUMBS_RECENT_H
#define DATACRUMBS_RECENT_H

#include "words.h"

#define DC_RECENT_TEXT 56 /* bytes of a text: a whole number of words */
#define DC_RECENT_TEXTS 512

struct dc_recent_text {
  uint32_t id;
  uint8_t size;                   /* 0: none */
  char bytes[DC_RECENT_TEXT + 3]; /* it all is one line of the processor's cache */
};

/** A text is at its hash's place or in that place's neighbour. */
struct dc_recent {
  struct dc_recent_text texts[DC_RECENT_TEXTS];
};

/** The place of a text that is told from others by its first `words` words, or by what follows it there. */
static inline size_t dc_recent_place(const char *at, size_t words) {
  uint64_t hash = 0;
  for (size_t i = 0; i < words; i++)
    hash = (hash ^ dc_word(at + 8 * i)) * 0x9e3779b97f4a7c15ull;
  return hash >> 55;
}

/** The text which is at `at`; NULL: it was not there lately. */
static inline const struct dc_recent_text *dc_recent_find(const struct dc_recent *recent, const char *at,
                                                          size_t place) {
  const struct dc_recent_text *text = &recent->texts[place];
  if (text->size && dc_equal(text->bytes, at, text->size))
    return text;
  text = &recent->texts[place ^ 1];
  return text->size && dc_equal(text->bytes, at, text->size) ? text : NULL;
}

/** Takes note of a text, unless it is too long. */
static inline void dc_recent_note(struct dc_recent *recent, const char *at, size_t size, size_t place, uint32_t id) {
  struct dc_recent_text *text = &recent->texts[place];
  if (size > DC_RECENT_TEXT || dc_recent_find(recent, at, place))
    return;
  recent->texts[place ^ 1] = *text;
  *text = (struct dc_recent_text){.id = id, .size = (uint8_t)size};
  memcpy(text->bytes, at, size);
}

#endif
