/* SPDX-License-Identifier: MIT */
/**
 * What the BPF programs and the C core tell each other: the records in the ring, and the tables that the core fills.
 *
 * This header is the one definition of both; BPF, C and (through cffi) Python read it. All records begin with
 * `struct dc_record` and are written and read on the same machine, so there is no question of byte order.
 */
#ifndef DATACRUMBS_RECORD_H
#define DATACRUMBS_RECORD_H

#include <linux/types.h>

#define DC_MAX_RUNS 16      /* run slots that one set of programs can serve */
#define DC_MAX_CALLS 512    /* system call numbers; x86_64 and arm64 end below 480 */
#define DC_MAX_ARGS 8       /* values captured of one call */
#define DC_MAX_TEXTS 2      /* texts captured of one call */
#define DC_MAX_TEXT 256     /* bytes kept of a text, its NUL included */
#define DC_MAX_FILES 2      /* files that one call can name */
#define DC_MAX_PATH 4096    /* PATH_MAX: bytes of one path, its NUL included */
#define DC_MAX_DEPTH 128    /* components of a path that is walked; deeper ones keep their last DC_MAX_DEPTH */
#define DC_MAX_NAME 256     /* NAME_MAX + 1 */
#define DC_MAX_COMMAND 1024 /* bytes kept of a command line */
#define DC_MAX_LOST 65536   /* functions that can have a loss counter of their own */
#define DC_MAX_FRAMES 64    /* nested user functions of one thread; the kernel's own limit (uprobes.c) */
#define DC_MAX_STEPS 3      /* pointers that are followed to reach a field */
#define DC_MAX_ARGUMENTS 8  /* arguments of a kernel function or tracepoint that can be reached */
#define DC_KERNEL_FRAMES 32 /* kernel functions that one thread can be in; deeper ones are left out */
#define DC_EVENT_FRAMES 16  /* spans between two tracepoints that one thread can be in */
#define DC_MAX_FLIGHTS 8192 /* block requests and the like under way; beyond them the oldest are forgotten */
#define DC_MAX_OWNERS 16384 /* files, bios and transactions whose causers are remembered; likewise */
#define DC_SEEN_FILES 16384 /* file names announced lately; others are announced again */

/** Kinds of record. */
enum dc_kind {
  DC_CALL = 1, /**< struct dc_call: a finished call */
  DC_CALL_EXT, /**< struct dc_call_ext: a call with a second file, more arguments, paths or texts */
  DC_FILE,     /**< struct dc_file: the path of a file, before the first call on it */
  DC_PROCESS,  /**< struct dc_process: a process joined, changed its program, or ended */
  DC_REGION,   /**< struct dc_region: a region that the program named itself */
  DC_GIVEN,    /**< struct dc_given: the path behind the file key of a profiled call that was given a path */
  DC_CUSTOM,   /**< struct dc_custom: an event of a custom probe */
  DC_SWITCH,   /**< struct dc_switch: from now on a function is profiled, mode auto */
};

/** Flags of a call record. */
enum dc_call_flag {
  DC_HAS_PATH = 1 << 0,   /**< the first path follows; `file` is the directory that it starts at; 0: "/" */
  DC_HAS_PATH2 = 1 << 1,  /**< the second path follows; `file2` likewise */
  DC_UNFINISHED = 1 << 2, /**< the thread ended inside the call (exit_group, a fatal signal) */
  DC_BARE = 1 << 3,       /**< its arguments are not known: too many calls were in one another */
  /* Work in the kernel's own threads and interrupts, for the thread in the record's head, found by: */
  DC_CAUSE_INODE = 1 << 5,       /**< the file, which that thread changed last */
  DC_CAUSE_REQUEST = 1 << 6,     /**< the block request, which that thread made */
  DC_CAUSE_TRANSACTION = 1 << 7, /**< the file system's transaction, in which that thread took part last */
};

#define DC_CAUSES (DC_CAUSE_INODE | DC_CAUSE_REQUEST | DC_CAUSE_TRANSACTION)

