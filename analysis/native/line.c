/* SPDX-License-Identifier: MIT */
#include "line.h"

#include "tokens.h"

#include <string.h>

enum kind { TEXT, NUMBER, PHASE, HEX, SKIP };

struct member {
  char name[8];   /* with its closing quote: one comparison of a word finds it */
  uint8_t length; /* of that */
  uint8_t kind;
  uint16_t place; /* in struct dc_line */
};

#define MEMBER(json, kind, member) {json "\"", sizeof(json), kind, offsetof(struct dc_line, member)}

static const struct member of_line[] = {
    MEMBER("name", TEXT, name), MEMBER("cat", TEXT, cat), MEMBER("ph", PHASE, ph),    MEMBER("pid", NUMBER, pid),
    MEMBER("tid", NUMBER, tid), MEMBER("ts", NUMBER, ts), MEMBER("dur", NUMBER, dur),
};
#define LINE_MEMBERS (sizeof(of_line) / sizeof(*of_line))

static const struct member of_args[] = {
    MEMBER("hhash", TEXT, host),      MEMBER("fhash", TEXT, file),      MEMBER("ret", NUMBER, ret),
    MEMBER("count", NUMBER, count),   MEMBER("offset", NUMBER, offset), MEMBER("dur_ns", NUMBER, ns),
    MEMBER("ts_ns", NUMBER, sub),     MEMBER("size", NUMBER, size),     MEMBER("bytes", NUMBER, bytes),
    MEMBER("flags", HEX, flags),      MEMBER("fname", TEXT, path),      MEMBER("cause", TEXT, cause),
    MEMBER("thread", NUMBER, thread),
};
#define ARGS_MEMBERS (sizeof(of_args) / sizeof(*of_args))

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

/** Past any number (RFC 8259, section 6); NULL: it is none. */
static const char *skip_number(const char *at) {
  at += *at == '-';
  if (!is_digit(*at) || (*at == '0' && is_digit(at[1])))
    return NULL;
  while (is_digit(*at))
    at++;
  if (*at == '.') {
    if (!is_digit(*++at))
      return NULL;
    while (is_digit(*at))
      at++;
  }
  if (*at == 'e' || *at == 'E') {
    at++;
    at += *at == '+' || *at == '-';
    if (!is_digit(*at))
      return NULL;
    while (is_digit(*at))
      at++;
  }
  return at;
}

/** Past a value that nobody asks for; NULL: not plain. */
static const char *skip_value(const char *at) {
  static const struct dc_piece words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
  struct dc_piece text;
  if (*at == '"')
    return dc_take_text(at + 1, &text);
  for (size_t i = 0; i < 3; i++)
    if (!strncmp(at, words[i].at, words[i].size))
      return at + words[i].size;
  return skip_number(at);
}

/** Past a text such as "0x241"; NULL: not plain. */
static const char *take_hex(const char *at, int64_t *number) {
  struct dc_piece text;
  if (*at != '"')
    return skip_value(at);
  at = dc_take_text(at + 1, &text);
  if (!at || text.size < 3 || text.size > 17 || text.at[0] != '0' || text.at[1] != 'x')
    return at;
  int64_t value = 0;
  for (size_t i = 2; i < text.size; i++) {
    char c = text.at[i];
    if (!is_digit(c) && (c < 'a' || c > 'f'))
      return at;
    value = value << 4 | (is_digit(c) ? c - '0' : c - 'a' + 10);
  }
  *number = value;
  return at;
}

static const char *take_value(const char *at, const struct member *member, struct dc_line *line) {
  void *place = (char *)line + member->place;
  struct dc_piece *text = place;
  switch (member->kind) {
  case TEXT:
    return *at == '"' ? dc_take_text(at + 1, text) : NULL;
  case NUMBER:
    return dc_take_number(at, place);
  case HEX:
    return take_hex(at, place);
  case PHASE: /* a letter, or in DFTracer's traces a number */
    if (*at == '"')
      return dc_take_text(at + 1, text);
    *text = (struct dc_piece){at, 1};
    return is_digit(*at) && !is_digit(at[1]) ? skip_number(at) : NULL;
  }
  return NULL;
}

