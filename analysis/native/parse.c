/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include "words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_TIME (1ll << 53) /* schema.MAX_TIME */
#define MAX_WORD 250         /* bytes of a name; longer ones are somebody else's work */
#define FIRST_CALLS 4096

/* Every loop below ends at a line feed at the latest, which is no part of any token. */

struct text {
  const char *at;
  size_t size;
};

struct line {
  uint32_t seen; /* a bit for each known member: twice the same is not plain */
  struct text name, cat, ph, host, file, path, cause;
  int64_t pid, tid, ts, dur, ns, ret, size, bytes, count, offset, flags, sub, thread;
};

enum kind { TEXT, NUMBER, PHASE, HEX, SKIP };

struct member {
  char name[8];   /* with its closing quote: one comparison of a word finds it */
  uint8_t length; /* of that */
  uint8_t kind;
  uint16_t place; /* in struct line */
};

#define MEMBER(json, kind, member) {json "\"", sizeof(json), kind, offsetof(struct line, member)}

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

static inline const char *skip_blanks(const char *at) {
  while (*at == ' ' || *at == '\t')
    at++;
  return at;
}

/** Past the closing quote of a text without escapes, which begins after its opening one; NULL: not plain. */
static inline const char *take_text(const char *at, struct text *text) {
  const char *begin = at;
  uint64_t odd;
  while (!(odd = dc_odd_bytes(dc_word(at))))
    at += 8;
  at += dc_first_byte(odd);
  if (*at != '"')
    return NULL;
  *text = (struct text){begin, (size_t)(at - begin)};
  return at + 1;
}

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

/** Past a whole number of at most 18 digits; NULL: not plain. */
static inline const char *take_number(const char *at, int64_t *number) {
  bool negative = *at == '-';
  const char *begin = at += negative;
  int64_t value = 0;
  for (uint64_t word; at - begin < 16 && dc_is_digits(word = dc_word(at)); at += 8)
    value = 100000000 * value + dc_digits(word);
  for (; is_digit(*at); at++) {
    if (at - begin == 18)
      return NULL;
    value = 10 * value + (*at - '0');
  }
  if (at == begin || (*begin == '0' && at - begin > 1) || *at == '.' || *at == 'e' || *at == 'E')
    return NULL;
  *number = negative ? -value : value;
  return at;
}

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
  static const struct text words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
  struct text text;
  if (*at == '"')
    return take_text(at + 1, &text);
  for (size_t i = 0; i < 3; i++)
    if (!strncmp(at, words[i].at, words[i].size))
      return at + words[i].size;
  return skip_number(at);
}

