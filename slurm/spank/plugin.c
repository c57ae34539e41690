/* SPDX-License-Identifier: MIT */
/**
 * The SPANK plugin's life, in the order of spank(7)'s contexts:
 *
 *   where a job is submitted      init            options are registered
 *   (local, allocator)            init_post_opt   options are checked: a mistake is told before the job is queued
 *   on each node, as root         job_prolog      datacrumbs_node start begins, when options or comment ask for it
 *   (job_script)                  job_epilog      datacrumbs_node stop, when there is anything to stop
 *   in each task, as its user     task_init       waits for the trace; tags the process; LD_PRELOAD for others
 *   (remote)
 *
 * Metadata reach every node with the job's credential: as options of SPANK, or as SLURM_JOB_COMMENT. Nobody asks
 * slurmctld. On a node nothing ever returns an error: slurmd would drain the node, and the job would fail.
 */
#include "plugin.h"

SPANK_PLUGIN(datacrumbs, 1);

static struct dc_settings settings;

int slurm_spank_init(spank_t spank, int count, char *arguments[]) {
  dc_settings_read(&settings, count, arguments);
  if (spank_context() != S_CTX_SLURMD)
    dc_options_register(spank);
  return ESPANK_SUCCESS;
}

int slurm_spank_init_post_opt(spank_t spank, int count, char *arguments[]) {
  (void)spank, (void)count, (void)arguments;
  spank_context_t context = spank_context();
  if (context == S_CTX_LOCAL || context == S_CTX_ALLOCATOR)
    dc_options_check(dc_options_given(), context == S_CTX_LOCAL);
  return ESPANK_SUCCESS;
}

int slurm_spank_job_prolog(spank_t spank, int count, char *arguments[]) {
  dc_settings_read(&settings, count, arguments);
  dc_node_start(spank, &settings);
  return ESPANK_SUCCESS;
}

int slurm_spank_job_epilog(spank_t spank, int count, char *arguments[]) {
  dc_settings_read(&settings, count, arguments);
  dc_node_stop(spank, &settings);
  return ESPANK_SUCCESS;
}

int slurm_spank_task_init(spank_t spank, int count, char *arguments[]) {
  (void)count, (void)arguments;
  dc_task_init(spank, &settings, dc_options_given());
  return ESPANK_SUCCESS;
}
