/* SPDX-License-Identifier: MIT */
#include "patterns.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define SMALL 4096           /* patterns.SMALL */
#define FARTHEST (1ll << 44) /* offsets are taken as at most this, 16 TiB */
#define LARGEST (1ll << 61)  /* a call moves no more than this, so that ends cannot run over */
#define FIRST_READS 4096

/** Where a stream has come to: what one thread did to one file. */
struct stream {
  uint64_t thread, file;
  int64_t ts; /* of its last call */
  int64_t at; /* where the next call begins that does not say so */
  bool sure;  /* it was opened or sought in, so that `at` is known */
  bool has_call, has_step;
  int64_t begin, end, step;
  size_t read;  /* place in `reads` of its last read */
  size_t turns; /* how often `reads` had been joined then, and one; 0: there was none */
};

/** Calls of one size on one file. */
struct size_count {
  uint64_t file;
  int64_t size, calls;
};

static int64_t clamp(int64_t number, int64_t most) { return number < 0 ? 0 : number > most ? most : number; }

static void add_step(struct dc_pattern *pattern, struct stream *stream, int64_t begin) {
  int64_t step = begin - stream->begin;
  if (stream->has_call) {
    if (begin == stream->end)
      pattern->sequential++;
    else if (stream->has_step && step == stream->step)
      pattern->strided++;
    else
      pattern->random++;
  }
  stream->has_step = stream->has_call;
  stream->has_call = true;
  stream->step = step;
}

/** Adds a call that moved bytes; `span` gets where, if it is a read of which that is known. Returns whether it is. */
static bool add_call(struct dc_pattern *pattern, struct stream *stream, uint8_t kind, int64_t size, int64_t offset,
                     struct dc_span *span) {
  bool said = offset >= 0, placed = said || stream->sure;
  int64_t begin = clamp(said ? offset : stream->at, FARTHEST);
  if (!said && __builtin_add_overflow(stream->at, size, &stream->at))
    stream->at = LARGEST;
  size = clamp(size, LARGEST);
  if (!size)
    return false;
  *(kind == DC_MOVE_READ ? &pattern->reads : &pattern->writes) += 1;
  add_step(pattern, stream, begin);
  stream->begin = begin;
  stream->end = begin + size;
  pattern->small += size < SMALL;
  pattern->placed += placed;
  pattern->aligned += placed && begin % SMALL == 0;
  pattern->extent = begin + size > pattern->extent ? begin + size : pattern->extent;
  *span = (struct dc_span){.begin = begin, .end = begin + size};
  return placed && kind == DC_MOVE_READ;
}

/** Counts calls by size, and keeps the most common one: of several, the smallest. */
static bool add_size(struct dc_rows *sizes, struct dc_pattern *pattern, uint16_t file, int64_t size) {
  struct size_count *count = dc_rows_get(sizes, file, (uint64_t)size);
  if (!count)
    return false;
  count->calls++;
  if (count->calls > pattern->common || (count->calls == pattern->common && size < pattern->common_size)) {
    pattern->common = count->calls;
    pattern->common_size = size;
  }
  return true;
}

struct dc_patterns *dc_patterns_create(size_t files) {
  struct dc_patterns *found = calloc(1, sizeof(*found));
  if (!found)
    return NULL;
  dc_rows_init(&found->streams, sizeof(struct stream));
  dc_rows_init(&found->sizes, sizeof(struct size_count));
  found->files = calloc(files ? files : 1, sizeof(*found->files));
  if (found->files)
    return found;
  dc_patterns_destroy(found);
  return NULL;
}

void dc_patterns_destroy(struct dc_patterns *found) {
  if (!found)
    return;
  dc_rows_deinit(&found->streams);
  dc_rows_deinit(&found->sizes);
  free(found->files);
  free(found->reads);
  free(found);
}

/** Makes one of reads that overlap or touch, and counts what was read again: all, less what was read at least once. */
static int join_reads(struct dc_patterns *found) {
  struct dc_span *reads = found->reads, *other = malloc((found->count / 2 + 1) * sizeof(*other));
  size_t kept = 0;
  if (!other)
    return -ENOMEM;
  dc_sort(reads, other, found->count);
  free(other);
  for (size_t i = 0; i < found->count; i++) {
    struct dc_span *last = kept ? &reads[kept - 1] : NULL;
    if (last && last->row == reads[i].row && reads[i].begin <= last->end) {
      int64_t end = reads[i].end < last->end ? reads[i].end : last->end;
      found->files[last->row].again += end - reads[i].begin;
      last->end = reads[i].end > last->end ? reads[i].end : last->end;
    } else {
      reads[kept++] = reads[i];
    }
  }
  found->count = kept;
  found->turns++;
  return 0;
}

/** Remembers a read. What goes on where the stream's last one ended takes no room, nor does what is read again. */
static int add_read(struct dc_patterns *found, struct stream *stream, const struct dc_span *span) {
  struct dc_span *last = found->reads + stream->read;
  if (stream->turns == found->turns + 1 && last->end == span->begin) {
    last->end = span->end;
    return 0;
  }
  if (found->count == found->room) {
    if (found->count && join_reads(found))
      return -ENOMEM;
    if (2 * found->count >= found->room) {
      size_t room = found->room ? 2 * found->room : FIRST_READS;
      struct dc_span *reads = realloc(found->reads, room * sizeof(*reads));
      if (!reads)
        return -ENOMEM;
      found->reads = reads;
      found->room = room;
    }
  }
  stream->read = found->count;
  stream->turns = found->turns + 1;
  found->reads[found->count++] = *span;
  return 0;
}

int dc_patterns_add(struct dc_patterns *found, const struct dc_moves *moves) {
  for (size_t i = 0; i < moves->size; i++) {
    uint16_t file = moves->file[i];
    uint8_t kind = moves->kind[i];
    int64_t ret = moves->ret[i];
    struct stream *stream = dc_rows_get(&found->streams, moves->thread[i], file);
    struct dc_span span;
    if (!stream)
      return -ENOMEM;
    if (moves->ts[i] < stream->ts)
      return -EILSEQ;
    stream->ts = moves->ts[i];
    if (kind >= DC_MOVE_SEEK) {
      stream->at = kind == DC_MOVE_SEEK ? ret : 0;
      stream->sure = true;
      continue;
    }
    if (add_call(&found->files[file], stream, kind, ret, moves->offset[i], &span)) {
      /* One order for all files: of each, the begins are below FARTHEST. */
      int64_t base = (int64_t)file * (2 * FARTHEST);
      span = (struct dc_span){.begin = base + span.begin, .end = base + span.end, .row = file};
      if (add_read(found, stream, &span))
        return -ENOMEM;
    }
    if (ret > 0 && !add_size(&found->sizes, &found->files[file], file, clamp(ret, LARGEST)))
      return -ENOMEM;
  }
  return 0;
}

int dc_patterns_finish(struct dc_patterns *found) { return found->count ? join_reads(found) : 0; }
