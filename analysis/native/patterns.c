/* SPDX-License-Identifier: MIT */
#include "patterns.h"

#include "rows.h"
#include "sort.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define SMALL 4096           /* patterns.SMALL */
#define FARTHEST (1ll << 44) /* offsets are taken as at most this, 16 TiB */
#define LARGEST (1ll << 62)  /* a call moves no more than this, so that ends cannot run over */

/** Where a stream has come to. */
struct stream {
  int64_t at; /* where the next call begins that does not say so */
  bool sure;  /* it was opened or sought in, so that `at` is known */
  int64_t begin, end, step;
  bool has_call, has_step;
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
  *span = (struct dc_span){begin, begin + size, size, 0, 0};
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

/** Bytes that were read and had been read before: all, less those that were read at least once. */
static int64_t again(const struct dc_span *spans, size_t count) {
  int64_t covered = 0, bytes = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t fresh = spans[i].end - (spans[i].begin > covered ? spans[i].begin : covered);
    bytes += spans[i].end - spans[i].begin - (fresh > 0 ? fresh : 0);
    covered = spans[i].end > covered ? spans[i].end : covered;
  }
  return bytes;
}

/** The pattern's last column, from reads of all files that are grouped by file first. */
static int find_again(struct dc_pattern *patterns, size_t files, const struct dc_span *reads, size_t count) {
  size_t *starts = calloc(files + 2, sizeof(*starts));
  struct dc_span *grouped = malloc((count + count / 2 + 1) * sizeof(*grouped));
  int rc = -ENOMEM;
  if (!starts || !grouped)
    goto out;
  for (size_t i = 0; i < count; i++)
    starts[reads[i].row + 2]++;
  for (size_t i = 2; i < files + 2; i++)
    starts[i] += starts[i - 1];
  for (size_t i = 0; i < count; i++)
    grouped[starts[reads[i].row + 1]++] = reads[i];
  for (size_t file = 0; file < files; file++) {
    size_t own = starts[file + 1] - starts[file];
    dc_sort(grouped + starts[file], grouped + count, own);
    patterns[file].again = again(grouped + starts[file], own);
  }
  rc = 0;
out:
  free(starts);
  free(grouped);
  return rc;
}

int dc_patterns_find(const struct dc_moves *moves, struct dc_pattern *patterns, size_t files) {
  struct dc_rows sizes;
  struct dc_span *reads = malloc((moves->size ? moves->size : 1) * sizeof(*reads));
  struct stream stream = {0};
  size_t count = 0;
  int rc = -ENOMEM;
  dc_rows_init(&sizes, sizeof(struct size_count));
  if (!reads)
    goto out;
  for (size_t i = 0; i < moves->size; i++) {
    uint32_t row = moves->order[i], before = i ? moves->order[i - 1] : row;
    uint16_t file = moves->file[row];
    uint8_t kind = moves->kind[row];
    int64_t ret = moves->ret[row];
    if (!i || file != moves->file[before] || moves->thread[row] != moves->thread[before]) {
      stream = (struct stream){0};
    } else if (moves->ts[row] < moves->ts[before]) {
      rc = -EILSEQ;
      goto out;
    }
    if (kind >= DC_MOVE_SEEK) {
      stream.at = kind == DC_MOVE_SEEK ? ret : 0;
      stream.sure = true;
      continue;
    }
    if (add_call(&patterns[file], &stream, kind, ret, moves->offset[row], &reads[count]))
      reads[count++].row = file;
    if (ret > 0 && !add_size(&sizes, &patterns[file], file, clamp(ret, LARGEST)))
      goto out;
  }
  rc = find_again(patterns, files, reads, count);
out:
  dc_rows_deinit(&sizes);
  free(reads);
  return rc;
}
