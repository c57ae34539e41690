/* SPDX-License-Identifier: MIT */
/**
 * Lines of a trace with mistakes in them, through the analysis' reader, plain and as a gzip member that may be damaged:
 *
 *     read_any LINES SEED TIMES
 *
 * Ends by itself where memory is read or written that is not ours (the sanitizers see to that), or where a promise of
 * span.h or parse.h does not hold.
 */
#include "reduce.h"
#include "span.h"

#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REQUIRE(what)                                                                                                  \
  do {                                                                                                                 \
    if (!(what)) {                                                                                                     \
      fprintf(stderr, "read_any: not so: %s\n", #what);                                                                \
      abort();                                                                                                         \
    }                                                                                                                  \
  } while (0)

static char lines[60000];

static size_t pick(size_t below) { return (size_t)rand() % below; }

/** A copy of the lines with some mistakes; behind it are the bytes that may be read, and none more. */
static char *spoil(size_t *size) {
  static const char odd[] = "\"\\{}:,[]\n -0.e\x7f\x80\x01";
  if (pick(4) == 0)
    *size = 1 + pick(*size);
  char *text = malloc(*size + DC_SLACK);
  REQUIRE(text);
  memcpy(text, lines, *size);
  for (size_t i = pick(40); i; i--)
    text[pick(*size)] = pick(2) ? odd[pick(sizeof(odd) - 1)] : text[pick(*size)];
  text[*size - 1] = '\n';
  return text;
}

/** Takes the lines and adds the calls up; `rest` has room for all. Returns the bytes in it. */
static int64_t take(struct dc_parser *parser, const char *text, size_t size, char *rest) {
  int64_t left = dc_parser_take(parser, text, size, "#0", rest);
  REQUIRE(left >= 0);
  uint32_t *category = calloc(parser->functions.count + 1, sizeof(*category));
  struct dc_reducer *reducer = dc_reducer_create();
  REQUIRE(category && reducer && !dc_reducer_add(reducer, &parser->calls, category));
  dc_reducer_destroy(reducer);
  free(category);
  return left;
}

/** A file with the text as one gzip member, which is damaged (1), cut off (2) or sound (0). */
static int pack(const char *text, size_t size, size_t how, int64_t *packed) {
  struct isal_zstream stream;
  uint8_t *out = malloc(2 * size + 1000);
  int fd = memfd_create("read_any", 0);
  REQUIRE(out && fd >= 0);
  isal_deflate_stateless_init(&stream);
  stream.gzip_flag = IGZIP_GZIP;
  stream.end_of_stream = 1;
  stream.next_in = (uint8_t *)text;
  stream.avail_in = (uint32_t)size;
  stream.next_out = out;
  stream.avail_out = (uint32_t)(2 * size + 1000);
  REQUIRE(isal_deflate_stateless(&stream) == COMP_OK);
  size_t length = stream.total_out;
  if (how == 1)
    out[pick(length)] ^= (uint8_t)(1 << pick(8));
  if (how == 2)
    length = pick(length);
  REQUIRE(write(fd, out, length) == (ssize_t)length);
  free(out);
  *packed = (int64_t)length;
  return fd;
}

/** The same lines, each with a blank behind its brace, so that none of them is just as our runtime writes it. */
static char *spread(const char *text, size_t size, size_t *spread_size) {
  char *spread = malloc(2 * size + DC_SLACK), *to = spread;
  REQUIRE(spread);
  for (size_t i = 0; i < size; i++) {
    *to++ = text[i];
    if (text[i] == '{' && (i == 0 || text[i - 1] == '\n'))
      *to++ = ' ';
  }
  *spread_size = (size_t)(to - spread);
  return spread;
}

/** The short way for lines of our own form gives what the way for all forms gives. */
static void compare_ways(const struct dc_parser *parser, const char *text, size_t size) {
  size_t spread_size;
  char *other = spread(text, size, &spread_size), *rest = malloc(spread_size);
  struct dc_parser *general = dc_parser_create();
  REQUIRE(rest && general && dc_parser_take(general, other, spread_size, "#0", rest) >= 0);
  const struct dc_calls *a = &parser->calls, *b = &general->calls;
  REQUIRE(a->size == b->size);
  const void *columns[][2] = {{a->ts, b->ts},         {a->dur, b->dur},           {a->ns, b->ns},    {a->ret, b->ret},
                              {a->offset, b->offset}, {a->count, b->count},       {a->sub, b->sub},  {a->key, b->key},
                              {a->thread, b->thread}, {a->function, b->function}, {a->file, b->file}};
  for (size_t i = 0; a->size && i < sizeof(columns) / sizeof(*columns); i++)
    REQUIRE(!memcmp(columns[i][0], columns[i][1], a->size * (i < 6 ? 8 : i < 7 ? 2 : 4)));
  REQUIRE(parser->threads.size == general->threads.size && parser->files.size == general->files.size);
  REQUIRE(!memcmp(parser->threads.bytes, general->threads.bytes, parser->threads.size));
  REQUIRE(!memcmp(parser->files.bytes, general->files.bytes, parser->files.size));
  dc_parser_destroy(general);
  free(other);
  free(rest);
}

static void once(size_t size) {
  char *text = spoil(&size), *rest = malloc(size), *other;
  struct dc_parser *parser = dc_parser_create();
  REQUIRE(rest && parser);
  int64_t left = take(parser, text, size, rest), packed;
  struct dc_mark mark, after;
  dc_parser_mark(parser, &mark);
  compare_ways(parser, text, size);
  size_t how = pick(3);
  int fd = pack(text, size, how, &packed);
  int64_t found = dc_span_take(parser, fd, 0, packed, "#0", &other);
  dc_parser_mark(parser, &after);
  if (found < 0)
    REQUIRE(!memcmp(&mark, &after, sizeof(mark))); /* nothing was taken */
  else if (how == 0 && *text != '[')
    REQUIRE(found == left && after.calls == 2 * mark.calls && (!left || !memcmp(rest, other, (size_t)left)));
  dc_span_free(other);
  close(fd);
  /* What is forgotten can be learned again. */
  dc_parser_return(parser, &(struct dc_mark){0, mark.functions / 2, mark.threads / 2, mark.files / 2 + 1, 1});
  REQUIRE(take(parser, text, size, rest) == left && parser->calls.size == mark.calls);
  REQUIRE(parser->functions.count == mark.functions && parser->threads.count == mark.threads);
  dc_parser_destroy(parser);
  free(text);
  free(rest);
}

int main(int argc, char **argv) {
  FILE *file = argc == 4 ? fopen(argv[1], "rb") : NULL;
  REQUIRE(file);
  size_t size = fread(lines, 1, sizeof(lines), file);
  fclose(file);
  REQUIRE(size);
  srand((unsigned int)atoi(argv[2]));
  for (int i = atoi(argv[3]); i > 0; i--)
    once(size);
  return 0;
}
