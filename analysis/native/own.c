/* SPDX-License-Identifier: MIT */
#include "own.h"

#include "parse.h"
#include "tokens.h"

#define FUNCTION_WORDS 2 /* to tell MPI_File_read from MPI_File_write */
#define THREAD_WORDS 3   /* as far as the thread's number */
#define FILE_WORDS 2

/** Whether a text is there. What is compared with is a constant: eight bytes in one comparison. */
static inline bool is_there(const char *at, const char *text, size_t size) {
  uint64_t word;
  for (; size > 8; at += 8, text += 8, size -= 8) {
    memcpy(&word, text, 8);
    if (dc_word(at) != word)
      return false;
  }
  word = 0;
  memcpy(&word, text, size);
  return !((dc_word(at) ^ word) & dc_first_bytes(size));
}

/** Steps over a constant text, if it is there. */
#define STEP(at, text) (is_there(at, text, sizeof(text) - 1) && ((at) += sizeof(text) - 1))

static bool is_host_of(const struct dc_dictionary *threads, uint32_t id, const char *at, size_t *size) {
  uint64_t begin = (id ? threads->ends[id - 1] : 0) + 8; /* after the process and the thread */
  *size = threads->ends[id] - begin;
  return dc_equal(threads->bytes + begin, at, *size) && at[*size] == '"';
}

/** Past what a call's arguments are, in the order in which they are written; NULL: they are others. */
static inline const char *take_args(const char *at, struct dc_line *line) {
  struct dc_piece skipped;
  if (STEP(at, ",\"ret\":") && !(at = dc_take_number(at, &line->ret)))
    return NULL;
  if (STEP(at, ",\"errno\":\"") && !(at = dc_take_text(at, &skipped)))
    return NULL;
  if (STEP(at, ",\"count\":") && !(at = dc_take_number(at, &line->count)))
    return NULL;
  if (STEP(at, ",\"offset\":") && !(at = dc_take_number(at, &line->offset)))
    return NULL;
  if (!STEP(at, ",\"dur_ns\":") || !(at = dc_take_number(at, &line->ns)))
    return NULL;
  if (STEP(at, ",\"ts_ns\":") && !(at = dc_take_number(at, &line->sub)))
    return NULL;
  return STEP(at, "}}\n") ? at - 1 : NULL;
}

const char *dc_own_take(struct dc_parser *parser, const char *text) {
  const struct dc_own *own = &parser->own;
  const struct dc_recent_text *function, *thread, *file = NULL;
  struct dc_line line = {.ret = DC_NULL, .count = DC_NULL, .offset = DC_NULL, .sub = DC_NO_SUB};
  size_t host;
  const char *at = text;
  if (!STEP(at, "{\"name\":\"") ||
      !(function = dc_recent_find(&own->functions, at, dc_recent_place(at, FUNCTION_WORDS))))
    return NULL;
  at += function->size;
  if (!(thread = dc_recent_find(&own->threads, at, dc_recent_place(at, THREAD_WORDS))))
    return NULL;
  at = dc_take_number(at + thread->size, &line.ts);
  if (!at || !STEP(at, ",\"dur\":") || !(at = dc_take_number(at, &line.dur)))
    return NULL;
  if (!STEP(at, ",\"args\":{\"hhash\":\"") || !is_host_of(&parser->threads, thread->id, at, &host))
    return NULL;
  at += host + 1;
  if (STEP(at, ",\"fhash\":\"")) {
    if (!(file = dc_recent_find(&own->files, at, dc_recent_place(at, FILE_WORDS))))
      return NULL;
    at += file->size;
  }
  at = take_args(at, &line);
  if (!at || !dc_line_is_timely(&line))
    return NULL;
  const struct dc_ids ids = {function->id, thread->id, file ? file->id : 0, 0};
  return dc_calls_append(&parser->calls, &line, ids) ? at : NULL;
}

void dc_own_note(struct dc_parser *parser, const char *text, const struct dc_line *line) {
  const struct dc_calls *calls = &parser->calls;
  struct dc_own *own = &parser->own;
  size_t row = calls->size - 1;
  int64_t number;
  const char *function = text, *thread, *at;
  if (!STEP(function, "{\"name\":\"") || line->name.at != function || !line->host.at)
    return;
  at = function + line->name.size;
  if (!STEP(at, "\",\"cat\":\"") || line->cat.at != at)
    return;
  at += line->cat.size;
  if (!STEP(at, "\",\"ph\":\"X\",\"pid\":"))
    return;
  thread = at;
  at = dc_take_number(at, &number);
  if (!at || !STEP(at, ",\"tid\":") || !(at = dc_take_number(at, &number)) || !STEP(at, ",\"ts\":"))
    return;
  dc_recent_note(&own->functions, function, (size_t)(thread - function), dc_recent_place(function, FUNCTION_WORDS),
                 calls->function[row]);
  dc_recent_note(&own->threads, thread, (size_t)(at - thread), dc_recent_place(thread, THREAD_WORDS),
                 calls->thread[row]);
  if (line->file.size >= 8 * FILE_WORDS - 1)
    dc_recent_note(&own->files, line->file.at, line->file.size + 1, dc_recent_place(line->file.at, FILE_WORDS),
                   calls->file[row]);
}
