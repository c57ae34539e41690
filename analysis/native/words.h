/* SPDX-License-Identifier: MIT */
/**
 * Short texts eight bytes at a time: a call into the C library for each would cost more than the work itself.
 * Wherever a text ends, eight more bytes may be read.
 */
#ifndef DATACRUMBS_WORDS_H
#define DATACRUMBS_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a word's first byte is its lowest");

#define DC_EACH(byte) (0x0101010101010101ull * (byte))

static inline uint64_t dc_word(const char *at) {
  uint64_t word;
  memcpy(&word, at, sizeof(word));
  return word;
}

/** A mask of a word's first bytes, of which there are at most 8. */
static inline uint64_t dc_first_bytes(size_t count) { return count >= 8 ? ~0ull : (1ull << 8 * count) - 1; }

/** Which byte of a word is the first with its highest bit set; there is one. */
static inline unsigned int dc_first_byte(uint64_t word) { return (unsigned int)__builtin_ctzll(word) / 8; }

/**
 * The highest bit of the first byte that is a quote, a backslash or not printable ASCII; 0 where there is none.
 * A difference borrows from the byte behind, so later bytes may be marked by mistake, but never earlier ones.
 */
static inline uint64_t dc_odd_bytes(uint64_t word) {
  uint64_t control = word - DC_EACH(0x20), quote = (word ^ DC_EACH('"')) - DC_EACH(1);
  uint64_t backslash = (word ^ DC_EACH('\\')) - DC_EACH(1), rubout = (word ^ DC_EACH(0x7f)) - DC_EACH(1);
  return (word | control | quote | backslash | rubout) & DC_EACH(0x80);
}

/** The highest bit of the first byte that is no digit; 0 where there is none. Later bytes as in dc_odd_bytes. */
static inline uint64_t dc_not_digits(uint64_t word) {
  word ^= DC_EACH('0');
  return (word | (word + DC_EACH(0x76))) & DC_EACH(0x80);
}

/** The number that eight digits make: pairs, then fours, then all, each step in one multiplication. */
static inline uint64_t dc_digits(uint64_t word) {
  word = (word & DC_EACH(0x0f)) * 2561 >> 8;
  word = (word & 0x00ff00ff00ff00ffull) * 6553601 >> 16;
  return (word & 0x0000ffff0000ffffull) * 42949672960001 >> 32;
}

static inline bool dc_equal(const char *a, const char *b, size_t size) {
  for (; size > 8; a += 8, b += 8, size -= 8)
    if (dc_word(a) != dc_word(b))
      return false;
  return !((dc_word(a) ^ dc_word(b)) & dc_first_bytes(size));
}

/** Copies a text, and up to seven bytes behind it, for which there must be room. */
static inline void dc_copy(char *to, const char *from, size_t size) {
  for (size_t at = 0; at < size; at += 8)
    memcpy(to + at, from + at, 8);
}

#endif