/** The member whose name and closing quote are at `key`. */
static inline const struct member *find(const struct member *members, size_t count, size_t likely, const char *key) {
  uint64_t word = dc_word(key);
  /* Lines of a tracer have their members in one order, so the next one is likely the next. */
  for (size_t i = 0; i < count; i++, likely++) {
    const struct member *member = &members[likely < count ? likely : likely - count];
    if (!((word ^ dc_word(member->name)) & dc_first_bytes(member->length)))
      return member;
  }
  return NULL;
}

/** Past the end of an object, whose opening brace is behind us; NULL: not plain. */
static const char *take_object(const char *at, struct dc_line *line, const struct member *members, size_t count,
                               unsigned int first_bit) {
  size_t likely = 0;
  at = dc_skip_blanks(at);
  if (*at == '}')
    return at + 1;
  for (;;) {
    if (*at != '"')
      return NULL;
    struct dc_piece key = {.at = at + 1};
    const struct member *member = find(members, count, likely, key.at);
    if (member)
      at = key.at + member->length;
    else if (!(at = dc_take_text(key.at, &key)))
      return NULL;
    at = dc_skip_blanks(at);
    if (*at != ':')
      return NULL;
    at = dc_skip_blanks(at + 1);
    if (member) {
      likely = (size_t)(member - members) + 1;
      uint32_t bit = 1u << (first_bit + likely);
      if (line->seen & bit)
        return NULL;
      line->seen |= bit;
      at = take_value(at, member, line);
    } else if (first_bit == 0 && key.size == 4 && !memcmp(key.at, "args", 4)) {
      if (line->seen & 1 || *at != '{')
        return NULL;
      line->seen |= 1;
      at = take_object(at + 1, line, of_args, ARGS_MEMBERS, LINE_MEMBERS + 1);
    } else {
      at = skip_value(at);
    }
    if (!at)
      return NULL;
    at = dc_skip_blanks(at);
    if (*at == '}')
      return at + 1;
    if (*at != ',')
      return NULL;
    at = dc_skip_blanks(at + 1);
  }
}

static bool is_plain_call(struct dc_line *line) {
  bool span = line->ph.size == 1 && (*line->ph.at == 'X' || *line->ph.at == '1');
  if (!span || !line->name.at || line->name.size + line->cat.size > DC_MAX_WORD || line->host.size > DC_MAX_WORD ||
      line->file.size > DC_MAX_WORD || line->path.size > 4 * DC_MAX_WORD || line->cause.size > DC_MAX_WORD)
    return false;
  if (line->cat.size == 8 && !memcmp(line->cat.at, "dftracer", 8))
    return false;
  if (line->ns == DC_NULL)
    line->ns = 1000 * line->dur;
  if (line->pid == DC_NULL)
    line->pid = INT32_MIN;
  if (line->tid == DC_NULL)
    line->tid = INT32_MIN;
  if (!dc_line_is_timely(line) || line->pid != (int32_t)line->pid || line->tid != (int32_t)line->tid)
    return false;
  if (line->size > 1 && line->ret != DC_NULL && __builtin_mul_overflow(line->ret, line->size, &line->ret))
    line->ret = DC_NULL;
  if (line->bytes != DC_NULL && (line->ret == DC_NULL || line->ret >= 0))
    line->ret = line->bytes;
  if (line->count == DC_NULL)
    line->count = line->flags;
  return true;
}

static const struct dc_line nothing = {.pid = DC_NULL,
                                       .tid = DC_NULL,
                                       .ts = -1,
                                       .ns = DC_NULL,
                                       .ret = DC_NULL,
                                       .bytes = DC_NULL,
                                       .count = DC_NULL,
                                       .offset = DC_NULL,
                                       .flags = DC_NULL,
                                       .sub = DC_NO_SUB,
                                       .thread = DC_NULL};

const char *dc_line_take(const char *text, struct dc_line *line, bool *plain) {
  *line = nothing;
  const char *at = *text == '{' ? take_object(text + 1, line, of_line, LINE_MEMBERS, 0) : NULL;
  at = at ? dc_skip_blanks(at) : NULL;
  *plain = at && *at == '\n' && is_plain_call(line);
  return at ? at : text;
}
