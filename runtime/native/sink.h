/* SPDX-License-Identifier: MIT */
/**
 * Where lines go: gzip members, one after the other, in a file.
 *
 * A member ends at a line's end and reaches the file whole, with one write, at least once a second. So the file can be
 * read at any time, a crash costs the last second at most, and a reader can work on members in parallel.
 *
 * When the file cannot be written (full, over quota), the member is given up, the file is cut back to its last whole
 * member, and the next one is tried again: its lines are counted as unwritten.
 */
#ifndef DATACRUMBS_SINK_H
#define DATACRUMBS_SINK_H

#include "text.h"

#define DC_MEMBER_BYTES (4u << 20) /* text in one member; readers want at most 16 MiB */
#define DC_MEMBER_NS 1000000000ull

struct dc_sink_stats {
  uint64_t lines_written, lines_unwritten;
  uint64_t bytes_text, bytes_file;
  int last_error; /**< errno of the last failed write, 0 where there was none */
};

struct dc_sink;

/** A sink for a file that the caller opened, or NULL when memory is short. `fd` is -1 for a sink that keeps nothing. */
struct dc_sink *dc_sink_create(int fd);

/** Ends the member, waits until the file is on its device, and closes the file: the last chance to hear of an error. */
void dc_sink_finish(struct dc_sink *sink);

/** Frees the sink; finishes it if that was not done. */
void dc_sink_destroy(struct dc_sink *sink);

/** Where to put the next line: room for `size` bytes, or NULL when memory is short. */
struct dc_text *dc_sink_line(struct dc_sink *sink, size_t size);

/** The text has grown by a whole line. */
void dc_sink_line_done(struct dc_sink *sink);

/** Ends the member if it is old enough, or in any case with `force`. `now`: CLOCK_MONOTONIC, ns. */
void dc_sink_tick(struct dc_sink *sink, uint64_t now, bool force);

void dc_sink_read_stats(const struct dc_sink *sink, struct dc_sink_stats *stats);

#endif
