/* SPDX-License-Identifier: MIT */
/**
 * The marker: how a process speaks to the runtimes on its node.
 *
 * A process that wants to be traced makes one system call, `prctl(DC_MARKER, operation, …)`. The kernel knows no such
 * option and answers EINVAL; a runtime's sys_enter program sees it. So a marker works in static programs and in
 * containers, needs no file, no socket and no privilege, and costs about 100 ns whether or not anybody listens.
 *
 * A runtime heeds only markers of processes with its run's own user id.
 */
#ifndef DATACRUMBS_MARKER_H
#define DATACRUMBS_MARKER_H

/** The prctl option: "dcrb". Linux's own options are small numbers or "Yama" and "SBXx"-like words; see prctl(2). */
#define DC_MARKER 0x64637262

/** prctl's second argument. */
enum dc_marker_op {
  /** Follow this process from now on: all its threads and whatever they start. arg3: run token. */
  DC_MARKER_START = 1,
  /** Stop following this process: all its threads; children that are followed already stay so. */
  DC_MARKER_STOP = 2,
  /** A named region ended. arg3: pointer to a struct dc_marker_region, arg4: its size in bytes with the text. */
  DC_MARKER_REGION = 3,
};

/** Run token: FNV-1a (64 bit) of the run id's bytes; 0 means "any run of this user". */
#define DC_TOKEN_ANY 0ULL
#define DC_TOKEN_BASIS 0xcbf29ce484222325ULL
#define DC_TOKEN_PRIME 0x100000001b3ULL

/** Most bytes in a region marker, header included; longer ones are cut by the client at a whole argument. */
#define DC_MARKER_REGION_MAX 1024

/**
 * A region that ran from `start` to the moment of the marker.
 *
 * `text` is the name, then pairs of key and value, each ended by a NUL. A value starts with a letter for its type:
 * 's' for text, 'n' for a JSON number.
 */
struct dc_marker_region {
  unsigned long long start; /**< CLOCK_MONOTONIC, nanoseconds */
  char text[];
};

#endif
