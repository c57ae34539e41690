/* SPDX-License-Identifier: MIT */
#include "patterns.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define SMALL 4096           /* patterns.SMALL */
#define FARTHEST (1ll << 44) /* offsets are taken as at most this, 16 TiB */
#define LARGEST (1ll << 61)  /* a call moves no more than this, so that ends cannot run over */
#define FIRST_READS 4096
#define AHEAD 16 /* streams are met in any order, so they are fetched some calls ahead */

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

/** Makes one of reads of a file that overlap or touch. Returns whether there was memory for it. */
static bool join_reads(struct dc_patterns *patterns) {
  struct dc_span *reads = patterns->reads, *other = malloc((patterns->read_count / 2 + 1) * sizeof(*other));
  size_t kept = 0;
  if (!other)
    return false;
  dc_sort(reads, other, patterns->read_count);
  free(other);
  for (size_t i = 0; i < patterns->read_count; i++) {
    struct dc_span *last = kept ? &reads[kept - 1] : NULL;
    if (!last || last->row != reads[i].row || reads[i].begin > last->end)
      reads[kept++] = reads[i];
    else if (reads[i].end > last->end)
      last->end = reads[i].end;
  }
  patterns->read_count = kept;
  return true;
}

/** Makes room for another read. What was read again takes none. Returns whether there was memory for it. */
static bool reserve_read(struct dc_patterns *patterns) {
  if (patterns->read_count < patterns->read_room)
    return true;
  if (patterns->read_count && !join_reads(patterns))
    return false;
  if (2 * patterns->read_count < patterns->read_room)
    return true;
  size_t room = patterns->read_room ? 2 * patterns->read_room : FIRST_READS;
  struct dc_span *reads = realloc(patterns->reads, room * sizeof(*reads));
  if (!reads)
    return false;
  patterns->reads = reads;
  patterns->read_room = room;
  return true;
}

/** Puts what a stream has read in a row to what was read. */
static bool flush(struct dc_patterns *patterns, struct stream *stream) {
  if (stream->read_begin == stream->read_end)
    return true;
  if (!reserve_read(patterns))
    return false;
  int64_t base = 2 * FARTHEST * (int64_t)stream->file; /* so that one order is that of all files */
  patterns->reads[patterns->read_count++] = (struct dc_span){
      .begin = base + stream->read_begin, .end = base + stream->read_end, .row = (uint32_t)stream->file};
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

/** Some calls, each column as wide numbers. */
struct block {
  const int64_t *function, *thread, *file, *ts, *ret, *offset;
  int64_t rooms[6][DC_BLOCK];
  size_t rows[DC_BLOCK]; /* which of them matter */
  size_t count;
};

/** Looks which of some calls matter, of those whose files are this share's. */
static void choose(const struct dc_patterns *patterns, const struct dc_moves *moves, size_t from, size_t count,
                   struct block *block) {
  const struct dc_kept *kept = moves->kept;
  block->function = dc_column_some(&kept->function, from, count, block->rooms[0]);
  block->file = dc_column_some(&kept->file, from, count, block->rooms[1]);
  block->ret = dc_column_some(&kept->ret, from, count, block->rooms[2]);
  block->count = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t place = moves->places[block->file[i]];
    bool mine = place >= 0 && ((size_t)place & (patterns->shares - 1)) == patterns->share;
    block->rows[block->count] = i;
    block->count += mine && moves->kinds[block->function[i]] && block->ret[i] >= 0;
  }
  if (!block->count)
    return;
  block->thread = dc_column_some(&kept->thread, from, count, block->rooms[3]);
  block->ts = dc_column_some(&kept->ts, from, count, block->rooms[4]);
  block->offset = dc_column_some(&kept->offset, from, count, block->rooms[5]);
}

static int add_move(struct dc_patterns *patterns, const struct dc_moves *moves, const struct block *block, size_t row,
                    size_t hash) {
  uint64_t file = (uint64_t)moves->places[block->file[row]], thread = moves->threads[block->thread[row]];
  struct stream *stream = dc_rows_find(&patterns->streams, file, thread, hash);
  uint8_t kind = moves->kinds[block->function[row]];
  int64_t ts = block->ts[row] + moves->kept->base;
  if (!stream) {
    if (!(stream = dc_rows_add(&patterns->streams, file, thread)))
      return -ENOMEM;
    stream->ts = ts;
  }
  if (ts < stream->ts)
    return -EILSEQ;
  stream->ts = ts;
  if (kind >= DC_MOVE_SEEK) {
    stream->at = kind == DC_MOVE_SEEK ? block->ret[row] : 0;
    stream->sure = true;
    return 0;
  }
  return add_call(patterns, stream, kind, block->ret[row], block->offset[row]) ? 0 : -ENOMEM;
}

static int add_block(struct dc_patterns *patterns, const struct dc_moves *moves, const struct block *block) {
  int rc = 0;
  for (size_t done = 0; done < block->count && !rc; done += AHEAD) {
    size_t hashes[AHEAD], count = block->count - done < AHEAD ? block->count - done : AHEAD;
    const size_t *rows = block->rows + done;
    for (size_t i = 0; i < count; i++) {
      hashes[i] = dc_rows_hash((uint64_t)moves->places[block->file[rows[i]]], moves->threads[block->thread[rows[i]]]);
      dc_rows_expect_place(&patterns->streams, hashes[i]);
    }
    for (size_t i = 0; i < count; i++)
      dc_rows_expect(&patterns->streams, hashes[i]);
    for (size_t i = 0; i < count && !rc; i++)
      rc = add_move(patterns, moves, block, rows[i], hashes[i]);
  }
  return rc;
}

int dc_patterns_add(struct dc_patterns *patterns, const struct dc_moves *moves) {
  size_t size = moves->kept->size;
  struct block block;
  int rc = 0;
  for (size_t from = 0; from < size && !rc; from += DC_BLOCK) {
    choose(patterns, moves, from, dc_block_size(from, size), &block);
    rc = add_block(patterns, moves, &block);
  }
  return rc;
}

int dc_patterns_finish(struct dc_patterns *patterns) {
  struct stream *streams = patterns->streams.rows;
  for (size_t i = 0; i < patterns->streams.count; i++)
    if (!flush(patterns, &streams[i]))
      return -ENOMEM;
  if (!join_reads(patterns))
    return -ENOMEM;
  for (size_t i = 0; i < patterns->read_count; i++) /* the first time, a byte is not read again */
    patterns->files[patterns->reads[i].row].again -= patterns->reads[i].end - patterns->reads[i].begin;
  return 0;
}

struct dc_patterns *dc_patterns_create(size_t files, size_t share, size_t shares) {
  struct dc_patterns *patterns = calloc(1, sizeof(*patterns));
  if (!patterns)
    return NULL;
  dc_rows_init(&patterns->streams, sizeof(struct stream));
  dc_rows_init(&patterns->sizes, sizeof(struct size_count));
  patterns->file_count = files;
  patterns->share = share;
  patterns->shares = shares;
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
