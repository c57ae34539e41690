/* SPDX-License-Identifier: MIT */
/**
 * How the values of a call are shown: its arguments, its result, and the bytes that it has moved.
 */
#ifndef DATACRUMBS_VALUES_H
#define DATACRUMBS_VALUES_H

#include "encode.h"

/** A finished call with all that its record has, in whichever form it came. */
struct dc_call_view {
  const struct dc_call *call;
  uint64_t args[DC_MAX_ARGS];
  int count; /**< of args */
  const char *text[DC_MAX_TEXTS];
  uint16_t text_size[DC_MAX_TEXTS];
  int texts_used;
};

/** Puts a value as its enum dc_argument_type says; a string is the next one of the record's texts. */
void dc_put_value(struct dc_text *line, struct dc_call_view *view, uint8_t type, uint64_t value);

/** Puts `,"ret":` and what it means; `,"unfinished":1` for a call that did not return. */
void dc_put_result(struct dc_text *line, const struct dc_format *format, struct dc_call_view *view);

/** Puts the bytes that a call has moved, where that is more than its result says. */
void dc_put_bytes(struct dc_text *line, const struct dc_format *format, const struct dc_call_view *view);

#endif
