/* SPDX-License-Identifier: MIT */
/**
 * What lines are made of. Every loop ends at a line feed at the latest, which is no part of any token.
 */
#ifndef DATACRUMBS_TOKENS_H
#define DATACRUMBS_TOKENS_H

#include "line.h"
#include "words.h"

static inline const char *dc_skip_blanks(const char *at) {
  while (*at == ' ' || *at == '\t')
    at++;
  return at;
}

/** Past the closing quote of a text without escapes, which begins after its opening one; NULL: not plain. */
static inline const char *dc_take_text(const char *at, struct dc_piece *text) {
  const char *begin = at;
  uint64_t odd;
  while (!(odd = dc_odd_bytes(dc_word(at))))
    at += 8;
  at += dc_first_byte(odd);
  if (*at != '"')
    return NULL;
  *text = (struct dc_piece){begin, (size_t)(at - begin)};
  return at + 1;
}

/** Past a whole number of at most 18 digits; NULL: not plain, if what follows it does not show that. */
static inline const char *dc_take_number(const char *at, int64_t *number) {
  static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
  bool negative = *at == '-';
  const char *begin = at += negative;
  uint64_t value = 0, word, odd;
  for (; !(odd = dc_not_digits(word = dc_word(at))); at += 8)
    value = 100000000 * value + dc_digits(word);
  unsigned int digits = dc_first_byte(odd);
  value = powers[digits] * value + dc_digits(word << (56 - 8 * digits) << 8); /* zeros in front */
  at += digits;
  if (at == begin || at - begin > 18 || (*begin == '0' && at - begin > 1))
    return NULL;
  *number = negative ? -(int64_t)value : (int64_t)value;
  return at;
}

#endif