struct dc_record {
  __u8 kind;  /**< enum dc_kind */
  __u8 flags; /**< by kind */
  __u16 fn;   /**< probe id: its index in the ProbeSet */
  __u32 tid;  /**< thread id as the runtime's pid namespace has it */
  __u32 pid;  /**< process id, likewise */
  __u32 run;  /**< run slot */
};

/** A finished call: 64 bytes, which is one cache line and what nearly all records are. */
struct dc_call {
  struct dc_record head;
  __u64 start;    /**< CLOCK_MONOTONIC at entry, ns */
  __u64 duration; /**< ns */
  __s64 result;   /**< return value; -errno for a failed system call */
  __u64 file;     /**< file key, see dc_file */
  __u64 args[2];  /**< captured values, in the order of the probe's `arguments`; of a text its address */
};

struct dc_call_ext {
  struct dc_call call;
  __u64 file2;
  __u64 args[DC_MAX_ARGS - 2];
  __u16 path_size[DC_MAX_FILES]; /**< bytes of each path, without NUL */
  __u16 text_size[DC_MAX_TEXTS]; /**< bytes of each text, without NUL; DC_NO_TEXT: it could not be read */
  char paths[];                  /**< the paths, one after the other, and then the texts */
};

#define DC_NO_TEXT 0xffff

/** How the walk of a path ended: the flags of a file record. */
enum dc_file_flag {
  DC_FILE_ROOTED,    /**< at the root: the path is absolute */
  DC_FILE_PSEUDO,    /**< at a file that is on no mounted tree: a pipe, a socket, a memfd */
  DC_FILE_TRUNCATED, /**< too deep: the upper components are missing */
};

/**
 * The path of a file. A file key is a hash of its device, inode number and inode generation; it is announced when a
 * run first meets it, and again by every open, since the path may have changed.
 */
struct dc_file {
  struct dc_record head;
  __u64 file;
  __u64 alias; /**< in a profile the file goes by this key, which is another one for each of its paths */
  __u64 inode;
  __u32 magic;  /**< superblock magic: tells pipes, sockets and the like (statfs(2)) */
  __u16 size;   /**< bytes in `names` */
  __u16 mode;   /**< as in stat(2): tells directories, whose paths others are relative to */
  char names[]; /**< components, last one first, each ended by a NUL */
};

enum dc_process_flag {
  DC_PROCESS_START = 1, /**< was tagged, or forked from a tagged process */
  DC_PROCESS_EXEC,      /**< runs a new program */
  DC_PROCESS_END,       /**< its last thread ended */
};

struct dc_process {
  struct dc_record head; /**< flags: enum dc_process_flag */
  __u64 time;            /**< CLOCK_MONOTONIC, ns */
  __u32 parent;          /**< process id of the parent */
  __s32 exit_code;       /**< as in wait(2); for DC_PROCESS_END */
  __u64 cwd;             /**< file key of the working directory; 0 where it is not sent */
  char comm[16];
  __u32 size;     /**< bytes in `command` */
  char command[]; /**< arguments, each ended by a NUL */
};

struct dc_region {
  struct dc_record head;
  __u64 start;
  __u64 duration;
  __u32 size;
  char text[]; /**< as in struct dc_marker_region */
};

/** A path that a profiled call was given; it goes by a file key of its own, a hash of both members. */
struct dc_given {
  struct dc_record head;
  __u64 file;
  __u64 directory; /**< file key of the directory that it starts at; 0: "/" */
  __u32 size;
  __u32 unused;
  char path[];
};

/** An event of a program that a site wrote: a call, and fields as the probes file says (custom_prelude.h). */
struct dc_custom {
  struct dc_call call;
  char fields[];
};

struct dc_switch {
  struct dc_record head; /**< of the call that passed the limit */
  __u64 time;            /**< CLOCK_MONOTONIC, ns */
};

/* ---- profiles ---- */

#define DC_PROFILE_BUCKETS 32 /* durations by powers of two; the last one has all from 2^31 ns, two seconds, on */

/** What the calls of a process, function and file in one interval are added up under. */
struct dc_profile_key {
  __u64 file; /**< file key; 0: none */
  __u32 pid;  /**< 0 in the table of those that found no room: by function alone */
  __u16 fn;
  __u16 unused;
};

