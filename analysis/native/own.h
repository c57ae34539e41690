/* SPDX-License-Identifier: MIT */
/**
 * The short way for lines just as our own runtime writes most of them (docs/trace-format.md): every member is where it
 * is expected, and its function, thread and file were seen lately. It takes a third of the time of the way that knows
 * every form (line.h), which any other line goes, and from which this one learns.
 */
#ifndef DATACRUMBS_OWN_H
#define DATACRUMBS_OWN_H

#include "line.h"
#include "recent.h"

struct dc_parser;

/** Parts of lines, from their first byte to that of the next number or member. */
struct dc_own {
  struct dc_recent functions; /* `read","cat":"POSIX","ph":"X","pid":` */
  struct dc_recent threads;   /* `701,"tid":702,"ts":` */
  struct dc_recent files;     /* `86847d1b18f3db5d"` */
};

/** Takes a line into the parser's columns, and returns its line feed; NULL: it is another line, and nothing was taken.
 */
const char *dc_own_take(struct dc_parser *parser, const char *text);

/** Takes note of the last call in the parser's columns, if the line that it was taken from has our form. */
void dc_own_note(struct dc_parser *parser, const char *text, const struct dc_line *line);

#endif
