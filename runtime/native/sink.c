/* SPDX-License-Identifier: MIT */
#include "sink.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <unistd.h>

#define BATCH_BYTES (256u << 10) /* text that is compressed at once: it stays in the cache */
#define PACKED_BYTES (DC_MEMBER_BYTES + BATCH_BYTES * 2 + (1u << 16)) /* what cannot be compressed grows a little */

struct dc_sink {
  int fd;
  uint64_t written; /* end of the last whole member in the file */
  struct dc_text batch;
  uint64_t batch_lines, member_lines, member_text;
  uint64_t member_since; /* 0: no member is open */
  struct isal_zstream stream;
  uint8_t *packed, *level_buffer;
  struct dc_sink_stats stats;
};

static void begin_member(struct dc_sink *sink) {
  isal_deflate_init(&sink->stream);
  sink->stream.gzip_flag = IGZIP_GZIP;
  sink->stream.level = 1;
  sink->stream.level_buf = sink->level_buffer;
  sink->stream.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
  sink->stream.next_out = sink->packed;
  sink->stream.avail_out = PACKED_BYTES;
  sink->member_lines = sink->member_text = 0;
}

struct dc_sink *dc_sink_create(int fd) {
  struct dc_sink *sink = calloc(1, sizeof(*sink));
  if (!sink)
    return NULL;
  sink->fd = fd;
  sink->packed = malloc(PACKED_BYTES);
  sink->level_buffer = malloc(ISAL_DEF_LVL1_DEFAULT);
  if (!dc_text_init(&sink->batch, 2 * BATCH_BYTES) || !sink->packed || !sink->level_buffer) {
    sink->fd = -1;
    dc_sink_destroy(sink);
    return NULL;
  }
  begin_member(sink);
  return sink;
}

static int write_all(int fd, const uint8_t *bytes, size_t size) {
  while (size) {
    ssize_t done = write(fd, bytes, size);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      return errno;
    bytes += done;
    size -= (size_t)done;
  }
  return 0;
}

/** The member reaches the file whole or not at all. */
static void store_member(struct dc_sink *sink, size_t size) {
  int error = sink->fd < 0 ? 0 : write_all(sink->fd, sink->packed, size);
  if (!error) {
    sink->written += size;
    sink->stats.lines_written += sink->member_lines;
    sink->stats.bytes_text += sink->member_text;
    sink->stats.bytes_file = sink->written;
    return;
  }
  sink->stats.last_error = error;
  sink->stats.lines_unwritten += sink->member_lines;
  if (ftruncate(sink->fd, (off_t)sink->written) || lseek(sink->fd, (off_t)sink->written, SEEK_SET) < 0)
    sink->stats.last_error = errno;
}

static void compress_batch(struct dc_sink *sink, bool end) {
  sink->stream.next_in = (uint8_t *)sink->batch.data;
  sink->stream.avail_in = (uint32_t)sink->batch.size;
  sink->stream.end_of_stream = end;
  isal_deflate(&sink->stream);
  sink->member_lines += sink->batch_lines;
  sink->member_text += sink->batch.size;
  sink->batch.size = sink->batch_lines = 0;
}

static void end_member(struct dc_sink *sink) {
  compress_batch(sink, true);
  store_member(sink, PACKED_BYTES - sink->stream.avail_out);
  begin_member(sink);
  sink->member_since = 0;
}

struct dc_text *dc_sink_line(struct dc_sink *sink, size_t size) {
  if (sink->batch.size >= BATCH_BYTES) {
    compress_batch(sink, false);
    if (sink->member_text >= DC_MEMBER_BYTES - BATCH_BYTES)
      end_member(sink);
  }
  return dc_text_reserve(&sink->batch, size) ? &sink->batch : NULL;
}

void dc_sink_line_done(struct dc_sink *sink) { sink->batch_lines++; }

void dc_sink_tick(struct dc_sink *sink, uint64_t now, bool force) {
  if (!sink->batch.size && !sink->member_text)
    return;
  if (!sink->member_since)
    sink->member_since = now;
  if (force || now - sink->member_since >= DC_MEMBER_NS)
    end_member(sink);
}

void dc_sink_read_stats(const struct dc_sink *sink, struct dc_sink_stats *stats) { *stats = sink->stats; }

void dc_sink_finish(struct dc_sink *sink) {
  dc_sink_tick(sink, 0, true);
  if (sink->fd < 0)
    return;
  /* Network file systems say only now that there was no room (close(2), "Dealing with error returns"). */
  if (fsync(sink->fd) && errno != EINVAL && errno != EROFS)
    sink->stats.last_error = errno;
  if (close(sink->fd))
    sink->stats.last_error = errno;
  sink->fd = -1;
}

void dc_sink_destroy(struct dc_sink *sink) {
  if (!sink)
    return;
  dc_sink_finish(sink);
  dc_text_deinit(&sink->batch);
  free(sink->packed);
  free(sink->level_buffer);
  free(sink);
}
