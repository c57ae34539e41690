/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdlib.h>

static const char digit_pairs[] = "0001020304050607080910111213141516171819"
                                  "2021222324252627282930313233343536373839"
                                  "4041424344454647484950515253545556575859"
                                  "6061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";
static const char hex_digits[] = "0123456789abcdef";

bool dc_text_init(struct dc_text *text, size_t capacity) {
  *text = (struct dc_text){.data = malloc(capacity), .capacity = capacity};
  return text->data;
}

void dc_text_deinit(struct dc_text *text) {
  free(text->data);
  *text = (struct dc_text){0};
}

bool dc_text_reserve(struct dc_text *text, size_t more) {
  if (text->capacity - text->size >= more)
    return true;
  size_t capacity = (text->size + more) * 2;
  char *data = realloc(text->data, capacity);
  if (!data)
    return false;
  text->data = data;
  text->capacity = capacity;
  return true;
}

void dc_text_unsigned(struct dc_text *text, uint64_t value) {
  char buffer[20], *at = buffer + sizeof(buffer);
  while (value >= 100) {
    at -= 2;
    memcpy(at, digit_pairs + value % 100 * 2, 2);
    value /= 100;
  }
  if (value >= 10) {
    at -= 2;
    memcpy(at, digit_pairs + value * 2, 2);
  } else {
    *--at = (char)('0' + value);
  }
  dc_text_bytes(text, at, (size_t)(buffer + sizeof(buffer) - at));
}

void dc_text_signed(struct dc_text *text, int64_t value) {
  if (value < 0)
    text->data[text->size++] = '-';
  dc_text_unsigned(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void dc_text_hex(struct dc_text *text, uint64_t value) {
  int digits = 1;
  while (digits < 16 && value >> (4 * digits))
    digits++;
  while (digits--)
    text->data[text->size++] = hex_digits[value >> (4 * digits) & 15];
}

void dc_text_hash(struct dc_text *text, uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4)
    text->data[text->size++] = hex_digits[value >> shift & 15];
}

/** The length of the UTF-8 sequence at `at`, 0 where there is none (RFC 3629: shortest form, no surrogates). */
static size_t sequence_length(const unsigned char *at, size_t left) {
  static const struct {
    unsigned char from, to, second_from, second_to;
    size_t length;
  } forms[] = {
      {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
      {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
      {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
  };
  for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
    if (at[0] < forms[i].from || at[0] > forms[i].to)
      continue;
    if (left < forms[i].length || at[1] < forms[i].second_from || at[1] > forms[i].second_to)
      return 0;
    for (size_t k = 2; k < forms[i].length; k++)
      if ((at[k] & 0xc0) != 0x80)
        return 0;
    return forms[i].length;
  }
  return 0;
}

static void escape_control(struct dc_text *text, unsigned char byte) {
  static const char names[] = "btn\0fr";
  char short_name = byte >= '\b' && byte <= '\r' ? names[byte - '\b'] : 0;
  if (short_name) {
    text->data[text->size++] = '\\';
    text->data[text->size++] = short_name;
    return;
  }
  dc_text_literal(text, "\\u00");
  text->data[text->size++] = hex_digits[byte >> 4];
  text->data[text->size++] = hex_digits[byte & 15];
}

void dc_text_escaped(struct dc_text *text, const char *bytes, size_t size) {
  const unsigned char *at = (const unsigned char *)bytes;
  for (size_t i = 0; i < size;) {
    if (at[i] == '"' || at[i] == '\\')
      text->data[text->size++] = '\\';
    if (at[i] < 0x20 || at[i] == 0x7f) {
      escape_control(text, at[i++]);
      continue;
    }
    size_t length = at[i] < 0x80 ? 1 : sequence_length(at + i, size - i);
    if (length)
      dc_text_bytes(text, at + i, length);
    else
      dc_text_literal(text, "\xef\xbf\xbd");
    i += length ? length : 1;
  }
}

static size_t skip_digits(const char *bytes, size_t size, size_t at) {
  while (at < size && bytes[at] >= '0' && bytes[at] <= '9')
    at++;
  return at;
}

bool dc_text_is_number(const char *bytes, size_t size) {
  size_t at = size && bytes[0] == '-', digits = at;
  at = skip_digits(bytes, size, at);
  if (at == digits || (bytes[digits] == '0' && at > digits + 1))
    return false;
  if (at < size && bytes[at] == '.') {
    digits = ++at;
    at = skip_digits(bytes, size, at);
    if (at == digits)
      return false;
  }
  if (at < size && (bytes[at] == 'e' || bytes[at] == 'E')) {
    at++;
    if (at < size && (bytes[at] == '+' || bytes[at] == '-'))
      at++;
    digits = at;
    at = skip_digits(bytes, size, at);
    if (at == digits)
      return false;
  }
  return at == size;
}
