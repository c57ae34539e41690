/* SPDX-License-Identifier: MIT */
/**
 * A last guard before a record is read.
 */
#ifndef DATACRUMBS_SOUND_H
#define DATACRUMBS_SOUND_H

#include "encode.h"

/** Whether a record of `size` bytes is as long as it says, and what it refers to exists. */
bool dc_is_sound(const struct dc_encoder *encoder, const struct dc_record *record, size_t size);

#endif
