/* SPDX-License-Identifier: MIT */
/**
 * Takes the calls among a trace's lines apart, into columns.
 *
 * Only lines of the plain form that tracers write are taken: one object of flat members, printable ASCII, whole
 * numbers. All others (what names and describes things, and what is odd, hostile or broken) are handed back untouched,
 * and a reader that knows all of JSON decides about them. So a wrong guess here costs time and nothing else.
 */
#ifndef DATACRUMBS_PARSE_H
#define DATACRUMBS_PARSE_H

#include "calls.h"
#include "dictionary.h"
#include "own.h"

struct dc_parser {
  struct dc_calls calls;
  struct dc_dictionary functions; /* name, a line feed, category */
  struct dc_dictionary threads;   /* pid and tid (four bytes each, INT32_MIN: none), host */
  struct dc_dictionary files;     /* "h" and a hash, "p" and a path, or nothing */
  struct dc_dictionary keys;      /* why the kernel did it elsewhere, and for which thread: "request 701"; or nothing */
  struct dc_own own;
};

/** NULL when memory is short. */
struct dc_parser *dc_parser_create(void);
void dc_parser_destroy(struct dc_parser *parser);

/**
 * Takes whole lines.
 *
 * @param text what to read; its last byte is a line feed, and DC_SLACK bytes behind it may be read
 * @param source name of the host where a line has none
 * @param rest room for `size` bytes: gets the lines that were not taken
 * @return bytes in `rest`, or -ENOMEM
 */
int64_t dc_parser_take(struct dc_parser *parser, const char *text, size_t size, const char *source, char *rest);

/** How far a parser has come. */
struct dc_mark {
  size_t calls, functions, threads, files, keys;
};

void dc_parser_mark(const struct dc_parser *parser, struct dc_mark *mark);
/** Forgets what came since a mark. */
void dc_parser_return(struct dc_parser *parser, const struct dc_mark *mark);

#endif
