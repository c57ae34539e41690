/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t joined(struct dc_dictionary *dictionary, const void *head, size_t head_size, struct dc_piece tail) {
  char text[16 + 6 * DC_MAX_WORD];
  dc_copy(text, head, head_size);
  dc_copy(text + head_size, tail.at, tail.size);
  return dc_dictionary_get(dictionary, text, head_size + tail.size);
}

/** What caused work that the kernel did elsewhere, and for which thread: "request 701". */
static uint32_t cause_of(struct dc_parser *parser, const struct dc_line *line) {
  char text[DC_MAX_WORD + 32];
  if (!line->cause.size)
    return 0;
  int64_t thread = line->thread == DC_NULL ? 0 : line->thread;
  int size = snprintf(text, sizeof(text), "%.*s %lld", (int)line->cause.size, line->cause.at, (long long)thread);
  return dc_dictionary_get(&parser->keys, text, (size_t)size);
}

/** Returns whether there was memory for it. */
static bool append(struct dc_parser *parser, const struct dc_line *line, struct dc_piece source) {
  char name[DC_MAX_WORD + 16];
  dc_copy(name, line->name.at, line->name.size);
  name[line->name.size] = '\n';
  const int32_t thread[2] = {(int32_t)line->pid, (int32_t)line->tid};
  bool hashed = line->file.at && line->file.size;
  struct dc_piece file = hashed ? line->file : line->path;
  const struct dc_ids ids = {
      joined(&parser->functions, name, line->name.size + 1, line->cat),
      joined(&parser->threads, thread, sizeof(thread), line->host.at ? line->host : source),
      joined(&parser->files, hashed ? "h       " : "p       ", file.size > 0, file),
      cause_of(parser, line),
  };
  if (ids.function == DC_NO_ID || ids.thread == DC_NO_ID || ids.file == DC_NO_ID || ids.key == DC_NO_ID)
    return false;
  return dc_calls_append(&parser->calls, line, ids);
}

int64_t dc_parser_take(struct dc_parser *parser, const char *text, size_t size, const char *source, char *rest) {
  char named[DC_MAX_WORD + 8] = ""; /* a text of ours: more than its end may be read */
  const struct dc_piece host = {named, strnlen(source, DC_MAX_WORD)};
  const char *end = text + size;
  int64_t left = 0;
  memcpy(named, source, host.size);
  if (!size || end[-1] != '\n')
    return -EINVAL;
  while (text < end) {
    struct dc_line line;
    bool plain = true;
    const char *at = dc_own_take(parser, text);
    if (!at) {
      at = dc_line_take(text, &line, &plain);
      if (plain && !append(parser, &line, host))
        return -ENOMEM;
      if (plain)
        dc_own_note(parser, text, &line);
    }
    if (plain) {
      text = at + 1;
      continue;
    }
    const char *next = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
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
  parser->own = (struct dc_own){0};
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
  dc_calls_deinit(&parser->calls);
  dc_dictionary_deinit(&parser->functions);
  dc_dictionary_deinit(&parser->threads);
  dc_dictionary_deinit(&parser->files);
  dc_dictionary_deinit(&parser->keys);
  free(parser);
}
