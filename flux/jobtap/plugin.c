/* SPDX-License-Identifier: MIT */
/**
 * The jobtap plugin, in the job manager of rank 0: it looks at what a job asks of us, and that is all it does.
 *
 *   conf.update   reads [datacrumbs] of Flux's configuration
 *   job.validate  rejects a job that asks in a way that cannot be followed; holds for --flags=novalidate too
 *   job.new       notes in the job's eventlog that it is to be traced
 *
 * It keeps nothing of any job, waits for nothing, starts nothing and reads no file: whatever it did wrong would take
 * the whole instance down. Jobs that do not ask for a trace are never its business, not even where its own table is
 * wrong.
 */
#include <flux_plugin.h>

#include "settings.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define NAME "datacrumbs"

static int update_configuration(flux_plugin_t *p, const char *topic, flux_plugin_arg_t *args, void *data) {
  (void)topic;
  (void)data;
  struct dc_settings *settings = flux_plugin_aux_get(p, NAME);
  json_t *configuration = NULL;
  char why[DC_WHY_SIZE] = "";
  int first = !settings;
  if (first) {
    settings = calloc(1, sizeof(*settings));
    if (!settings || flux_plugin_aux_set(p, NAME, settings, dc_settings_destroy) < 0) {
      free(settings);
      return flux_jobtap_error(p, args, NAME ": out of memory");
    }
  }
  /* Without a configuration the defaults hold. */
  if (flux_plugin_arg_unpack(args, FLUX_PLUGIN_ARG_IN, "{s?o}", "conf", &configuration) < 0)
    configuration = NULL;
  if (dc_settings_read(settings, configuration, why) == 0)
    return 0;
  if (!first) /* `flux config reload` says so, and what held before holds on */
    return flux_jobtap_error(p, args, NAME ": %s", why);
  /* Refusing to load would keep the whole instance from starting. */
  strcpy(settings->wrong, why);
  flux_log(flux_jobtap_get_flux(p), LOG_ERR, NAME ": %s; no job can be traced until it is corrected", why);
  return 0;
}

/** What the current job wants, and whether this site allows it. */
static enum dc_wanted examine(flux_plugin_t *p, flux_plugin_arg_t *args, const char **probe_file,
                              char why[static DC_WHY_SIZE]) {
  json_t *jobspec = NULL;
  if (flux_plugin_arg_unpack(args, FLUX_PLUGIN_ARG_IN, "{s?o}", "jobspec", &jobspec) < 0)
    return DC_OFF;
  enum dc_wanted wanted = dc_metadata_read(jobspec, probe_file, why);
  const struct dc_settings *settings = flux_plugin_aux_get(p, NAME);
  if (wanted != DC_ON || !settings)
    return wanted;
  if (*settings->wrong) {
    strcpy(why, "[datacrumbs] in Flux's configuration is wrong, so nothing can be traced; tell the administrator");
    return DC_WRONG;
  }
  if (!dc_settings_allow(settings, *probe_file)) {
    strcpy(why, "datacrumbs.probe_file is in no folder that this site allows; see: "
                "flux config get datacrumbs.allowed-probe-directories");
    return DC_WRONG;
  }
  return DC_ON;
}

static int validate(flux_plugin_t *p, const char *topic, flux_plugin_arg_t *args, void *data) {
  (void)topic;
  (void)data;
  const char *probe_file = NULL;
  char why[DC_WHY_SIZE] = "";
  if (examine(p, args, &probe_file, why) == DC_WRONG)
    return flux_jobtap_reject_job(p, args, NAME ": %s", why);
  return 0;
}

static int note(flux_plugin_t *p, const char *topic, flux_plugin_arg_t *args, void *data) {
  (void)topic;
  (void)data;
  const char *probe_file = NULL;
  char why[DC_WHY_SIZE] = "";
  if (examine(p, args, &probe_file, why) != DC_ON)
    return 0;
  /* It is called again for every job when the plugin is loaded anew, and when the instance starts again. */
  if (flux_jobtap_job_event_posted(p, FLUX_JOBTAP_CURRENT_JOB, NAME) == 1)
    return 0;
  const struct dc_settings *settings = flux_plugin_aux_get(p, NAME);
  if (flux_jobtap_event_post_pack(p, FLUX_JOBTAP_CURRENT_JOB, NAME, "{s:s s:s}", "probe_file", probe_file, "on_failure",
                                  settings && settings->cancel ? "cancel" : "continue") < 0)
    flux_log(flux_jobtap_get_flux(p), LOG_WARNING, NAME ": cannot note in an eventlog that its job is traced");
  return 0; /* the note is a courtesy: the job goes its way */
}

int flux_plugin_init(flux_plugin_t *p) {
  static const struct flux_plugin_handler handlers[] = {
      {.topic = "conf.update", .cb = update_configuration},
      {.topic = "job.validate", .cb = validate},
      {.topic = "job.new", .cb = note},
      {0},
  };
  return flux_plugin_register(p, NAME, handlers);
}
