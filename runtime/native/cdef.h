/* What Python sees of the C core and of libbpf. The headers have the definitions; cffi checks these against them. */

/* libbpf */
struct bpf_object;
struct bpf_map;
struct bpf_program;
struct bpf_link;
struct bpf_object *bpf_object__open_file(const char *path, const void *options);
int bpf_object__load(struct bpf_object *object);
void bpf_object__close(struct bpf_object *object);
struct bpf_map *bpf_object__next_map(const struct bpf_object *object, const struct bpf_map *map);
void *bpf_map__initial_value(struct bpf_map *map, size_t *size);
int bpf_map__set_initial_value(struct bpf_map *map, const void *data, size_t size);
const char *bpf_map__name(const struct bpf_map *map);
int bpf_map__fd(const struct bpf_map *map);
int bpf_map__reuse_fd(struct bpf_map *map, int fd);
int bpf_map__set_max_entries(struct bpf_map *map, uint32_t entries);
struct bpf_program *bpf_object__next_program(const struct bpf_object *object, struct bpf_program *program);
const char *bpf_program__name(const struct bpf_program *program);
int bpf_program__fd(const struct bpf_program *program);
int bpf_program__set_autoload(struct bpf_program *program, bool autoload);
int bpf_program__set_expected_attach_type(struct bpf_program *program, int type);
int bpf_program__set_attach_target(struct bpf_program *program, int attached_to, const char *function);
struct bpf_link *bpf_program__attach(const struct bpf_program *program);
int bpf_link__destroy(struct bpf_link *link);
struct bpf_uprobe_opts {
  size_t sz;
  size_t ref_ctr_offset;
  uint64_t bpf_cookie;
  bool retprobe;
  ...;
};
struct bpf_link *bpf_program__attach_uprobe_opts(const struct bpf_program *program, int pid, const char *path,
                                                 size_t offset, const struct bpf_uprobe_opts *options);
int bpf_map_create(int type, const char *name, uint32_t key_size, uint32_t value_size, uint32_t entries,
                   const void *options);
int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags);
int bpf_map_lookup_elem(int fd, const void *key, void *value);
int bpf_map_get_next_key(int fd, const void *key, void *next);
struct bpf_test_run_opts {
  size_t sz;
  uint32_t retval;
  ...;
};
int bpf_prog_test_run_opts(int program, struct bpf_test_run_opts *options);
int libbpf_num_possible_cpus(void);
#define BPF_MAP_TYPE_RINGBUF ...
#define BPF_MAP_TYPE_HASH ...

/* record.h, marker.h */
#define DC_MAX_CALLS ...
#define DC_MAX_ARGS ...
#define DC_MAX_FILES ...
#define DC_NONE ...
#define DC_LOST_OTHER ...
#define DC_TOKEN_BASIS ...
#define DC_TOKEN_PRIME ...
#define DC_SPEC_SELECTED ...
#define DC_SPEC_RETURNS_FILE ...
#define DC_SPEC_EXTENDED ...
struct dc_run {
  uint64_t token;
  uint64_t min_duration;
  uint32_t uid, ready, pid_level, pid_space, rate_limit;
  ...;
};
struct dc_fixed {
  uint64_t cookie;
  uint32_t mode, calls;
};
struct dc_spec {
  uint16_t fn;
  uint8_t flags;
  uint8_t args[...];
  uint8_t descriptor[...];
  uint8_t path[...];
  uint8_t directory[...];
  ...;
};
struct dc_fetch {
  uint8_t from, index, bytes, flags;
  int32_t offset;
};
struct dc_factor {
  uint8_t at, shape;
};
#define DC_MAX_FACTORS ...
#define DC_SIGNED ...
struct dc_function_spec {
  uint8_t flags, count;
  uint8_t descriptor[...];
  uint8_t path[...];
  uint8_t directory[...];
  struct dc_fetch fetch[...];
  uint8_t result_shape, factor_count;
  struct dc_factor factors[...];
  ...;
};
#define DC_FROM_ARGUMENT ...
#define DC_FROM_REGISTER ...
#define DC_FROM_CONSTANT ...
#define DC_FETCH_MEMORY ...
#define DC_FETCH_AT_RETURN ...
#define DC_FETCH_TEXT ...
#define DC_FN_FRAME ...
#define DC_FN_EXTENDED ...
#define DC_FN_STREAM ...
#define DC_FN_RETURNS_FILE ...
#define DC_FN_RETURNS_STREAM ...
#define DC_FN_RETURNS_TEXT ...
#define DC_FN_INSTANT ...
#define DC_MAX_STEPS ...
#define DC_RETURNS_SIGNED ...
#define DC_FIELD_SIGNED ...
#define DC_FIELD_AT_END ...
#define DC_FIELD_EMBEDDED ...
enum dc_holder {
  DC_NO_HOLDER,
  DC_INODE,
  DC_FILE_POINTER,
  DC_DENTRY,
  DC_FOLIO,
  DC_BIO,
  DC_REQUEST,
  DC_TRANSACTION,
  ...
};
struct dc_field {
  uint8_t argument, size, flags, steps;
  uint16_t offset[...];
};
struct dc_event_spec {
  uint8_t selected, extended, count, key, end_key, result, holder, returned, parameters;
  struct dc_field to_holder;
  struct dc_field fields[...];
  ...;
};
struct dc_profile_key {
  ...;
};
struct dc_profile_value {
  ...;
};
struct dc_brief {
  uint64_t calls, time;
};
struct dc_rate {
  uint32_t calls, profiled;
  ...;
};
enum dc_kind { DC_CUSTOM, ... };
#define DC_MODE_TRACE ...
#define DC_MODE_PROFILE ...
#define DC_MODE_AUTO ...
#define DC_SPEC_MOVES ...
struct dc_lost_key {
  uint32_t run, fn;
};
struct dc_function_count {
  uint64_t entered, returned;
};

