/* SPDX-License-Identifier: MIT */
/**
 * What is known of files: the path behind each file key, and which paths the trace has named already.
 */
#ifndef DATACRUMBS_NAMES_H
#define DATACRUMBS_NAMES_H

#include "table.h"

#include "record.h"

/** A path being put together, with room for a directory and what is relative to it. */
struct dc_path {
  size_t size;
  char bytes[2 * DC_MAX_PATH + DC_MAX_NAME];
};

/** The hash that stands for a path in the trace: FNV-1a, 64 bit. */
uint64_t dc_path_hash(const struct dc_path *path);

/** Appends `size` bytes and resolves ".", ".." and "//" by their text alone; symbolic links are not looked at. */
void dc_path_append(struct dc_path *path, const char *bytes, size_t size);

/** The path that a file announced. */
void dc_path_of_file(struct dc_path *path, const struct dc_file *file);

struct dc_names {
  struct dc_table hashes;      /* file key -> path hash */
  struct dc_table directories; /* file key of a directory -> its path, a C string of ours */
  struct dc_table written;     /* path hashes that the trace has a record of */
  struct dc_table handles;     /* kind, process and handle, mixed -> path hash */
  uint64_t unnamed;            /* calls on files beyond the limit */
};

/** Remembers at most `limit` files. Returns false when memory is short. */
bool dc_names_init(struct dc_names *names, size_t limit);
void dc_names_deinit(struct dc_names *names);

/** A file has announced its path, whose hash is given. */
void dc_names_learn(struct dc_names *names, const struct dc_file *file, const struct dc_path *path, uint64_t hash);

/** A file key stands for a path that a call was given, whose hash is given. */
void dc_names_know(struct dc_names *names, uint64_t key, uint64_t hash);

/** The hash of the path behind a file key, 0 where it is not known. */
uint64_t dc_names_find(struct dc_names *names, uint64_t key);

/** A process has got a handle of a kind (an `MPI_File`, a `hid_t`, …) that stands for the file with this path hash. */
void dc_names_learn_handle(struct dc_names *names, unsigned kind, uint32_t pid, uint64_t handle, uint64_t hash);

/** The path hash behind a handle, 0 where it is not known. */
uint64_t dc_names_handle(const struct dc_names *names, unsigned kind, uint32_t pid, uint64_t handle);

/** The path of a directory by its file key, NULL where it is not known. */
const char *dc_names_directory(const struct dc_names *names, uint64_t key);

/** Whether the trace has not named this path yet; from now on it has. */
bool dc_names_first(struct dc_names *names, uint64_t hash);

#endif
