/* SPDX-License-Identifier: MIT */
/**
 * From a descriptor to a file key, and from a key to the file's absolute path, which is sent once.
 */
#ifndef DATACRUMBS_FILES_H
#define DATACRUMBS_FILES_H

#include "arch.h"
#include "scratch.h"

/*
 * The files that each run has met lately; the others are walked and sent again. The value is what a profile knows the
 * file by, see alias_of.
 */
struct seen_key {
  __u64 file;
  __u64 run;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, DC_SEEN_FILES);
  __type(key, struct seen_key);
  __type(value, __u64);
} seen SEC(".maps");

static __always_inline struct file *file_of(struct task_struct *task, __u32 descriptor) {
  struct file *file = NULL;
  struct files_struct *files = plain(task)->files;
  struct fdtable *table = files ? files->fdt : NULL;
  if (!table || descriptor >= table->max_fds)
    return NULL;
  /* A slot is a pointer and nothing else, as hlist_head is: a load is several times faster than the helper. */
  if (bpf_rdonly_cast) {
    const struct hlist_head *slot = bpf_rdonly_cast(table->fd + descriptor, bpf_core_type_id_kernel(struct hlist_head));
    return (struct file *)slot->first;
  }
  bpf_probe_read_kernel(&file, sizeof(file), table->fd + descriptor);
  return file;
}

static __always_inline struct inode *inode_of(struct file *unsafe) {
  if (bpf_rdonly_cast) {
    const struct file *file = bpf_rdonly_cast(unsafe, bpf_core_type_id_kernel(struct file));
    return file->f_inode;
  }
  return BPF_CORE_READ(unsafe, f_inode);
}

static __always_inline __u64 mix(__u64 inode, __u32 device, __u32 generation) {
  __u64 key = inode * 0x9e3779b97f4a7c15ULL ^ ((__u64)device << 32 | generation);
  key = (key ^ key >> 32) * 0xd6e8feb86659fd93ULL;
  key ^= key >> 32;
  return key ? key : 1;
}

static __always_inline __u64 key_of(struct inode *unsafe) {
  if (bpf_rdonly_cast) {
    const struct inode *inode = bpf_rdonly_cast(unsafe, bpf_core_type_id_kernel(struct inode));
    return mix(inode->i_ino, inode->i_sb->s_dev, inode->i_generation);
  }
  return mix(BPF_CORE_READ(unsafe, i_ino), BPF_CORE_READ(unsafe, i_sb, s_dev), BPF_CORE_READ(unsafe, i_generation));
}

struct walk {
  char *names;
  struct mount *mount;
  struct dentry *dentry;
  __u32 size;
  __u8 end; /* enum dc_file_flag */
};

/** One component of a path, or one step from the root of a mounted file system down to where it is mounted. */
static long walk_step(__u32 index, struct walk *walk) {
  struct mount *mount = walk->mount, *above = BPF_CORE_READ(mount, mnt_parent);
  struct dentry *dentry = walk->dentry, *parent = BPF_CORE_READ(dentry, d_parent);
  if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
    walk->end = above == mount ? DC_FILE_ROOTED : DC_FILE_TRUNCATED;
    walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
    walk->mount = above;
    return walk->end == DC_FILE_ROOTED;
  }
  __u32 size = walk->size;
  if (size >= DC_MAX_PATH)
    return 1;
  long length = bpf_probe_read_kernel_str(walk->names + size, DC_MAX_NAME, BPF_CORE_READ(dentry, d_name.name));
  if (length <= 0)
    return 1;
  walk->size = size + length;
  walk->end = parent == dentry ? DC_FILE_PSEUDO : DC_FILE_TRUNCATED;
  walk->dentry = parent;
  return walk->end == DC_FILE_PSEUDO;
}

struct hashing {
  const char *path;
  __u64 hash;
  __u32 size;
};

/** Eight bytes of a path; what follows its end in the last eight does not count. */
static long hash_step(__u32 index, struct hashing *hashing) {
  __u32 at = index * 8, left = hashing->size - at;
  if (at >= hashing->size || at > DC_MAX_PATH - 8)
    return 1;
  __u64 word = *(const __u64 *)(hashing->path + at);
  if (left < 8)
    word &= (1ULL << 8 * left) - 1;
  hashing->hash = (hashing->hash ^ word) * 0xd6e8feb86659fd93ULL;
  hashing->hash ^= hashing->hash >> 32;
  return 0;
}