/* encode.h, drain.h */
enum dc_argument_type {
  DC_NOTHING,
  DC_I8,
  DC_U8,
  DC_I16,
  DC_U16,
  DC_I32,
  DC_U32,
  DC_I64,
  DC_U64,
  DC_HEX,
  DC_POINTER,
  DC_F32,
  DC_F64,
  DC_STRING,
  DC_ERRNO,
  DC_DEV,
  DC_BLKOP,
  ...
};
#define DC_RESULT ...
struct dc_format {
  char *quoted;
  char *head;
  char *rest;
  uint8_t name_text;
  char *extra;
  char *arguments[...];
  uint8_t types[...];
  uint8_t result, factor_count;
  int8_t factors[...];
  uint8_t handles;
  int8_t handle;
  bool makes_handle;
  int8_t made;
  uint32_t room;
  bool moves;
  uint16_t offsets[...];
  uint16_t sizes[...];
  uint16_t path, path_size, event_size;
};
struct dc_sink_stats {
  uint64_t lines_written, lines_unwritten, bytes_text, bytes_file;
  int last_error;
};
struct dc_drain_stats {
  uint64_t captured, malformed, unnamed, overflowed;
  int profile_error;
  struct dc_sink_stats sink;
};
struct dc_profile_options {
  int tables;
  uint32_t slot;
  int pair[...];
  int overflow[...];
  size_t keys, functions;
  uint64_t interval;
};
struct dc_drain_options {
  int trace, ring;
  const struct dc_format *formats;
  size_t format_count;
  uint64_t epoch, host;
  size_t max_files;
  bool nested;
  struct dc_profile_options profile;
};
struct dc_drain;
struct dc_drain *dc_drain_create(const struct dc_drain_options *options);
void dc_drain_write_line(struct dc_drain *drain, const char *line, size_t size);
int dc_drain_start(struct dc_drain *drain);
void dc_drain_stop(struct dc_drain *drain);
void dc_drain_finish(struct dc_drain *drain);
void dc_drain_read_stats(struct dc_drain *drain, struct dc_drain_stats *stats);
void dc_drain_destroy(struct dc_drain *drain);

/* sys/timex.h */
#define STA_UNSYNC ...
struct timex {
  int status;
  long maxerror;
  ...;
};
int adjtimex(struct timex *timex);

/* link.h, log.h */
#define DC_UPROBE_MULTI ...
#define DC_UPROBE_SESSION ...
int dc_link_functions(int program, unsigned type, const char *path, const unsigned long *offsets,
                      const unsigned long long *cookies, size_t count, bool returns);
int dc_link_kernel_functions(int program, unsigned type, const unsigned long long *addresses,
                             const unsigned long long *cookies, size_t count, bool returns);
#define DC_KPROBE_MULTI ...
#define DC_KPROBE_SESSION ...
int dc_link_tracepoint(int program, const char *name, unsigned long long cookie);
int dc_link_marks(int program, unsigned type, const char *path, const unsigned long *offsets,
                  const unsigned long *semaphores, const unsigned long long *cookies, size_t count, bool returns);
void dc_log_capture(void);
void dc_log_take(char *buffer, size_t size);
static const char *const dc_version;
