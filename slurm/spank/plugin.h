/* SPDX-License-Identifier: MIT */
/**
 * The SPANK plugin: how a job of Slurm gets its trace. See plugin.c for its life.
 */
#ifndef DATACRUMBS_SLURM_PLUGIN_H
#define DATACRUMBS_SLURM_PLUGIN_H

#include <slurm/spank.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Arguments in plugstack.conf, `name=value`. */
struct dc_settings {
  const char *helper;  /**< datacrumbs_node */
  const char *library; /**< libdatacrumbs_client.so; empty: no LD_PRELOAD */
  const char *run_dir; /**< `run_dir` of the node's datacrumbs.yaml */
  int timeout;         /**< seconds that a task, or the epilog, waits for the helper; below PrologEpilogTimeout */
};

/** What the job's owner gave as options. */
struct dc_request {
  bool enable;
  char probe_file[PATH_MAX];
};

/* options.c */

/** Reads plugstack.conf's arguments; unknown ones are told and ignored. */
void dc_settings_read(struct dc_settings *settings, int count, char *arguments[]);

/** Makes --datacrumbs-enable and --datacrumbs-probe-file known to srun, sbatch and salloc. */
void dc_options_register(spank_t spank);

/** What the callbacks of the options have seen in this process. */
const struct dc_request *dc_options_given(void);

/** What the options were, in job_prolog, which gets no callbacks. */
void dc_options_fetch(spank_t spank, struct dc_request *request);

/**
 * Says what is wrong with the options where they are typed, and ends srun, sbatch or salloc then.
 *
 * `step`: this is srun, which inside a job starts a step and submits nothing.
 */
void dc_options_check(const struct dc_request *request, bool step);

/* node.c */

/**
 * Begins to have the job's trace ready, if it asks for one. Never fails, and does not wait: slurmd looks after its
 * prolog ever more rarely, and so does srun; the job's tasks wait, by RUN_DIR/ID.starting (dc_task_init).
 */
void dc_node_start(spank_t spank, const struct dc_settings *settings);

/** Has the job's trace closed, if there is one. Never fails. */
void dc_node_stop(spank_t spank, const struct dc_settings *settings);

/* helper.c */

/**
 * Runs a program as root, with `input` on its stdin and an environment that holds only PATH, for at most `seconds`.
 *
 * Returns 0 and what it printed, without its line end, or -1: it could not be run or did not end in time.
 */
int dc_helper_run(char *const arguments[], const char *input, int seconds, char *answer, size_t size);

/**
 * Begins to run a program as root, with `input` on its stdin, in a session of its own, and does not wait for it.
 *
 * It keeps `lock` open as long as it lives, and lives for at most `seconds`. Returns 0, or -1 with errno.
 */
int dc_helper_begin(char *const arguments[], const char *input, int seconds, int lock);

/* task.c */

/**
 * Brings a task under tracing, in its own process before it execs, and waits for the trace to begin where that is under
 * way; tells its owner where there is none.
 */
void dc_task_init(spank_t spank, const struct dc_settings *settings, const struct dc_request *request);

#endif