static __always_inline __u64 hash_path(const char *path, __u32 size) {
  struct hashing hashing = {.path = path, .hash = size, .size = size};
  bpf_loop(DC_MAX_PATH / 8, hash_step, &hashing, 0);
  return hashing.hash;
}

/** Walks a path from its last component to the root and sends it under `key`. */
static __always_inline bool send_path(const struct dc_task *tag, struct path *path, __u64 key, __u64 *alias) {
  struct scratch *scratch = scratch_take();
  if (!scratch)
    return false;
  struct dc_file *record = (void *)scratch->bytes;
  struct vfsmount *mount = BPF_CORE_READ(path, mnt);
  struct dentry *dentry = BPF_CORE_READ(path, dentry);
  struct inode *inode = BPF_CORE_READ(dentry, d_inode);
  struct walk walk = {
      .names = record->names,
      .mount = (void *)mount - bpf_core_field_offset(struct mount, mnt),
      .dentry = dentry,
      .end = DC_FILE_TRUNCATED,
  };
  bpf_loop(DC_MAX_DEPTH, walk_step, &walk, 0);
  __u32 size = walk.size;
  if (size > DC_MAX_PATH + DC_MAX_NAME)
    size = DC_MAX_PATH + DC_MAX_NAME;
  record->head = head_of(tag, DC_FILE, walk.end, 0);
  record->file = key;
  record->inode = BPF_CORE_READ(inode, i_ino);
  record->magic = BPF_CORE_READ(inode, i_sb, s_magic);
  record->mode = BPF_CORE_READ(inode, i_mode);
  record->size = size;
  if (fixed.mode != DC_MODE_TRACE)
    *alias = mix(hash_path(record->names, size) ^ key, 0, DC_FILE);
  record->alias = *alias;
  return scratch_send(scratch, sizeof(*record) + size);
}

/**
 * The path at `at` is known under `key` from here on, unless the ring is full: then the next call tries again.
 *
 * A global function, which the verifier goes through once and not at every call, so its pointers are plain numbers.
 */
__noinline int announce(struct dc_task *tag, __u64 at, __u64 key) {
  struct seen_key seen_key = {.file = key};
  __u64 alias = key;
  if (!tag)
    return 0;
  seen_key.run = tag->run;
  if (send_path(tag, (struct path *)at, key, &alias)) {
    bpf_map_update_elem(&seen, &seen_key, &alias, BPF_ANY);
    tag->known = key;
    tag->alias = alias;
  }
  return 0;
}

/** A kernel pointer as a plain number: a copy of it is one to the verifier. */
static __always_inline __u64 number_from(const void *pointer) {
  __u64 number = 0;
  bpf_probe_read_kernel(&number, sizeof(number), &pointer);
  return number;
}

/** Makes sure that the path of a file has been sent under its key. */
static __always_inline __u64 meet(struct dc_task *tag, struct path *path, __u64 key) {
  if (!key || key == tag->known)
    return key;
  struct seen_key seen_key = {.file = key, .run = tag->run};
  __u64 *alias = bpf_map_lookup_elem(&seen, &seen_key);
  if (alias) {
    tag->known = key;
    tag->alias = *alias;
  } else {
    announce(tag, number_from(path), key);
  }
  return key;
}

/**
 * What a profile knows a file by: its key and the path that it was opened by. A file that is renamed and opened again
 * has another row from then on, as it has another name in a trace.
 */
static __always_inline __u64 alias_in(__u64 run, __u64 key) {
  struct seen_key seen_key = {.file = key, .run = run};
  __u64 *alias = key ? bpf_map_lookup_elem(&seen, &seen_key) : NULL;
  return alias ? *alias : key;
}

/** The same, faster where the thread has used the file just now. */
static __always_inline __u64 alias_of(const struct dc_task *tag, __u64 key) {
  return key && key == tag->known ? tag->alias : alias_in(tag->run, key);
}

/** The key of a descriptor's file, 0 where the descriptor is not open. */
static __always_inline __u64 meet_descriptor(struct dc_task *tag, struct task_struct *task, __u32 descriptor) {
  struct file *file = file_of(task, descriptor);
  if (!file)
    return 0;
  struct path *path = (void *)file + bpf_core_field_offset(struct file, f_path);
  struct inode *inode = inode_of(file);
  return inode ? meet(tag, path, key_of(inode)) : 0;
}

