/* SPDX-License-Identifier: MIT */
/**
 * A growing piece of text and the few ways in which JSON is put into it.
 */
#ifndef DATACRUMBS_TEXT_H
#define DATACRUMBS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dc_text {
  char *data;
  size_t size, capacity;
};

/** Makes room for `capacity` bytes. Returns false when memory is short. */
bool dc_text_init(struct dc_text *text, size_t capacity);
void dc_text_deinit(struct dc_text *text);

/** Makes room for `more` bytes beyond the present size. Returns false when memory is short. */
bool dc_text_reserve(struct dc_text *text, size_t more);

/* The functions below trust the caller to have reserved enough. */

static inline void dc_text_bytes(struct dc_text *text, const void *bytes, size_t size) {
  memcpy(text->data + text->size, bytes, size);
  text->size += size;
}

#define dc_text_literal(text, literal) dc_text_bytes(text, literal, sizeof(literal) - 1)

void dc_text_unsigned(struct dc_text *text, uint64_t value);
void dc_text_signed(struct dc_text *text, int64_t value);
void dc_text_hex(struct dc_text *text, uint64_t value);

/** Sixteen hexadecimal digits: the form of all hashes in a trace. */
void dc_text_hash(struct dc_text *text, uint64_t value);

/** Most bytes that dc_text_escaped makes of one. */
#define DC_TEXT_ESCAPED 6

/**
 * Bytes from outside as the inside of a JSON string: quotes, backslashes and control characters are escaped, and what
 * is not UTF-8 becomes U+FFFD, one for each wrong byte.
 */
void dc_text_escaped(struct dc_text *text, const char *bytes, size_t size);

/** Whether the bytes are a number as JSON writes it (RFC 8259, section 6). */
bool dc_text_is_number(const char *bytes, size_t size);

#endif
