/* SPDX-License-Identifier: MIT */
/**
 * From records to the lines of a trace: DFTracer's form of the Chrome trace format, see docs/trace-format.md.
 */
#ifndef DATACRUMBS_ENCODE_H
#define DATACRUMBS_ENCODE_H

#include "names.h"
#include "sink.h"

/** How an argument is shown. */
enum dc_argument_type { DC_I32, DC_U32, DC_I64, DC_U64, DC_HEX };

/** What the trace says of one probe; the texts are JSON already. */
struct dc_format {
  char *head;                   /**< `{"name":"read","cat":"POSIX","ph":"X","pid":` */
  char *extra;                  /**< more members of args: `,"syscall":"openat"`, or "" */
  char *arguments[DC_MAX_ARGS]; /**< `,"count":`; NULL: none */
  uint8_t types[DC_MAX_ARGS];   /**< enum dc_argument_type */
  bool returns;                 /**< the result means something; a system call's errors are errno names */
};

struct dc_encoder {
  const struct dc_format *formats; /**< by probe id */
  size_t format_count;
  uint64_t epoch; /**< CLOCK_REALTIME minus CLOCK_MONOTONIC, ns */
  uint64_t host;  /**< host hash */
  struct dc_sink *sink;
  struct dc_names names;
  uint64_t captured;  /**< calls and regions that came out of the ring */
  uint64_t malformed; /**< records that make no sense: a bug of ours */
};

/** Writes the line or lines of one record. `size` is the record's size in bytes. */
void dc_encode(struct dc_encoder *encoder, const struct dc_record *record, size_t size);

/** A record's end, for those that have a duration: the ns on which its place among its parents depends. */
bool dc_record_span(const struct dc_record *record, uint64_t *start, uint64_t *end);

#endif
