/* SPDX-License-Identifier: MIT */
/**
 * From records to the lines of a trace: DFTracer's form of the Chrome trace format, see docs/trace-format.md.
 */
#ifndef DATACRUMBS_ENCODE_H
#define DATACRUMBS_ENCODE_H

#include "lanes.h"
#include "names.h"
#include "sink.h"

/** How a value is shown. */
enum dc_argument_type {
  DC_NOTHING, /**< not at all */
  DC_I8,
  DC_U8,
  DC_I16,
  DC_U16,
  DC_I32,
  DC_U32,
  DC_I64,
  DC_U64,
  DC_HEX,
  DC_POINTER, /**< as DC_HEX; null: 0 */
  DC_F32,
  DC_F64,
  DC_STRING,
  DC_ERRNO, /**< of results: a number that is also named where it is a negative errno */
  DC_DEV,   /**< a device number, "8:1" */
  DC_BLKOP, /**< flags of a block request: what it does */
};

#define DC_RESULT (-1) /**< in struct dc_format: the return value, and not an argument */

/** What the trace says of one probe; the texts are JSON already. */
struct dc_format {
  char *quoted;                 /**< the function's name, `"read"` */
  char *head;                   /**< `{"name":"read","cat":"POSIX","ph":"X","pid":` */
  char *rest;                   /**< `head` without the name, where a call brings its own; or NULL */
  uint8_t name_text;            /**< which of the texts that is */
  char *extra;                  /**< more members of args: `,"syscall":"openat"`, or "" */
  char *arguments[DC_MAX_ARGS]; /**< `,"count":`; NULL: none */
  uint8_t types[DC_MAX_ARGS];   /**< enum dc_argument_type */
  uint8_t result;               /**< likewise */
  uint8_t factor_count;         /**< 0: the call moves no bytes, or its result says how many */
  int8_t factors[DC_MAX_ARGS];  /**< the bytes that it moves: the product of these arguments */
  uint8_t handles;              /**< kind of handle that the call is about; 0: none */
  int8_t handle;                /**< the argument that is a handle; DC_RESULT: none */
  bool makes_handle;            /**< it makes a handle, of the file that its path or `handle` stands for: */
  int8_t made;                  /**< the argument where that is, or DC_RESULT */
  uint32_t room;                /**< bytes of all the texts above */
  bool moves;                   /**< a system call whose result is a number of bytes */
  uint16_t offsets[DC_MAX_ARGS], sizes[DC_MAX_ARGS]; /**< of a custom probe: where an event has the arguments */
  uint16_t path, path_size;                          /**< … and the path of the file; 0: nowhere */
  uint16_t event_size;                               /**< bytes that an event has at least; 0: no custom probe */
};

struct dc_encoder {
  const struct dc_format *formats; /**< by probe id */
  size_t format_count;
  uint64_t epoch; /**< CLOCK_REALTIME minus CLOCK_MONOTONIC, ns */
  uint64_t host;  /**< host hash */
  bool nested;    /**< calls can contain one another: which one does, only nanoseconds tell */
  struct dc_sink *sink;
  struct dc_names names;
  struct dc_lanes lanes;
  uint64_t captured;  /**< calls and regions that came out of the ring */
  uint64_t malformed; /**< records that make no sense: a bug of ours */
};

/** Writes the line or lines of one record. `size` is the record's size in bytes. */
void dc_encode(struct dc_encoder *encoder, const struct dc_record *record, size_t size);

/** A record's end, for those that have a duration: the ns on which its place among its parents depends. */
bool dc_record_span(const struct dc_record *record, uint64_t *start, uint64_t *end);

#endif
