/* SPDX-License-Identifier: MIT */
/**
 * The short way for sound parts of a trace: inflates whole gzip members and takes their lines, without Python between.
 *
 * Whatever is unusual (damage, a file that ends in mid-member, a line across members, very long lines, very many calls)
 * is not decided here: all of the part is given back untaken, and the careful reader (members.py, lines.py) reads it.
 */
#ifndef DATACRUMBS_SPAN_H
#define DATACRUMBS_SPAN_H

#include "parse.h"

/**
 * Takes the members from byte `start` to byte `end` of a file.
 *
 * @param source name of the host where a line has none
 * @param rest gets the lines that were not taken, to be freed with dc_span_free
 * @return bytes in `rest`; -EILSEQ: something is unusual, and nothing was taken; -ENOMEM; -EIO and the like
 */
int64_t dc_span_take(struct dc_parser *parser, int fd, int64_t start, int64_t end, const char *source, char **rest);
void dc_span_free(char *rest);

#endif
