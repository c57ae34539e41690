/* SPDX-License-Identifier: MIT */
/**
 * The shell plugin, in the job's shell on each node, as the job's user: it brings the tasks under tracing.
 *
 *   shell.init       finds out whether the job is traced; LD_PRELOAD and DATACRUMBS_RUN_ID go into the tasks'
 * environment shell.post-init  waits until the trace is ready, which was begun in the prolog (../hooks) task.exec tags
 * the process that is about to become the task: static programs and containers too
 *
 * The tag is inherited, so it covers a whole `flux batch` or `flux alloc`, whose task is a Flux instance of its own.
 * Nothing here can fail a job: where there is no trace its tasks run without.
 */
#include "wait.h"

#include <flux_plugin.h>

#include "../jobtap/metadata.h"
#include <datacrumbs/mark.h>

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "datacrumbs"
#define LIBRARY "libdatacrumbs_client.so"
#define SEPARATORS " :" /* between the entries of LD_PRELOAD: ld.so(8) */

#ifndef DC_LIBDIR
#define DC_LIBDIR "/usr/local/lib"
#endif

static bool is_usable(const char *path, char library[static PATH_MAX]) {
  return realpath(path, library) && access(library, R_OK) == 0 && !strpbrk(library, SEPARATORS "$");
}

/** The client library: of the same installation as this plugin where that is a link or at its place, else as installed.
 */
static bool find_library(char library[static PATH_MAX]) {
  static const char below[] = "/../../../client/" LIBRARY; /* from datacrumbs/flux/plugins/shell */
  Dl_info self;
  char own[PATH_MAX], path[PATH_MAX + sizeof(below)];
  if (dladdr((void *)(uintptr_t)&find_library, &self) && realpath(self.dli_fname, own)) {
    char *slash = strrchr(own, '/');
    snprintf(path, sizeof(path), "%.*s%s", (int)(slash ? slash - own : 0), own, below);
    if (is_usable(path, library))
      return true;
  }
  return is_usable(DC_LIBDIR "/" LIBRARY, library);
}

/** The user's own entries stay, and come first. */
static void preload(flux_shell_t *shell, const char *library) {
  const char *own = flux_shell_getenv(shell, "LD_PRELOAD");
  if (!own || !*own)
    flux_shell_setenvf(shell, 1, "LD_PRELOAD", "%s", library);
  else if (!strstr(own, LIBRARY))
    flux_shell_setenvf(shell, 1, "LD_PRELOAD", "%s:%s", own, library);
}

/** The first nodes of a job speak for all: a thousand lines on its stderr would say no more. */
static void tell(flux_shell_t *shell, const char *what) {
  enum { FIRST = 3 };
  int rank = 0;
  char host[HOST_NAME_MAX + 1] = "";
  flux_shell_info_unpack(shell, "{s:i}", "rank", &rank);
  gethostname(host, sizeof(host) - 1);
  if (rank < FIRST)
    flux_shell_log(NAME, FLUX_SHELL_WARN, __FILE__, __LINE__, "this job is not traced on %s: %s", host, what);
}

static int init(flux_plugin_t *p, const char *topic, flux_plugin_arg_t *args, void *data) {
  (void)topic;
  (void)args;
  (void)data;
  flux_shell_t *shell = flux_plugin_get_shell(p);
  json_t *jobspec = NULL;
  json_int_t id = 0;
  char why[DC_WHY_SIZE], run_id[64], library[PATH_MAX];
  if (!shell || flux_shell_info_unpack(shell, "{s:I s:o}", "jobid", &id, "jobspec", &jobspec) < 0)
    return 0;
  if (dc_metadata_read(jobspec, NULL, why) != DC_ON)
    return 0;
  /* The run's id is the job's, in the one form without a letter beyond ASCII. */
  if (flux_job_id_encode((flux_jobid_t)id, "f58plain", run_id, sizeof(run_id)) < 0)
    return 0;
  if (dc_state(run_id) == DC_NEVER) {
    /* As in an instance of the user's own. One that is traced as a whole keeps its tag, and its environment. */
    tell(shell, "the prolog of this Flux instance does not start traces; use the system's, or see docs/flux.md");
    return 0;
  }
  char *kept = strdup(run_id);
  if (!kept || flux_plugin_aux_set(p, NAME, kept, free) < 0) {
    free(kept);
    return 0;
  }
  flux_shell_setenvf(shell, 1, "DATACRUMBS_RUN_ID", "%s", run_id);
  if (find_library(library))
    preload(shell, library);
  return 0;
}

/** After all that can go on beside the start of the runtime, and before the first task. */
static int post_init(flux_plugin_t *p, const char *topic, flux_plugin_arg_t *args, void *data) {
  (void)topic;
  (void)args;
  (void)data;
  const char *run_id = flux_plugin_aux_get(p, NAME);
  if (!run_id)
    return 0;
  switch (dc_wait(run_id)) {
  case DC_SIGNALLED: /* the job is to end, and none of its tasks has begun */
    return -1;
  case DC_STARTING:
  case DC_NEVER:
    tell(flux_plugin_get_shell(p), "the node's helper failed or took too long; tell the administrator");
    break;
  case DC_READY:
  case DC_REFUSED: /* the hook tells why, in the job's eventlog */
    break;
  }
  return 0;
}

/** In the child, after its fork and before its exec. */
static int exec_task(flux_plugin_t *p, const char *topic, flux_plugin_arg_t *args, void *data) {
  (void)topic;
  (void)args;
  (void)data;
  const char *run_id = flux_plugin_aux_get(p, NAME);
  if (run_id)
    dc_mark_start(run_id);
  return 0;
}

int flux_plugin_init(flux_plugin_t *p) {
  static const struct flux_plugin_handler handlers[] = {
      {.topic = "shell.init", .cb = init},
      {.topic = "shell.post-init", .cb = post_init},
      {.topic = "task.exec", .cb = exec_task},
      {0},
  };
  return flux_plugin_register(p, NAME, handlers);
}
