/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <datacrumbs/marker.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DIRECTORIES 65536 /* their paths are kept whole, a few hundred bytes each */

uint64_t dc_path_hash(const struct dc_path *path) {
  uint64_t hash = DC_TOKEN_BASIS;
  for (size_t i = 0; i < path->size; i++)
    hash = (hash ^ (unsigned char)path->bytes[i]) * DC_TOKEN_PRIME;
  return hash;
}

static void append_component(struct dc_path *path, const char *name, size_t size) {
  if (size == 0 || (size == 1 && name[0] == '.'))
    return;
  if (size == 2 && name[0] == '.' && name[1] == '.') {
    while (path->size && path->bytes[--path->size] != '/')
      ;
    return;
  }
  if (path->size + size + 1 > sizeof(path->bytes))
    return;
  path->bytes[path->size++] = '/';
  memcpy(path->bytes + path->size, name, size);
  path->size += size;
}

void dc_path_append(struct dc_path *path, const char *bytes, size_t size) {
  if (path->size == 1 && path->bytes[0] == '/')
    path->size = 0;
  for (size_t from = 0; from < size;) {
    const char *slash = memchr(bytes + from, '/', size - from);
    size_t length = slash ? (size_t)(slash - bytes) - from : size - from;
    append_component(path, bytes + from, length);
    from += length + 1;
  }
  if (!path->size)
    path->bytes[path->size++] = '/';
}

/** What /proc/PID/fd shows of a file that is on no mounted tree. */
static void describe_pseudo(struct dc_path *path, const struct dc_file *file) {
  const char *kind = file->magic == PIPEFS_MAGIC ? "pipe" : file->magic == SOCKFS_MAGIC ? "socket" : NULL;
  int size;
  if (kind)
    size = snprintf(path->bytes, sizeof(path->bytes), "%s:[%llu]", kind, (unsigned long long)file->inode);
  else if (file->magic == ANON_INODE_FS_MAGIC)
    size = snprintf(path->bytes, sizeof(path->bytes), "anon_inode:%.*s", (int)file->size, file->names);
  else
    size = snprintf(path->bytes, sizeof(path->bytes), "/%.*s", (int)file->size, file->names);
  path->size = (size_t)size;
}

void dc_path_of_file(struct dc_path *path, const struct dc_file *file) {
  path->size = 0;
  if (file->head.flags == DC_FILE_PSEUDO) {
    describe_pseudo(path, file);
    return;
  }
  if (file->head.flags == DC_FILE_TRUNCATED)
    append_component(path, "...", 3);
  for (size_t end = file->size; end;) { /* the components come last one first */
    size_t from = --end;
    while (from && file->names[from - 1])
      from--;
    append_component(path, file->names + from, end - from);
    end = from;
  }
  if (!path->size)
    path->bytes[path->size++] = '/';
}

bool dc_names_init(struct dc_names *names, size_t limit) {
  *names = (struct dc_names){0};
  if (dc_table_init(&names->hashes, limit) && dc_table_init(&names->directories, MAX_DIRECTORIES) &&
      dc_table_init(&names->written, limit) && dc_table_init(&names->handles, limit))
    return true;
  dc_names_deinit(names);
  return false;
}

void dc_names_deinit(struct dc_names *names) {
  for (size_t i = 0; i < names->directories.capacity; i++)
    free((char *)(uintptr_t)names->directories.entries[i].value);
  dc_table_deinit(&names->hashes);
  dc_table_deinit(&names->directories);
  dc_table_deinit(&names->written);
  dc_table_deinit(&names->handles);
}

void dc_names_know(struct dc_names *names, uint64_t key, uint64_t hash) {
  bool made;
  uint64_t *value = dc_table_make(&names->hashes, key, &made);
  if (value)
    *value = hash;
}

void dc_names_learn(struct dc_names *names, const struct dc_file *file, const struct dc_path *path, uint64_t hash) {
  bool made;
  dc_names_know(names, file->file, hash);
  if (file->alias != file->file)
    dc_names_know(names, file->alias, hash);
  if (!S_ISDIR(file->mode))
    return;
  uint64_t *value = dc_table_make(&names->directories, file->file, &made);
  if (!value)
    return;
  free((char *)(uintptr_t)*value);
  *value = (uintptr_t)strndup(path->bytes, path->size);
}

uint64_t dc_names_find(struct dc_names *names, uint64_t key) {
  uint64_t *hash = dc_table_find(&names->hashes, key);
  if (!hash)
    names->unnamed++;
  return hash ? *hash : 0;
}

/** Handles are numbers of one process: a few bits that tell kinds and processes apart are mixed in. */
static uint64_t handle_key(unsigned kind, uint32_t pid, uint64_t handle) {
  uint64_t key = (handle ^ (uint64_t)pid << 32 ^ (uint64_t)kind << 24) * 0x9e3779b97f4a7c15ull;
  key = (key ^ key >> 29) * 0xbf58476d1ce4e5b9ull + pid;
  return key ^ key >> 32;
}

void dc_names_learn_handle(struct dc_names *names, unsigned kind, uint32_t pid, uint64_t handle, uint64_t hash) {
  bool made;
  uint64_t *value = dc_table_make(&names->handles, handle_key(kind, pid, handle), &made);
  if (value)
    *value = hash;
}

uint64_t dc_names_handle(const struct dc_names *names, unsigned kind, uint32_t pid, uint64_t handle) {
  const uint64_t *hash = dc_table_find(&names->handles, handle_key(kind, pid, handle));
  return hash ? *hash : 0;
}

const char *dc_names_directory(const struct dc_names *names, uint64_t key) {
  uint64_t *path = dc_table_find(&names->directories, key);
  return path ? (const char *)(uintptr_t)*path : NULL;
}

bool dc_names_first(struct dc_names *names, uint64_t hash) {
  bool made;
  return !dc_table_make(&names->written, hash, &made) || made;
}