/** The calls of one key. Their number is the sum of the buckets: one atomic addition less for each call. */
struct dc_profile_value {
  __u64 bytes;
  __u64 total; /**< ns */
  __u64 least, most;
  __u64 first; /**< when the first one began; CLOCK_MONOTONIC, ns */
  __u64 last;  /**< when the last one ended */
  __u64 errors;
  __u64 unused;
  __u32 buckets[DC_PROFILE_BUCKETS]; /**< bucket i: from 2^i to below 2^(i+1) ns; 0 ns counts as 1 */
};

/* ---- tables that the C core fills ---- */

/** A run, behind its slot. Zero means "no run here". */
struct dc_run {
  __u64 token;        /**< FNV-1a of the run id */
  __u64 min_duration; /**< ns; shorter calls are not sent */
  __u32 uid;          /**< only processes with this effective user id are followed */
  __u32 ready;        /**< 0 until every probe is attached: nothing is heeded before */
  __u32 pid_level;    /**< depth of the runtime's pid namespace */
  __u32 pid_space;    /**< inode number of that namespace: processes outside it are not the runtime's to see */
  __u32 rate_limit;   /**< DC_MODE_AUTO: calls of one function in 2^30 ns, beyond which it is profiled */
};

enum dc_mode {
  DC_MODE_TRACE,   /**< every call is a record */
  DC_MODE_PROFILE, /**< calls are added up */
  DC_MODE_AUTO,    /**< calls are records until their function passes the rate limit */
};

/** What is fixed when a program is loaded: the verifier leaves out what such a run cannot use, and READY comes sooner.
 */
struct dc_fixed {
  __u64 cookie; /**< run slot and probe id, where links cannot carry a cookie; 0: they do */
  __u32 mode;   /**< enum dc_mode */
  __u32 calls;  /**< whether system calls are traced; if not, only markers are looked for */
};

/** Values of dc_spec's argument indices. */
#define DC_NONE 0xff

/** What to capture of one call: one for each system call number and run. */
struct dc_spec {
  __u16 fn;
  __u8 flags; /**< enum dc_spec_flag */
  __u8 args[DC_MAX_ARGS];
  __u8 descriptor[DC_MAX_FILES]; /**< index of the argument that is a descriptor */
  __u8 path[DC_MAX_FILES];       /**< index of the argument that points to a path */
  __u8 directory[DC_MAX_FILES];  /**< index of the argument with the path's directory; none: working directory */
  __u8 unused[3];
};

enum dc_spec_flag {
  DC_SPEC_SELECTED = 1 << 0,
  DC_SPEC_RETURNS_FILE = 1 << 1, /**< a successful result is the descriptor of the file */
  DC_SPEC_EXTENDED = 1 << 2,     /**< needs struct dc_call_ext: paths, a second file, over two arguments */
  DC_SPEC_MOVES = 1 << 3,        /**< a positive result is a number of bytes */
};

/** Where a value comes from. */
enum dc_from {
  DC_FROM_NOWHERE,
  DC_FROM_ARGUMENT, /**< the argument register that `index` counts */
  DC_FROM_REGISTER, /**< the register at byte 8 * `index` of struct pt_regs */
  DC_FROM_CONSTANT, /**< `offset` itself */
};

enum dc_fetch_flag {
  DC_FETCH_MEMORY = 1 << 0,    /**< the value is in memory, `offset` bytes after that address, and `bytes` long */
  DC_FETCH_AT_RETURN = 1 << 1, /**< it is read from there when the call returns */
  DC_FETCH_TEXT = 1 << 2,      /**< the value is the address of a text, which is read when the call returns */
};

/** How to get one value. */
struct dc_fetch {
  __u8 from; /**< enum dc_from */
  __u8 index;
  __u8 bytes; /**< 1, 2, 4 or 8 */
  __u8 flags; /**< enum dc_fetch_flag */
  __s32 offset;
};

