/* SPDX-License-Identifier: MIT */
/**
 * What a job asks of us, in attributes.system.datacrumbs of its jobspec:
 * {"enable":"yes","probe_file":"/abs/path.json.gz"}.
 *
 * The rules are those of core/datacrumbs/core/metadata.py, which the node applies once more; a test runs both over the
 * same thousands of jobspecs.
 */
#ifndef DATACRUMBS_FLUX_METADATA_H
#define DATACRUMBS_FLUX_METADATA_H

#include <jansson.h>
#include <stddef.h>

/* Flux cuts what a plugin says to 159 bytes; our name goes before it. */
enum { DC_MAX_PATH = 4096, DC_WHY_SIZE = 160 - sizeof("datacrumbs: ") + 1 };

enum dc_wanted {
  DC_WRONG = -1, /**< asked for in a way that cannot be followed */
  DC_OFF = 0,    /**< not asked for */
  DC_ON = 1,
};

/**
 * What the owner of a job wants.
 *
 * @param jobspec the whole jobspec; anything at all, NULL too.
 * @param probe_file for DC_ON: the path, part of `jobspec`; may be NULL.
 * @param why for DC_WRONG: one printable line on what is wrong and what to write instead.
 */
enum dc_wanted dc_metadata_read(const json_t *jobspec, const char **probe_file, char why[static DC_WHY_SIZE]);

/** Whether `path`, an absolute one, lies below `folder` without any "..". */
int dc_path_below(const char *path, const char *folder);

/** Copies a text; what is no printable ASCII becomes '?', and what does not fit "...". */
void dc_printable(char *to, size_t size, const char *text);

#endif
