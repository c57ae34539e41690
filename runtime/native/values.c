/* SPDX-License-Identifier: MIT */
#include "values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Results that never reach user space: include/linux/errno.h. */
static const char *const restart_names[] = {
    [0] = "ERESTARTSYS", [1] = "ERESTARTNOINTR", [2] = "ERESTARTNOHAND", [4] = "ERESTART_RESTARTBLOCK"};

static const char *errno_name(int64_t error) {
  if (error >= 512 && error - 512 < (int64_t)(sizeof(restart_names) / sizeof(*restart_names)))
    return restart_names[error - 512];
  return strerrorname_np((int)error);
}

/** A device number as the kernel keeps it: MKDEV in include/linux/kdev_t.h. */
static void put_device(struct dc_text *line, uint32_t device) {
  dc_text_literal(line, "\"");
  dc_text_unsigned(line, device >> 20);
  dc_text_literal(line, ":");
  dc_text_unsigned(line, device & 0xfffff);
  dc_text_literal(line, "\"");
}

/** What a block request does: enum req_op in include/linux/blk_types.h. */
static void put_block_operation(struct dc_text *line, uint8_t operation) {
  static const char *const names[] = {"read", "write", "flush", "discard", [5] = "secure erase", [9] = "write zeroes"};
  const char *name = operation < sizeof(names) / sizeof(*names) ? names[operation] : NULL;
  if (!name) {
    dc_text_unsigned(line, operation);
    return;
  }
  dc_text_literal(line, "\"");
  dc_text_bytes(line, name, strlen(name));
  dc_text_literal(line, "\"");
}

static void put_float(struct dc_text *line, double value, int digits) {
  if (!isfinite(value)) {
    dc_text_literal(line, "null"); /* JSON has no other word for it */
    return;
  }
  line->size += (size_t)snprintf(line->data + line->size, 32, "%.*g", digits, value);
}

static void put_quoted_hex(struct dc_text *line, uint64_t value) {
  dc_text_literal(line, "\"0x");
  dc_text_hex(line, value);
  dc_text_literal(line, "\"");
}

/** The next text of a record; its address where it could not be read. */
static void put_string(struct dc_text *line, struct dc_call_view *view, uint64_t address) {
  int text = view->texts_used++;
  if (!address) {
    dc_text_literal(line, "null");
  } else if (text >= DC_MAX_TEXTS || view->text_size[text] == DC_NO_TEXT) {
    put_quoted_hex(line, address);
  } else {
    dc_text_literal(line, "\"");
    dc_text_escaped(line, view->text[text], view->text_size[text]);
    dc_text_literal(line, "\"");
  }
}

/** A number of the width and the sign that its type says, whatever stood beside it in its register. */
static int64_t number_of(uint8_t type, uint64_t value) {
  switch (type) {
  case DC_I8:
    return (int8_t)value;
  case DC_U8:
    return (uint8_t)value;
  case DC_I16:
    return (int16_t)value;
  case DC_U16:
    return (uint16_t)value;
  case DC_I32:
    return (int32_t)value;
  case DC_U32:
    return (uint32_t)value;
  default:
    return (int64_t)value;
  }
}

void dc_put_value(struct dc_text *line, struct dc_call_view *view, uint8_t type, uint64_t value) {
  float narrow;
  double wide;
  switch (type) {
  case DC_U64:
    dc_text_unsigned(line, value);
    return;
  case DC_POINTER:
  case DC_HEX:
    if (type == DC_POINTER && !value)
      dc_text_literal(line, "null");
    else
      put_quoted_hex(line, value);
    return;
  case DC_F32:
    memcpy(&narrow, &value, sizeof(narrow));
    put_float(line, (double)narrow, 9);
    return;
  case DC_F64:
    memcpy(&wide, &value, sizeof(wide));
    put_float(line, wide, 17);
    return;
  case DC_STRING:
    put_string(line, view, value);
    return;
  case DC_DEV:
    put_device(line, (uint32_t)value);
    return;
  case DC_BLKOP:
    put_block_operation(line, (uint8_t)value);
    return;
  default:
    dc_text_signed(line, number_of(type, value));
  }
}

void dc_put_result(struct dc_text *line, const struct dc_format *format, struct dc_call_view *view) {
  const struct dc_call *call = view->call;
  if (call->head.flags & DC_UNFINISHED) {
    dc_text_literal(line, ",\"unfinished\":1");
    return;
  }
  dc_text_literal(line, ",\"ret\":");
  if (format->result != DC_ERRNO) {
    dc_put_value(line, view, format->result, (uint64_t)call->result);
    return;
  }
  dc_text_signed(line, call->result);
  const char *error = call->result < 0 && call->result >= -4095 ? errno_name(-call->result) : NULL;
  if (!error)
    return;
  dc_text_literal(line, ",\"errno\":\"");
  dc_text_bytes(line, error, strlen(error));
  dc_text_literal(line, "\"");
}

void dc_put_bytes(struct dc_text *line, const struct dc_format *format, const struct dc_call_view *view) {
  uint64_t bytes = 1;
  for (int i = 0; i < format->factor_count; i++) {
    int at = format->factors[i];
    int64_t factor = at == DC_RESULT    ? number_of(format->result, (uint64_t)view->call->result)
                     : at < view->count ? number_of(format->types[at], view->args[at])
                                        : 0;
    if (__builtin_mul_overflow(bytes, factor < 0 ? 0 : (uint64_t)factor, &bytes) || bytes > INT64_MAX)
      return;
  }
  dc_text_literal(line, ",\"bytes\":");
  dc_text_unsigned(line, bytes);
}
