/* SPDX-License-Identifier: MIT */
#include "span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef DC_HAVE_ISAL
#include <isa-l/igzip_lib.h>
#include <stdbool.h>

#define INPUT (256 << 10)
#define TEXT (1 << 20)     /* the longest line: lines.MAX_LINE */
#define STEP (256 << 10)   /* text that is taken at once: it is still in the processor's cache */
#define SLACK 64           /* bytes that may be read behind a text */
#define MOST_CALLS 4000000 /* a span is some megabytes; more calls than that are somebody's trick */
#define MOST_REST (64 << 20)

struct reader {
  struct dc_parser *parser;
  const char *source;
  struct inflate_state state;
  uint8_t input[INPUT];
  char text[TEXT + SLACK];
  size_t filled; /* of `text` */
  size_t first;  /* call of this span */
  char *rest;
  size_t rest_size, rest_room;
};

/** Takes the whole lines of the text and keeps what is left. */
static int take_lines(struct reader *reader) {
  const char *last = memrchr(reader->text, '\n', reader->filled);
  if (!last)
    return reader->filled == TEXT ? -EILSEQ : 0;
  size_t size = (size_t)(last - reader->text) + 1;
  if (reader->rest_room - reader->rest_size < size) {
    size_t room = 2 * reader->rest_room + size;
    char *rest = realloc(reader->rest, room);
    if (!rest)
      return -ENOMEM;
    reader->rest = rest;
    reader->rest_room = room;
  }
  int64_t left = dc_parser_take(reader->parser, reader->text, size, reader->source, reader->rest + reader->rest_size);
  if (left < 0)
    return (int)left;
  reader->rest_size += (size_t)left;
  reader->filled -= size;
  memmove(reader->text, reader->text + size, reader->filled);
  return reader->rest_size > MOST_REST ? -EILSEQ : 0;
}

/** Forgets the bracket that opens an array. Other brackets are the careful reader's. */
static int skip_opening(struct reader *reader) {
  if (!reader->filled || *reader->text != '[')
    return 0;
  if (reader->filled < 2 || reader->text[1] != '\n')
    return -EILSEQ;
  reader->filled -= 2;
  memmove(reader->text, reader->text + 2, reader->filled);
  return 0;
}

/** Takes the member at *at, and moves *at behind it. */
static int take_member(struct reader *reader, int fd, int64_t *at, int64_t end) {
  struct inflate_state *state = &reader->state;
  isal_inflate_init(state);
  state->crc_flag = ISAL_GZIP;
  bool opened = false;
  while (state->block_state != ISAL_BLOCK_FINISH) {
    if (!state->avail_in && *at < end) {
      ssize_t got = pread(fd, reader->input, end - *at < INPUT ? (size_t)(end - *at) : INPUT, *at);
      if (got <= 0)
        return got ? -errno : -EILSEQ;
      *at += got;
      state->next_in = reader->input;
      state->avail_in = (uint32_t)got;
    }
    size_t room = TEXT - reader->filled;
    state->next_out = (uint8_t *)reader->text + reader->filled;
    state->avail_out = (uint32_t)(room < STEP ? room : STEP);
    size_t asked = state->avail_out;
    if (isal_inflate(state) != ISAL_DECOMP_OK)
      return -EILSEQ;
    reader->filled += asked - state->avail_out;
    if (asked == state->avail_out && !state->avail_in && *at >= end && state->block_state != ISAL_BLOCK_FINISH)
      return -EILSEQ;
    if (state->avail_out && state->block_state != ISAL_BLOCK_FINISH)
      continue; /* it wants more input */
    int rc = opened ? 0 : skip_opening(reader);
    opened = true;
    if (!rc && reader->filled >= 3 && !memcmp(reader->text + reader->filled - 3, "\n]\n", 3))
      rc = -EILSEQ;
    if (!rc)
      rc = take_lines(reader);
    if (rc)
      return rc;
    if (reader->parser->calls.size - reader->first > MOST_CALLS)
      return -EILSEQ;
  }
  /* What was read beyond the member's end is read again with the next one. */
  *at -= state->avail_in + state->read_in_length / 8;
  return reader->filled ? -EILSEQ : 0;
}

int64_t dc_span_take(struct dc_parser *parser, int fd, int64_t start, int64_t end, const char *source, char **rest) {
  struct reader *reader = malloc(sizeof(*reader));
  struct dc_mark mark;
  int rc = -ENOMEM;
  *rest = NULL;
  dc_parser_mark(parser, &mark);
  if (!reader)
    goto out;
  reader->parser = parser;
  reader->source = source;
  reader->filled = reader->rest_size = reader->rest_room = 0;
  reader->rest = NULL;
  memset(reader->text + TEXT, 0, SLACK);
  reader->first = mark.calls;
  for (rc = 0; !rc && start < end;)
    rc = take_member(reader, fd, &start, end);
  if (!rc) {
    *rest = reader->rest;
    reader->rest = NULL;
  }
  int64_t size = (int64_t)reader->rest_size;
  free(reader->rest);
  free(reader);
  if (!rc)
    return size;
out:
  dc_parser_return(parser, &mark);
  return rc;
}
#else
int64_t dc_span_take(struct dc_parser *parser, int fd, int64_t start, int64_t end, const char *source, char **rest) {
  (void)parser, (void)fd, (void)start, (void)end, (void)source;
  *rest = NULL;
  return -EILSEQ;
}
#endif

void dc_span_free(char *rest) { free(rest); }
