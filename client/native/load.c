/* SPDX-License-Identifier: MIT */
/**
 * What happens when libdatacrumbs_client.so is loaded: the process joins, or stays out.
 */
#include <datacrumbs/mark.h>

#include <stdlib.h>
#include <string.h>

/* A process that runs with more rights than its caller does not listen to the caller's environment. */
__attribute__((constructor)) static void load(void) {
  const char *disable = secure_getenv("DATACRUMBS_DISABLE");
  if (disable && strcmp(disable, "1") == 0)
    dc_mark_stop(); /* it may have been followed already: the tag survives exec */
  else
    dc_mark_start(secure_getenv("DATACRUMBS_RUN_ID"));
}
