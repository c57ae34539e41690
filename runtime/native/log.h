/* SPDX-License-Identifier: MIT */
/**
 * What libbpf says when something fails, kept for the error message instead of printed.
 */
#ifndef DATACRUMBS_LOG_H
#define DATACRUMBS_LOG_H

#include <stddef.h>

/** From now on libbpf's warnings are kept, and nothing is printed. */
void dc_log_capture(void);

/** Copies the last warning, without its line end, into `buffer` of `size` bytes, and forgets it. */
void dc_log_take(char *buffer, size_t size);

#endif
