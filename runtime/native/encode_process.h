/* SPDX-License-Identifier: MIT */
/**
 * The lines about processes: that one began, executes another program, or ended.
 */
#ifndef DATACRUMBS_ENCODE_PROCESS_H
#define DATACRUMBS_ENCODE_PROCESS_H

#include "encode.h"

/** Writes the line of an event in a process's life, and its name. */
void dc_encode_process(struct dc_encoder *encoder, const struct dc_process *process);

#endif
