/* SPDX-License-Identifier: MIT */
/* Feeds one record of each kind through order, encoder and sink into the file that is named: the golden trace. */
#include "encode_profile.h"
#include "order.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static struct dc_order order;

static void push(const void *record, size_t size) { dc_order_push(&order, record, size); }

static void push_file(uint64_t key, unsigned flags, unsigned mode, unsigned magic, const char *names, size_t size) {
  _Alignas(8) char room[512];
  struct dc_file *file = (struct dc_file *)room;
  *file = (struct dc_file){
      .head = {.kind = DC_FILE, .flags = (uint8_t)flags, .tid = 7, .pid = 7},
      .file = key,
      .inode = 99,
      .magic = magic,
      .size = (uint16_t)size,
      .mode = (uint16_t)mode,
  };
  memcpy(file->names, names, size);
  push(file, sizeof(*file) + size);
}

static void push_call(unsigned fn, unsigned tid, uint64_t start, uint64_t duration, int64_t result, uint64_t file,
                      uint64_t first, uint64_t second) {
  struct dc_call call = {
      .head = {.kind = DC_CALL, .fn = (uint16_t)fn, .tid = tid, .pid = 7},
      .start = start,
      .duration = duration,
      .result = result,
      .file = file,
      .args = {first, second},
  };
  push(&call, sizeof(call));
}

static void push_paths(unsigned fn, int64_t result, uint64_t base, const char *first, const char *second) {
  _Alignas(8) char room[512];
  struct dc_call_ext *ext = (struct dc_call_ext *)room;
  size_t sizes[] = {strlen(first), second ? strlen(second) : 0};
  *ext = (struct dc_call_ext){
      .call = {.head = {.kind = DC_CALL_EXT, .fn = (uint16_t)fn, .tid = 7, .pid = 7},
               .start = 60000,
               .duration = 1500,
               .result = result,
               .file = *first == '/' ? 0 : base, /* a root that chroot(2) did not change */
               .args = {0x241, 0644}},
      .file2 = base,
      .path_size = {(uint16_t)sizes[0], (uint16_t)sizes[1]},
  };
  ext->call.head.flags = second ? DC_HAS_PATH | DC_HAS_PATH2 : DC_HAS_PATH;
  memcpy(ext->paths, first, sizes[0]);
  memcpy(ext->paths + sizes[0], second ? second : "", sizes[1]);
  push(ext, sizeof(*ext) + sizes[0] + sizes[1]);
}

static void push_process(unsigned event, const char *comm, const char *command, size_t size, int code) {
  _Alignas(8) char room[512];
  struct dc_process *process = (struct dc_process *)room;
  *process = (struct dc_process){
      .head = {.kind = DC_PROCESS, .flags = (uint8_t)event, .tid = 7, .pid = 7},
      .time = 1000,
      .parent = 1,
      .exit_code = code,
      .cwd = event == DC_PROCESS_END ? 0 : 11,
      .size = (uint32_t)size,
  };
  snprintf(process->comm, sizeof(process->comm), "%s", comm);
  memcpy(process->command, command, size);
  push(process, sizeof(*process) + size);
}

/** A block request that ended elsewhere, for thread 7. */
static void push_request(uint8_t cause, uint64_t start, uint64_t duration, uint64_t device, uint64_t operation) {
  struct dc_call call = {
      .head = {.kind = DC_CALL, .flags = cause, .fn = 4, .tid = 7, .pid = 7},
      .start = start,
      .duration = duration,
      .file = 12,
      .args = {device, operation},
  };
  push(&call, sizeof(call));
}

static void push_given(uint64_t file, uint64_t directory, const char *path) {
  _Alignas(8) char room[512];
  struct dc_given *given = (struct dc_given *)room;
  *given = (struct dc_given){.head = {.kind = DC_GIVEN, .tid = 7, .pid = 7},
                             .file = file,
                             .directory = directory,
                             .size = (uint32_t)strlen(path)};
  memcpy(given->path, path, given->size);
  push(given, sizeof(*given) + given->size);
}

/** A row of `calls` calls that took 1,000 ns each. */
static void write_row(struct dc_encoder *encoder, unsigned fn, uint64_t file, uint32_t calls, bool overflow) {
  struct dc_profile_key key = {.file = file, .pid = overflow ? 0 : 7, .fn = (uint16_t)fn};
  struct dc_profile_value value = {
      .bytes = calls * 4096, .total = calls * 1000, .least = 1000, .most = 1000, .errors = 1, .buckets = {[9] = calls}};
  struct dc_profile_row row = {.key = &key,
                               .value = &value,
                               .calls = calls,
                               .begin = 80000,
                               .interval = 3,
                               .lane = overflow ? 0 : 1,
                               .first_of_lane = !overflow,
                               .overflow = overflow};
  dc_encode_row(encoder, &row);
}

static void push_region(const char *text, size_t size) {
  _Alignas(8) char room[512];
  struct dc_region *region = (struct dc_region *)room;
  *region = (struct dc_region){
      .head = {.kind = DC_REGION, .tid = 7, .pid = 7}, .start = 70000, .duration = 5000, .size = (uint32_t)size};
  memcpy(region->text, text, size);
  push(region, sizeof(*region) + size);
}

#define BYTES(literal) literal, sizeof(literal) - 1

