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
};
struct dc_nest *dc_nest_create(const struct dc_nest_input *input);
void dc_nest_destroy(struct dc_nest *nest);
