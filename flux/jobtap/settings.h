/* SPDX-License-Identifier: MIT */
/**
 * The table [datacrumbs] of Flux's configuration:
 *
 *     [datacrumbs]
 *     on-failure = "continue"                        # or "cancel": what becomes of a job that cannot be traced
 *     allowed-probe-directories = ["/etc/probes"]    # default: any; the signature decides in any case
 */
#ifndef DATACRUMBS_FLUX_SETTINGS_H
#define DATACRUMBS_FLUX_SETTINGS_H

#include "metadata.h"

struct dc_settings {
  json_t *folders;         /**< array of absolute paths; NULL: anywhere */
  int cancel;              /**< a job that cannot be traced is cancelled */
  char wrong[DC_WHY_SIZE]; /**< not empty: the table was wrong when the plugin was loaded; nothing can be traced */
};

/** Reads the table from the whole configuration; on failure returns -1 with `why`, and `settings` stays as it was. */
int dc_settings_read(struct dc_settings *settings, const json_t *configuration, char why[static DC_WHY_SIZE]);

/** Whether the site lets a probes file lie there. */
int dc_settings_allow(const struct dc_settings *settings, const char *probe_file);

/** For flux_plugin_aux_set(). */
void dc_settings_destroy(void *settings);

#endif
