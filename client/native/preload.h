/* SPDX-License-Identifier: MIT */
/**
 * Where the client library is, and how the dynamic loader is told.
 */
#ifndef DATACRUMBS_PRELOAD_H
#define DATACRUMBS_PRELOAD_H

#include <limits.h>
#include <stdbool.h>

/** Finds the library that belongs to this very program. */
bool dc_library_find(char library[static PATH_MAX]);

/** Adds the library to LD_PRELOAD, after the user's own entries, unless one names it already. Returns an errno or 0. */
int dc_library_preload(const char *library);

#endif
