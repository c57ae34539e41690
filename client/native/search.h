/* SPDX-License-Identifier: MIT */
/**
 * Finding and starting a program as execvp(3) would, but without attempts that fail: a trace shows only the real one.
 */
#ifndef DATACRUMBS_SEARCH_H
#define DATACRUMBS_SEARCH_H

#include <limits.h>

/** Finds the program that `command` stands for; returns 0, or the errno that says why there is none. */
int dc_search(const char *command, char path[static PATH_MAX]);

/** Becomes the program; returns the errno only when that fails. `arguments` end with NULL. */
int dc_execute(const char *path, char *const arguments[]);

#endif