int main(int count, char **arguments) {
  if (count != 2)
    return 2;
  struct dc_format formats[] = {
      {.quoted = "\"read\"",
       .head = "{\"name\":\"read\",\"cat\":\"POSIX\",\"ph\":\"X\",\"pid\":",
       .extra = "",
       .arguments = {",\"count\":"},
       .types = {DC_U64},
       .result = DC_ERRNO,
       .moves = true},
      {.head = "{\"name\":\"open64\",\"cat\":\"POSIX\",\"ph\":\"X\",\"pid\":",
       .extra = ",\"syscall\":\"openat\"",
       .arguments = {",\"flags\":", ",\"mode\":"},
       .types = {DC_HEX, DC_HEX},
       .result = DC_ERRNO},
      {.head = "{\"name\":\"fread\",\"cat\":\"C\",\"ph\":\"X\",\"pid\":", .extra = ""},
      {.head = "{\"name\":\"lseek\",\"cat\":\"POSIX\",\"ph\":\"X\",\"pid\":",
       .extra = "",
       .arguments = {",\"offset\":", ",\"whence\":"},
       .types = {DC_I64, DC_I32},
       .result = DC_ERRNO},
      {.head = "{\"name\":\"block_rq\",\"cat\":\"block\",\"ph\":\"X\",\"pid\":",
       .extra = "",
       .arguments = {",\"dev\":", ",\"op\":"},
       .types = {DC_DEV, DC_BLKOP},
       .result = DC_ERRNO},
  };
  struct dc_encoder encoder = {.formats = formats,
                               .format_count = 5,
                               .epoch = 1795344514000000000ull,
                               .host = 0x0123456789abcdefull,
                               .nested = true};
  encoder.sink = dc_sink_create(open(arguments[1], O_WRONLY | O_CREAT | O_TRUNC, 0644));
  if (!encoder.sink || !dc_names_init(&encoder.names, 100))
    return 1;
  dc_order_init(&order, &encoder);

  push_file(11, DC_FILE_ROOTED, 0040755, 0, BYTES("job\0home\0"));
  push_process(DC_PROCESS_START, "app", BYTES("./app\0-n\0two \"words\"\0"), 0);
  push_file(12, DC_FILE_ROOTED, 0100644, 0, BYTES("data \"1\"\n\xff.bin\0job\0home\0"));
  push_call(0, 7, 10500, 4211, 4096, 12, 4096, 0);
  push_call(0, 7, 20000, 300, -9, 0, 1, 0);   /* EBADF, no file */
  push_call(0, 7, 30000, 10, -512, 12, 1, 0); /* never seen by the program */
  push_file(13, DC_FILE_PSEUDO, 0010600, 0x50495045, BYTES("\0"));
  push_call(3, 8, 40000, 100, -5, 13, (uint64_t)-5, 0xffffffffu);
  /* fread around a read with the same microseconds: written first, though it came last */
  push_call(0, 7, 50200, 100, 1, 12, 1, 0);
  push_call(2, 7, 50100, 300, 0, 0, 0, 0);
  push_paths(1, -2, 11, "../other/./x", NULL);
  push_paths(1, 0, 11, "/abs//a", "b");
  push_paths(1, 0, 77, "lost", NULL); /* a directory that was never announced */
  push_call(0, 7, 61000, 900, 0, 12, 0, 0);
  struct dc_call unfinished = {
      .head = {.kind = DC_CALL, .flags = DC_UNFINISHED, .tid = 7, .pid = 7}, .start = 62000, .duration = 5};
  push(&unfinished, sizeof(unfinished));
  push_request(DC_CAUSE_REQUEST, 63000, 5000, 7 << 20 | 3, 0x800 | 1);
  push_request(DC_CAUSE_INODE, 64000, 6000, 259 << 20 | 1, 0);
  push_request(DC_CAUSE_TRANSACTION, 68000, 4000, 0, 14);
  push_region(BYTES("epoch \"3\"\0step\0n3\0loss\0n1e-3\0note\0sa\tb\0fake\0n1}\0"));
  push_process(DC_PROCESS_EXEC, "b\x01", BYTES(""), 0);
  push_process(DC_PROCESS_END, "app", BYTES(""), 9);
  push_process(DC_PROCESS_END, "app", BYTES(""), 3 << 8);
  push(&(struct dc_switch){.head = {.kind = DC_SWITCH, .tid = 7, .pid = 7}, .time = 75000}, sizeof(struct dc_switch));
  push_given(21, 11, "given/../path");
  write_row(&encoder, 0, 12, 5, false);
  write_row(&encoder, 3, 21, 1, false);
  write_row(&encoder, 2, 0, 100000, true);
  write_row(&encoder, 9, 0, 1, true);                               /* of no probe */
  push("nonsense", 8);                                              /* shorter than a head */
  push(&(struct dc_record){.kind = 200}, sizeof(struct dc_record)); /* of no kind */
  push_call(9, 7, 1, 1, 1, 0, 0, 0);                                /* of no probe */

  dc_order_deinit(&order);
  printf("%llu captured, %llu malformed\n", (unsigned long long)encoder.captured,
         (unsigned long long)encoder.malformed);
  dc_sink_destroy(encoder.sink);
  dc_names_deinit(&encoder.names);
  return 0;
}
