/* SPDX-License-Identifier: MIT */
#include "patterns.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define SMALL 4096           /* patterns.SMALL */
#define FARTHEST (1ll << 44) /* offsets are taken as at most this, 16 TiB */
#define LARGEST (1ll << 62)  /* a call moves no more than this, so that ends cannot run over */
#define AHEAD 16             /* streams are met in any order, so they are fetched some calls ahead */

/** Where a stream has come to. */
struct stream {
  uint64_t file, thread;
  int64_t ts; /* the latest begin */
  int64_t at; /* where the next call begins that does not say so */
  bool sure;  /* it was opened or sought in, so that `at` is known */
  bool has_call, has_step;
  int64_t begin, end, step;
  int64_t read_begin, read_end; /* what was read in a row and is not in `reads` yet; nothing where they are equal */
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

/** Puts what a stream has read in a row to what was read. */
static bool flush(struct dc_patterns *patterns, struct stream *stream) {
  if (stream->read_begin == stream->read_end)
    return true;
  if (patterns->read_count == patterns->read_room) {
    size_t room = patterns->read_room ? 2 * patterns->read_room : 1024;
    struct dc_span *reads = realloc(patterns->reads, room * sizeof(*reads));
    if (!reads)
      return false;
    patterns->reads = reads;
    patterns->read_room = room;
  }
  patterns->reads[patterns->read_count++] =
      (struct dc_span){.begin = stream->read_begin, .end = stream->read_end, .row = (uint32_t)stream->file};
  stream->read_begin = stream->read_end = 0;
  return true;
}

/** Adds up what was read, and takes note where. */
static bool add_read(struct dc_patterns *patterns, struct stream *stream, struct dc_pattern *pattern) {
  pattern->again = (int64_t)((uint64_t)pattern->again + (uint64_t)(stream->end - stream->begin));
  bool in_a_row = stream->begin >= stream->read_begin && stream->begin <= stream->read_end;
  if (!in_a_row && !flush(patterns, stream))
    return false;
  if (stream->read_begin == stream->read_end)
    stream->read_begin = stream->begin;
  stream->read_end = in_a_row && stream->read_end > stream->end ? stream->read_end : stream->end;
  return true;
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

/** Adds a call that moved bytes, or would have. */
static bool add_call(struct dc_patterns *patterns, struct stream *stream, uint8_t kind, int64_t size, int64_t offset) {
  struct dc_pattern *pattern = &patterns->files[stream->file];
  bool said = offset >= 0, placed = said || stream->sure;
  int64_t begin = clamp(said ? offset : stream->at, FARTHEST);
  if (!said && __builtin_add_overflow(stream->at, size, &stream->at))
    stream->at = LARGEST;
  size = clamp(size, LARGEST);
  if (!size)
    return true;
  *(kind == DC_MOVE_READ ? &pattern->reads : &pattern->writes) += 1;
  add_step(pattern, stream, begin);
  stream->begin = begin;
  stream->end = begin + size;
  pattern->small += size < SMALL;
  pattern->placed += placed;
  pattern->aligned += placed && begin % SMALL == 0;
  pattern->extent = stream->end > pattern->extent ? stream->end : pattern->extent;
  return add_size(&patterns->sizes, pattern, (uint16_t)stream->file, size) &&
         (!placed || kind != DC_MOVE_READ || add_read(patterns, stream, pattern));
}

static int add_move(struct dc_patterns *patterns, const struct dc_moves *moves, size_t row, size_t hash) {
  struct stream *stream = dc_rows_find(&patterns->streams, moves->file[row], moves->thread[row], hash);
  uint8_t kind = moves->kind[row];
  if (!stream) {
    if (!(stream = dc_rows_add(&patterns->streams, moves->file[row], moves->thread[row])))
      return -ENOMEM;
    stream->ts = moves->ts[row];
  }
  if (moves->ts[row] < stream->ts)
    return -EILSEQ;
  stream->ts = moves->ts[row];
  if (kind >= DC_MOVE_SEEK) {
    stream->at = kind == DC_MOVE_SEEK ? moves->ret[row] : 0;
    stream->sure = true;
    return 0;
  }
  return add_call(patterns, stream, kind, moves->ret[row], moves->offset[row]) ? 0 : -ENOMEM;
}

int dc_patterns_add(struct dc_patterns *patterns, const struct dc_moves *moves) {
  int rc = 0;
  for (size_t done = 0; done < moves->size && !rc; done += AHEAD) {
    size_t hashes[AHEAD], count = moves->size - done < AHEAD ? moves->size - done : AHEAD;
    for (size_t i = 0; i < count; i++) {
      hashes[i] = dc_rows_hash(moves->file[done + i], moves->thread[done + i]);
      dc_rows_expect_place(&patterns->streams, hashes[i]);
    }
    for (size_t i = 0; i < count; i++)
      dc_rows_expect(&patterns->streams, hashes[i]);
    for (size_t i = 0; i < count && !rc; i++)
      rc = add_move(patterns, moves, done + i, hashes[i]);
  }
  return rc;
}

/** Bytes that were read at least once. */
static int64_t covered(const struct dc_span *spans, size_t count) {
  int64_t until = 0, bytes = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t fresh = spans[i].end - (spans[i].begin > until ? spans[i].begin : until);
    bytes += fresh > 0 ? fresh : 0;
    until = spans[i].end > until ? spans[i].end : until;
  }
  return bytes;
}

int dc_patterns_finish(struct dc_patterns *patterns) {
  struct stream *streams = patterns->streams.rows;
  for (size_t i = 0; i < patterns->streams.count; i++)
    if (!flush(patterns, &streams[i]))
      return -ENOMEM;
  size_t count = patterns->read_count, files = patterns->file_count;
  size_t *starts = calloc(files + 2, sizeof(*starts));
  struct dc_span *grouped = malloc((count + count / 2 + 1) * sizeof(*grouped));
  int rc = -ENOMEM;
  if (!starts || !grouped)
    goto out;
  for (size_t i = 0; i < count; i++)
    starts[patterns->reads[i].row + 2]++;
  for (size_t i = 2; i < files + 2; i++)
    starts[i] += starts[i - 1];
  for (size_t i = 0; i < count; i++)
    grouped[starts[patterns->reads[i].row + 1]++] = patterns->reads[i];
  for (size_t file = 0; file < files; file++) {
    size_t own = starts[file + 1] - starts[file];
    dc_sort(grouped + starts[file], grouped + count, own);
    patterns->files[file].again -= covered(grouped + starts[file], own);
  }
  rc = 0;
out:
  free(starts);
  free(grouped);
  return rc;
}

struct dc_patterns *dc_patterns_create(size_t files) {
  struct dc_patterns *patterns = calloc(1, sizeof(*patterns));
  if (!patterns)
    return NULL;
  dc_rows_init(&patterns->streams, sizeof(struct stream));
  dc_rows_init(&patterns->sizes, sizeof(struct size_count));
  patterns->file_count = files;
  patterns->files = calloc(files ? files : 1, sizeof(*patterns->files));
  if (patterns->files)
    return patterns;
  dc_patterns_destroy(patterns);
  return NULL;
}

void dc_patterns_destroy(struct dc_patterns *patterns) {
  if (!patterns)
    return;
  dc_rows_deinit(&patterns->streams);
  dc_rows_deinit(&patterns->sizes);
  free(patterns->files);
  free(patterns->reads);
  free(patterns);
}
