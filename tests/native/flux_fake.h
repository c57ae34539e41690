/* SPDX-License-Identifier: MIT */
/** Included before a plugin's sources: what they take from the C library's heap is counted. */
#ifndef DATACRUMBS_FLUX_FAKE_H
#define DATACRUMBS_FLUX_FAKE_H

#include <stdlib.h>
#include <string.h>

void *fake_calloc(size_t count, size_t size);
char *fake_strdup(const char *text);
void fake_free(void *memory);

#define calloc fake_calloc
#define strdup fake_strdup
#define free fake_free

#endif
