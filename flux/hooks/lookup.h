/* SPDX-License-Identifier: MIT */
/**
 * One question to Flux: what the jobspec of a job is. libflux-core is loaded when it is asked, so that this builds, and
 * its tests run, where no Flux is installed.
 */
#ifndef DATACRUMBS_FLUX_LOOKUP_H
#define DATACRUMBS_FLUX_LOOKUP_H

#include <jansson.h>

enum { DC_RUN_ID_SIZE = 32, DC_LOOKUP_WHY_SIZE = 256 };

struct dc_job {
  char run_id[DC_RUN_ID_SIZE]; /**< the job's id in f58 with a plain f: letters and digits only */
  json_t *jobspec;
};

/**
 * Asks the instance that FLUX_URI names, else the system's.
 *
 * @param libflux path of libflux-core.so.2; where it is not there, the dynamic linker looks for it.
 * @param id the job's, in any form that Flux has.
 * @param why on failure: one line.
 * @return 0, and what is in `job` is to be given back with dc_lookup_done(); -1 on failure.
 */
int dc_lookup(const char *libflux, const char *id, struct dc_job *job, char why[static DC_LOOKUP_WHY_SIZE]);

void dc_lookup_done(struct dc_job *job);

#endif
