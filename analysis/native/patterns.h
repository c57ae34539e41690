/* SPDX-License-Identifier: MIT */
/**
 * How files were read and written, from calls that did: see datacrumbs.analysis.summing.patterns, which defines each
 * figure.
 */
#ifndef DATACRUMBS_PATTERNS_H
#define DATACRUMBS_PATTERNS_H

#include "kept.h"
#include "rows.h"
#include "sort.h"

enum dc_move_kind { DC_MOVE_READ = 1, DC_MOVE_WRITE = 2, DC_MOVE_SEEK = 3, DC_MOVE_OPEN = 4 };

/**
 * Calls that are kept, and which of them matter: those that did something to some files and did not fail. Those of each
 * stream (what one thread did to one file) are in the order of their begins.
 */
struct dc_moves {
  const struct dc_kept *kept;
  const uint8_t *kinds;    /* what each function does, enum dc_move_kind; 0: nothing that matters */
  const int64_t *places;   /* the number of each file among those that are asked for, or -1 */
  const uint32_t *threads; /* the number of each thread among those of all traces */
};

/** Figures of one file. */
struct dc_pattern {
  int64_t reads, writes, sequential, strided, random, common_size, common, small, placed, aligned, extent, again;
};

struct dc_patterns {
  struct dc_pattern *files;
  size_t file_count, share, shares;
  struct dc_rows streams, sizes;
  struct dc_span *reads; /* where a file, `row`, was read, in an order of all files; what overlaps is joined at times */
  size_t read_count, read_room;
};

/**
 * Several may share the work, each in a thread of its own.
 *
 * @param share looks at the files whose number is this, modulo `shares`
 * @param shares a power of two
 * @return NULL when memory is short
 */
struct dc_patterns *dc_patterns_create(size_t files, size_t share, size_t shares);
void dc_patterns_destroy(struct dc_patterns *patterns);

/** Adds calls, which come after those that were added before. Returns 0, -ENOMEM, or -EILSEQ: wrong order. */
int dc_patterns_add(struct dc_patterns *patterns, const struct dc_moves *moves);

/** Makes `files` complete, once. Returns 0 or -ENOMEM. */
int dc_patterns_finish(struct dc_patterns *patterns);

#endif