/** The same for a file that was opened just now: its path is sent in any case, for it may have been renamed. */
static __always_inline __u64 meet_opened(struct dc_task *tag, struct task_struct *task, __u32 descriptor) {
  struct file *file = file_of(task, descriptor);
  struct inode *inode = file ? inode_of(file) : NULL;
  if (!inode)
    return 0;
  __u64 key = key_of(inode);
  announce(tag, number_from(file) + bpf_core_field_offset(struct file, f_path), key);
  return key;
}

/**
 * The key of a directory that relative paths start at, with its name in it: nothing tells us when such a directory is
 * renamed, or removed and its inode number given to another. File systems without inode generations (overlayfs) give
 * it at once. The kernel's hash of a name is salted with the parent directory: commit 8387ff2577eb (4.8).
 */
static __always_inline __u64 key_of_start(struct dentry *dentry) {
  struct inode *inode = BPF_CORE_READ(dentry, d_inode);
  return inode ? mix(key_of(inode), 0, BPF_CORE_READ(dentry, d_name.hash)) : 0;
}

static __always_inline __u64 meet_directory(struct dc_task *tag, struct task_struct *task) {
  struct fs_struct *fs = BPF_CORE_READ(task, fs);
  struct path *path = (void *)fs + bpf_core_field_offset(struct fs_struct, pwd);
  return fs ? meet(tag, path, key_of_start(BPF_CORE_READ(path, dentry))) : 0;
}

/** The directory that a relative path starts at. */
static __always_inline __u64 base_of(struct dc_task *tag, struct task_struct *task, __u8 directory,
                                     const struct call_args *args) {
  int descriptor = directory == DC_NONE ? DC_AT_FDCWD : (int)args->value[directory & 7];
  return descriptor == DC_AT_FDCWD ? meet_directory(tag, task) : meet_descriptor(tag, task, descriptor);
}

/** Whether a directory is the root of its mount namespace, which may be mounted over the kernel's first root. */
static __always_inline bool is_top(struct mount *mount, struct dentry *dentry) {
  for (int i = 0; i < 2; i++) {
    struct mount *above = BPF_CORE_READ(mount, mnt_parent);
    if (dentry != BPF_CORE_READ(mount, mnt.mnt_root))
      return false;
    if (above == mount)
      return true;
    dentry = BPF_CORE_READ(mount, mnt_mountpoint);
    mount = above;
  }
  return false;
}

/** The directory that absolute paths of the process start at, 0 unless chroot(2) has changed it. */
static __always_inline __u64 meet_root(struct dc_task *tag, struct task_struct *task) {
  struct fs_struct *fs = BPF_CORE_READ(task, fs);
  if (!fs)
    return 0;
  struct path *path = (void *)fs + bpf_core_field_offset(struct fs_struct, root);
  struct vfsmount *mount = BPF_CORE_READ(path, mnt);
  if (is_top((void *)mount - bpf_core_field_offset(struct mount, mnt), BPF_CORE_READ(path, dentry)))
    return 0;
  return meet(tag, path, key_of_start(BPF_CORE_READ(path, dentry)));
}

/** A file key for the path that a call was given; makes sure that the path has been sent. */
__noinline int meet_given(struct dc_task *tag, __u64 at, __u64 *file) {
  struct scratch *scratch = tag && file ? scratch_take() : NULL;
  if (!scratch)
    return 0;
  struct dc_given *record = (void *)scratch->bytes;
  __u64 directory = *file;
  long size = bpf_probe_read_user_str(record->path, DC_MAX_PATH, (const void *)at);
  if (size <= 1) { /* a bad pointer, or the directory's descriptor itself */
    *file = size == 1 ? alias_of(tag, directory) : 0;
    scratch_drop(scratch);
    return 0;
  }
  size--;
  if (record->path[0] == '/')
    directory = tag->root;
  struct seen_key seen_key = {.run = tag->run};
  seen_key.file = mix(hash_path(record->path, size) ^ directory, 0, DC_GIVEN);
  *file = seen_key.file;
  if (bpf_map_lookup_elem(&seen, &seen_key)) {
    scratch_drop(scratch);
    return 0;
  }
  record->head = head_of(tag, DC_GIVEN, 0, 0);
  record->file = seen_key.file;
  record->directory = directory;
  record->size = size;
  if (scratch_send(scratch, sizeof(*record) + (size & 0xfff)))
    bpf_map_update_elem(&seen, &seen_key, &seen_key.file, BPF_ANY);
  return 0;
}

#endif