/** Past a text such as "0x241"; NULL: not plain. */
static const char *take_hex(const char *at, int64_t *number) {
  struct text text;
  if (*at != '"')
    return skip_value(at);
  at = take_text(at + 1, &text);
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

static const char *take_value(const char *at, const struct member *member, struct line *line) {
  void *place = (char *)line + member->place;
  struct text *text = place;
  switch (member->kind) {
  case TEXT:
    return *at == '"' ? take_text(at + 1, text) : NULL;
  case NUMBER:
    return take_number(at, place);
  case HEX:
    return take_hex(at, place);
  case PHASE: /* a letter, or in DFTracer's traces a number */
    if (*at == '"')
      return take_text(at + 1, text);
    *text = (struct text){at, 1};
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
static const char *take_object(const char *at, struct line *line, const struct member *members, size_t count,
                               unsigned int first_bit) {
  size_t likely = 0;
  at = skip_blanks(at);
  if (*at == '}')
    return at + 1;
  for (;;) {
    if (*at != '"')
      return NULL;
    struct text key = {.at = at + 1};
    const struct member *member = find(members, count, likely, key.at);
    if (member)
      at = key.at + member->length;
    else if (!(at = take_text(key.at, &key)))
      return NULL;
    at = skip_blanks(at);
    if (*at != ':')
      return NULL;
    at = skip_blanks(at + 1);
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
    at = skip_blanks(at);
    if (*at == '}')
      return at + 1;
    if (*at != ',')
      return NULL;
    at = skip_blanks(at + 1);
  }
}

static bool is_plain_call(struct line *line) {
  bool span = line->ph.size == 1 && (*line->ph.at == 'X' || *line->ph.at == '1');
  if (!span || !line->name.at || line->name.size + line->cat.size > MAX_WORD || line->host.size > MAX_WORD ||
      line->file.size > MAX_WORD || line->path.size > 4 * MAX_WORD || line->cause.size > MAX_WORD)
    return false;
  if (line->cat.size == 8 && !memcmp(line->cat.at, "dftracer", 8))
    return false;
  if (line->ts < 0 || line->ts > MAX_TIME || line->dur < 0 || line->dur > MAX_TIME)
    return false;
  if (line->ns == DC_NULL)
    line->ns = 1000 * line->dur;
  if (line->pid == DC_NULL)
    line->pid = INT32_MIN;
  if (line->tid == DC_NULL)
    line->tid = INT32_MIN;
  if (line->ns < 0 || line->ns > 1000 * MAX_TIME || line->pid != (int32_t)line->pid || line->tid != (int32_t)line->tid)
    return false;
  if (line->sub < 0 || line->sub > 999)
    line->sub = DC_NO_SUB;
  if (line->size > 1 && line->ret != DC_NULL && __builtin_mul_overflow(line->ret, line->size, &line->ret))
    line->ret = DC_NULL;
  if (line->bytes != DC_NULL && (line->ret == DC_NULL || line->ret >= 0))
    line->ret = line->bytes;
  if (line->count == DC_NULL)
    line->count = line->flags;
  return true;
}

/** Large columns are touched once from end to end: with pages of 2 MiB the kernel is asked 512 times less often. */
static void dc_use_huge_pages(char *column, size_t size) {
  const uintptr_t page = 2 << 20;
  uintptr_t begin = ((uintptr_t)column + page - 1) & ~(page - 1), end = ((uintptr_t)column + size) & ~(page - 1);
  if (end > begin)
    madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

static bool reserve(struct dc_calls *calls) {
  if (calls->size < calls->capacity)
    return true;
  size_t capacity = calls->capacity ? 2 * calls->capacity : FIRST_CALLS;
  void **const columns[] = {(void **)&calls->ts,       (void **)&calls->dur,    (void **)&calls->ns,
                            (void **)&calls->ret,      (void **)&calls->offset, (void **)&calls->count,
                            (void **)&calls->function, (void **)&calls->thread, (void **)&calls->file,
                            (void **)&calls->key,      (void **)&calls->sub};
  for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
    size_t width = i < 6 ? 8 : i < 10 ? 4 : 2;
    void *column = realloc(*columns[i], capacity * width);
    if (!column)
      return false;
    *columns[i] = column;
    dc_use_huge_pages(column, capacity * width);
  }
  calls->capacity = capacity;
  return true;
}

static uint32_t joined(struct dc_dictionary *dictionary, const void *head, size_t head_size, struct text tail) {
  char text[16 + 6 * MAX_WORD];
  dc_copy(text, head, head_size);
  dc_copy(text + head_size, tail.at, tail.size);
  return dc_dictionary_get(dictionary, text, head_size + tail.size);
}

/** What caused work that the kernel did elsewhere, and for which thread: "request 701". */
static uint32_t cause_of(struct dc_parser *parser, const struct line *line) {
  char text[MAX_WORD + 32];
  if (!line->cause.size)
    return 0;
  int64_t thread = line->thread == DC_NULL ? 0 : line->thread;
  int size = snprintf(text, sizeof(text), "%.*s %lld", (int)line->cause.size, line->cause.at, (long long)thread);
  return dc_dictionary_get(&parser->keys, text, (size_t)size);
}

/** Returns whether there was memory for it. */
static bool append(struct dc_parser *parser, const struct line *line, struct text source) {
  struct dc_calls *calls = &parser->calls;
  if (!reserve(calls))
    return false;
  char name[MAX_WORD + 16];
  dc_copy(name, line->name.at, line->name.size);
  name[line->name.size] = '\n';
  const int32_t ids[2] = {(int32_t)line->pid, (int32_t)line->tid};
  bool hashed = line->file.at && line->file.size;
  struct text file = hashed ? line->file : line->path;
  size_t row = calls->size;
  calls->function[row] = joined(&parser->functions, name, line->name.size + 1, line->cat);
  calls->thread[row] = joined(&parser->threads, ids, sizeof(ids), line->host.at ? line->host : source);
  calls->file[row] = joined(&parser->files, hashed ? "h       " : "p       ", file.size > 0, file);
  calls->key[row] = cause_of(parser, line);
  if (calls->function[row] == DC_NO_ID || calls->thread[row] == DC_NO_ID || calls->file[row] == DC_NO_ID ||
      calls->key[row] == DC_NO_ID)
    return false;
  calls->ts[row] = line->ts;
  calls->dur[row] = line->dur;
  calls->ns[row] = line->ns;
  calls->ret[row] = line->ret;
  calls->offset[row] = line->offset;
  calls->count[row] = line->count;
  calls->sub[row] = (uint16_t)line->sub;
  calls->size++;
  return true;
}

int64_t dc_parser_take(struct dc_parser *parser, const char *text, size_t size, const char *source, char *rest) {
  char named[MAX_WORD + 8] = ""; /* a text of ours: more than its end may be read */
  const struct text host = {named, strnlen(source, MAX_WORD)};
  const char *end = text + size;
  int64_t left = 0;
  memcpy(named, source, host.size);
  if (!size || end[-1] != '\n')
    return -EINVAL;
  while (text < end) {
    struct line line = {.pid = DC_NULL,
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
    const char *at = *text == '{' ? take_object(text + 1, &line, of_line, LINE_MEMBERS, 0) : NULL;
    at = at ? skip_blanks(at) : NULL;
    if (at && *at == '\n' && is_plain_call(&line)) {
      if (!append(parser, &line, host))
        return -ENOMEM;
      text = at + 1;
      continue;
    }
    const char *next = (const char *)memchr(at ? at : text, '\n', (size_t)(end - (at ? at : text))) + 1;
    memcpy(rest + left, text, (size_t)(next - text));
    left += next - text;
    text = next;
  }
  return left;
}

void dc_parser_mark(const struct dc_parser *parser, struct dc_mark *mark) {
  *mark = (struct dc_mark){parser->calls.size, parser->functions.count, parser->threads.count, parser->files.count,
                           parser->keys.count};
}

void dc_parser_return(struct dc_parser *parser, const struct dc_mark *mark) {
  parser->calls.size = mark->calls;
  dc_dictionary_shorten(&parser->functions, mark->functions);
  dc_dictionary_shorten(&parser->threads, mark->threads);
  dc_dictionary_shorten(&parser->files, mark->files);
  dc_dictionary_shorten(&parser->keys, mark->keys);
}

struct dc_parser *dc_parser_create(void) {
  const char nothing[8] = "";
  struct dc_parser *parser = calloc(1, sizeof(*parser));
  if (!parser)
    return NULL;
  if (dc_dictionary_init(&parser->functions) || dc_dictionary_init(&parser->threads) ||
      dc_dictionary_init(&parser->files) || dc_dictionary_init(&parser->keys) ||
      dc_dictionary_get(&parser->files, nothing, 0) || dc_dictionary_get(&parser->keys, nothing, 0)) {
    dc_parser_destroy(parser);
    return NULL;
  }
  return parser;
}

void dc_parser_destroy(struct dc_parser *parser) {
  if (!parser)
    return;
  dc_calls_free(&parser->calls);
  dc_dictionary_deinit(&parser->functions);
  dc_dictionary_deinit(&parser->threads);
  dc_dictionary_deinit(&parser->files);
  dc_dictionary_deinit(&parser->keys);
  free(parser);
}

void dc_column_free(void **column) {
  free(*column);
  *column = NULL;
}

void dc_calls_free(struct dc_calls *calls) {
  void *columns[] = {calls->ts,       calls->dur,    calls->ns,   calls->ret, calls->offset, calls->count,
                     calls->function, calls->thread, calls->file, calls->key, calls->sub};
  for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
    free(columns[i]);
  *calls = (struct dc_calls){0};
}
