/* SPDX-License-Identifier: MIT */
/**
 * How files were read and written, from calls that did: see datacrumbs.analysis.patterns, which defines each figure.
 */
#ifndef DATACRUMBS_PATTERNS_H
#define DATACRUMBS_PATTERNS_H

#include <stddef.h>
#include <stdint.h>

enum dc_move_kind { DC_MOVE_READ = 1, DC_MOVE_WRITE = 2, DC_MOVE_SEEK = 3, DC_MOVE_OPEN = 4 };

/** Calls by stream (what one thread did to one file), and those of one stream in the order of their begins. */
struct dc_moves {
  size_t size;
  const uint16_t *file;
  const uint32_t *thread;
  const uint8_t *kind;
  const int64_t *ts, *ret, *offset; /* offset below zero: the call does not say */
  const uint32_t *order;            /* the order meant: rows of the columns */
};

/** Figures of one file. */
struct dc_pattern {
  int64_t reads, writes, sequential, strided, random, common_size, common, small, placed, aligned, extent, again;
};

/** Fills in the figures of `files` files, which are zero before. Returns 0, -ENOMEM, or -EILSEQ: wrong order. */
int dc_patterns_find(const struct dc_moves *moves, struct dc_pattern *patterns, size_t files);

#endif