enum dc_function_flag {
  DC_FN_FRAME = 1 << 0,          /**< something is taken at the entry: keep a frame until the return */
  DC_FN_EXTENDED = 1 << 1,       /**< needs struct dc_call_ext */
  DC_FN_STREAM = 1 << 2,         /**< the descriptor is that of a C stream */
  DC_FN_RETURNS_FILE = 1 << 3,   /**< a successful result is the descriptor of the file */
  DC_FN_RETURNS_STREAM = 1 << 4, /**< … or the C stream */
  DC_FN_RETURNS_TEXT = 1 << 5,   /**< the result is the address of a text */
  DC_FN_INSTANT = 1 << 6,        /**< an event without a duration */
};

#define DC_MAX_FACTORS 4
#define DC_SIGNED 0x80 /* of a shape: the number has a sign */

/** A number that the bytes are a product of. */
struct dc_factor {
  __u8 at;    /**< place in `fetch`; DC_NONE: the result */
  __u8 shape; /**< 1, 2, 4 or 8 bytes, and DC_SIGNED */
};

/** What to capture of one function: one for each probe. */
struct dc_function_spec {
  __u8 flags;                    /**< enum dc_function_flag */
  __u8 count;                    /**< entries of `fetch` */
  __u8 descriptor[DC_MAX_FILES]; /**< argument registers, as in struct dc_spec */
  __u8 path[DC_MAX_FILES];
  __u8 directory[DC_MAX_FILES];
  struct dc_fetch fetch[DC_MAX_ARGS];
  __u8 result_shape; /**< as in struct dc_factor; 0: the result is no number */
  __u8 factor_count; /**< 0: the calls move no bytes */
  struct dc_factor factors[DC_MAX_FACTORS];
  __u8 unused[6];
};

#define DC_STREAM_DESCRIPTOR 112 /* offset of `_fileno` in glibc's FILE; part of its ABI since 2.1 */

/** A number that a kernel function's or tracepoint's argument is or leads to. */
struct dc_field {
  __u8 argument;
  __u8 size; /**< bytes; DC_FIELD_SIGNED with it */
  __u8 flags;
  __u8 steps; /**< offsets; 0: the argument itself. What stands at all but the last is a pointer that is followed */
  __u16 offset[DC_MAX_STEPS];
};

enum dc_field_flag {
  DC_FIELD_SIGNED = 1 << 0,
  DC_FIELD_AT_END = 1 << 1,   /**< an argument of the event that ends the span */
  DC_FIELD_EMBEDDED = 1 << 2, /**< of a holder: the last offset leads to the object itself, not to its pointer */
};

/** Kinds of kernel objects that lead to a file, or to who caused the work on it; as `HOLDERS` in core/probes.py. */
enum dc_holder { DC_NO_HOLDER, DC_INODE, DC_FILE_POINTER, DC_DENTRY, DC_FOLIO, DC_BIO, DC_REQUEST, DC_TRANSACTION };

#define DC_RETURNS_SIGNED 0x80

/** What to capture of a tracepoint, of two that are a span's ends, or of a kernel function; one for each probe id. */
struct dc_event_spec {
  __u8 selected;
  __u8 extended; /**< needs struct dc_call_ext */
  __u8 count;    /**< of fields */
  __u8 key;      /**< argument whose address says which begin an end belongs to; DC_NONE: both in one thread */
  __u8 end_key;
  __u8 result;     /**< argument of the end; DC_NONE: none */
  __u8 holder;     /**< enum dc_holder */
  __u8 returned;   /**< of kernel functions: bytes of the result, and DC_RETURNS_SIGNED; 0: nothing to show */
  __u8 parameters; /**< of kernel functions: how many, all of them in registers */
  __u8 unused[7];
  struct dc_field to_holder;
  struct dc_field fields[DC_MAX_ARGS];
};

/** Key of the loss counters. */
struct dc_lost_key {
  __u32 run;
  __u32 fn; /**< DC_LOST_OTHER for records that belong to no function */
};

#define DC_LOST_OTHER 0xffffffff

/** Counters of one user function, one for each processor. */
struct dc_function_count {
  __u64 entered;
  __u64 returned;
};

/** Calls of a function that were shorter than the run's min_duration. */
struct dc_brief {
  __u64 calls;
  __u64 time; /**< ns */
};

/** Mode auto: how often a function is called. */
struct dc_rate {
  __u64 window; /**< time in units of 2^30 ns */
  __u32 calls;  /**< in this window */
  __u32 profiled;
};

#endif
