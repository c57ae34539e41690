/* SPDX-License-Identifier: MIT */
/**
 * Whether the trace of a job is ready on this node, from the files in the run directory; see ../hooks and
 * systemd/datacrumbs/systemd/job.py.
 */
#ifndef DATACRUMBS_FLUX_WAIT_H
#define DATACRUMBS_FLUX_WAIT_H

enum dc_state {
  DC_NEVER,    /**< nothing was begun here */
  DC_STARTING, /**< somebody is at it; from dc_wait(): and died, or does not come to an end */
  DC_READY,    /**< it traces */
  DC_REFUSED,  /**< it could not be begun; the user is told elsewhere */
  DC_SIGNALLED /**< from dc_wait(): a signal came in meanwhile */
};

/** How it stands with the trace of a run. */
enum dc_state dc_state(const char *run_id);

/** Waits until it is no longer DC_STARTING, at most 45 seconds after it began to be. */
enum dc_state dc_wait(const char *run_id);

#endif
