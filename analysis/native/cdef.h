/* What Python sees of the analysis in C. The headers have the definitions; cffi checks these against them. */

struct dc_calls {
  size_t size;
  int64_t *ts, *dur, *ns, *ret, *offset, *count;
  uint32_t *function, *thread, *file, *key;
  uint16_t *sub;
  ...;
};
struct dc_dictionary {
  uint64_t *ends;
  char *bytes;
  size_t count, size;
  ...;
};
struct dc_parser {
  struct dc_calls calls;
  struct dc_dictionary functions, threads, files, keys;
  ...;
};
struct dc_parser *dc_parser_create(void);
void dc_parser_destroy(struct dc_parser *parser);
int64_t dc_parser_take(struct dc_parser *parser, const char *text, size_t size, const char *source, char *rest);
void dc_column_free(void **column);
void dc_calls_deinit(struct dc_calls *calls);
int64_t dc_span_take(struct dc_parser *parser, int fd, int64_t start, int64_t end, const char *source, char **rest);
void dc_span_free(char *rest);

struct dc_sum {
  int64_t high, low;
};
struct dc_tally {
  uint32_t function, thread, file, zero;
  int64_t calls, errors, longest, first, last;
  struct dc_sum time, moved;
};
struct dc_slice {
  uint64_t function;
  int64_t slice, calls, first, last;
  struct dc_sum time, moved;
};
struct dc_bucket {
  uint64_t function, bucket;
  int64_t calls;
};
struct dc_lane {
  uint64_t thread, category;
  int64_t *begin, *end;
  size_t count, room;
};
struct dc_rows {
  void *rows;
  size_t count;
  ...;
};
struct dc_reducer {
  struct dc_rows tallies, slices, buckets, lanes;
  unsigned int shift;
  ...;
};
struct dc_reducer *dc_reducer_create(void);
void dc_reducer_destroy(struct dc_reducer *reducer);
int dc_reducer_add(struct dc_reducer *reducer, const struct dc_calls *calls, const uint32_t *category);
struct dc_sums {
  const struct dc_tally *tallies;
  const struct dc_slice *slices;
  const struct dc_bucket *buckets;
  size_t tally_count, slice_count, bucket_count;
  unsigned int shift;
};
int dc_reducer_join(struct dc_reducer *reducer, const struct dc_sums *sums, const uint32_t *function,
                    const uint32_t *thread, const uint32_t *file);
void *dc_take(void **memory, size_t size);
void dc_taken_free(void *memory);

struct dc_spans {
  size_t size;
  int64_t *begin, *end;
};
void dc_spans_unite(const struct dc_spans *one, const struct dc_spans *other, struct dc_spans *both);

struct dc_column {
  const void *at;
  uint32_t width;
  bool is_signed;
};
struct dc_kept {
  size_t size;
  int64_t base;
  struct dc_column function, thread, file, ts, dur, ns, ret, offset;
};
void *dc_kept_copy(const struct dc_calls *calls, struct dc_kept *kept, size_t *bytes);
void dc_kept_free(void *block);
size_t dc_kept_within(const struct dc_kept *kept, const int64_t *low, const int64_t *high, uint32_t *rows);

struct dc_nest_input {
  size_t size;
  const int64_t *ts, *dur, *ns;
  const uint16_t *sub;
  const uint32_t *function, *thread;
  size_t functions, threads;
  const uint8_t *rank, *flat;
};
struct dc_nest {
  uint32_t *order, *parent, *last, *node;
  int64_t *exclusive;
  size_t nodes;
  uint32_t *node_parent, *node_function;
  ...;
};
struct dc_span {
  ...;
};
int dc_nest_init(struct dc_nest *nest, const struct dc_nest_input *input, struct dc_span *spans);
void dc_nest_deinit(struct dc_nest *nest);

struct dc_moves {
  const struct dc_kept *kept;
  const uint8_t *kinds;
  const int64_t *places;
  const uint32_t *threads;
};
struct dc_pattern {
  int64_t reads, writes, sequential, strided, random, common_size, common, small, placed, aligned, extent, again;
};
struct dc_patterns {
  struct dc_pattern *files;
  ...;
};
struct dc_patterns *dc_patterns_create(size_t files, size_t share, size_t shares);
void dc_patterns_destroy(struct dc_patterns *patterns);
int dc_patterns_add(struct dc_patterns *patterns, const struct dc_moves *moves);
int dc_patterns_finish(struct dc_patterns *patterns);
