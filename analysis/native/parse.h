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

#include "dictionary.h"

/** A number that the line does not give. */
#define DC_NULL INT64_MIN
/** A begin without nanoseconds beyond its microsecond. */
#define DC_NO_SUB UINT16_MAX

/** Columns of calls, each with its name in datacrumbs.analysis.columns. */
struct dc_calls {
  size_t size, capacity;
  int64_t *ts;                              /* begin: microseconds since 1970 */
  int64_t *dur;                             /* duration in microseconds */
  int64_t *ns;                              /* exact duration in nanoseconds */
  int64_t *ret;                             /* what it returned; bytes where it moved some; DC_NULL */
  int64_t *offset;                          /* where in the file; DC_NULL */
  int64_t *count;                           /* bytes asked for; flags of an open; DC_NULL */
  uint32_t *function, *thread, *file, *key; /* numbers in the dictionaries of struct dc_parser */
  uint16_t *sub;                            /* nanoseconds of the begin beyond `ts`; DC_NO_SUB */
};

struct dc_parser {
  struct dc_calls calls;
  struct dc_dictionary functions; /* name, a line feed, category */
  struct dc_dictionary threads;   /* pid and tid (four bytes each, INT32_MIN: none), host */
  struct dc_dictionary files;     /* "h" and a hash, "p" and a path, or nothing */
  struct dc_dictionary keys;      /* why the kernel did it elsewhere, and for which thread: "request 701"; or nothing */
};

/** NULL when memory is short. */
struct dc_parser *dc_parser_create(void);
void dc_parser_destroy(struct dc_parser *parser);

/**
 * Takes whole lines.
 *
 * @param text what to read; its last byte is a line feed, and 8 bytes behind it may be read
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

/** Frees a column and forgets it, in one step that no interrupt of Python's can part. */
void dc_column_free(void **column);
/** Frees all columns, which have no calls then. */
void dc_calls_free(struct dc_calls *calls);

#endif
