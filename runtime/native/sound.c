/* SPDX-License-Identifier: MIT */
#include "sound.h"

static size_t text_bytes(const struct dc_call_ext *ext) {
  size_t bytes = 0;
  for (int i = 0; i < DC_MAX_TEXTS; i++)
    bytes += ext->text_size[i] == DC_NO_TEXT ? 0 : ext->text_size[i];
  return bytes;
}

bool dc_is_sound(const struct dc_encoder *encoder, const struct dc_record *record, size_t size) {
  switch (record->kind) {
  case DC_CALL:
    return size >= sizeof(struct dc_call) && record->fn < encoder->format_count;
  case DC_CALL_EXT: {
    const struct dc_call_ext *ext = (const void *)record;
    return size >= sizeof(*ext) && record->fn < encoder->format_count &&
           size - sizeof(*ext) >= (size_t)ext->path_size[0] + ext->path_size[1] + text_bytes(ext);
  }
  case DC_FILE:
    return size >= sizeof(struct dc_file) && size - sizeof(struct dc_file) >= ((const struct dc_file *)record)->size;
  case DC_PROCESS: {
    const struct dc_process *process = (const void *)record;
    return size >= sizeof(*process) && size - sizeof(*process) >= process->size && record->flags >= DC_PROCESS_START &&
           record->flags <= DC_PROCESS_END;
  }
  case DC_REGION: {
    const struct dc_region *region = (const void *)record;
    return size >= sizeof(*region) && region->size && size - sizeof(*region) >= region->size;
  }
  case DC_GIVEN: {
    const struct dc_given *given = (const void *)record;
    return size >= sizeof(*given) && size - sizeof(*given) >= given->size;
  }
  case DC_CUSTOM:
    return record->fn < encoder->format_count && encoder->formats[record->fn].event_size &&
           size >= encoder->formats[record->fn].event_size;
  case DC_SWITCH:
    return size >= sizeof(struct dc_switch) && record->fn < encoder->format_count;
  default:
    return false;
  }
}
