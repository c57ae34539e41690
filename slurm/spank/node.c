/* SPDX-License-Identifier: MIT */
#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_METADATA = 6 * PATH_MAX + 128, MAX_ANSWER = 8192, MAX_NUMBER = 16 };

/** A job's id and owner as text. */
struct job {
  char id[MAX_NUMBER];
  char user[MAX_NUMBER];
};

/** Takes a number from SPANK, or from the environment of the prolog where this Slurm does not tell. */
static bool read_number(spank_t spank, spank_item_t item, const char *variable, char text[static MAX_NUMBER]) {
  uint32_t number = 0;
  const char *value = getenv(variable);
  if (spank_get_item(spank, item, &number) == ESPANK_SUCCESS)
    return snprintf(text, MAX_NUMBER, "%u", number) > 0;
  if (!value || !*value || strspn(value, "0123456789") != strlen(value) || strlen(value) >= MAX_NUMBER)
    return false;
  strcpy(text, value);
  return true;
}

static bool read_job(spank_t spank, struct job *job) {
  return read_number(spank, S_JOB_ID, "SLURM_JOB_ID", job->id) &&
         read_number(spank, S_JOB_UID, "SLURM_JOB_UID", job->user);
}

/** The options as the JSON that the helper parses; whatever is wrong with them, it says. */
static void write_metadata(const struct dc_request *request, char text[static MAX_METADATA]) {
  char *to = text + sprintf(text, "{\"datacrumbs\":{\"enable\":\"yes\",\"probe_file\":\"");
  for (const unsigned char *c = (const unsigned char *)request->probe_file; *c; c++) {
    if (*c < 0x20 || *c == '"' || *c == '\\')
      to += sprintf(to, "\\u%04x", *c);
    else
      *to++ = (char)*c;
  }
  strcpy(to, "\"}}");
}

static bool asks(const char *comment) { return comment && strcasestr(comment, "datacrumbs"); }

void dc_node_start(spank_t spank, const struct dc_settings *settings) {
  static struct dc_request request;
  static char written[MAX_METADATA], answer[MAX_ANSWER];
  const char *metadata = getenv("SLURM_JOB_COMMENT"), *until = getenv("SLURM_JOB_END_TIME");
  dc_options_fetch(spank, &request);
  if (request.enable) {
    write_metadata(&request, written);
    metadata = written;
  } else if (!asks(metadata)) {
    return;
  }
  struct job job;
  if (!read_job(spank, &job)) {
    slurm_error("datacrumbs: slurmd does not tell whose job this is; it is not traced");
    return;
  }
  if (!until || !*until || strspn(until, "0123456789") != strlen(until))
    until = "0";
  char *const arguments[] = {(char *)settings->helper,
                             "start",
                             "--job",
                             job.id,
                             "--user",
                             job.user,
                             "--scheduler",
                             "slurm",
                             "--until",
                             (char *)until,
                             NULL};
  if (dc_helper_run(arguments, metadata, settings->timeout, answer, sizeof(answer)))
    slurm_error("datacrumbs: job %s is not traced: %s failed or took more than %d s", job.id, settings->helper,
                settings->timeout);
  else if (strncmp(answer, "none: ", 6) == 0)
    slurm_error("datacrumbs: %s", answer + 6);
  else
    slurm_verbose("datacrumbs: job %s: %s", job.id, answer);
}

void dc_node_stop(spank_t spank, const struct dc_settings *settings) {
  static char path[PATH_MAX], answer[MAX_ANSWER];
  struct job job;
  if (!read_number(spank, S_JOB_ID, "SLURM_JOB_ID", job.id))
    return;
  /* The comment may have changed meanwhile: what counts is what was started here. */
  if (snprintf(path, sizeof(path), "%s/%s.env", settings->run_dir, job.id) >= (int)sizeof(path) || access(path, F_OK))
    return;
  char *const arguments[] = {(char *)settings->helper, "stop", "--job", job.id, NULL};
  if (dc_helper_run(arguments, "", settings->timeout, answer, sizeof(answer)))
    slurm_error("datacrumbs: the trace of job %s may not be closed: %s failed or took more than %d s", job.id,
                settings->helper, settings->timeout);
  else if (strncmp(answer, "failed: ", 8) == 0)
    slurm_error("datacrumbs: job %s: %s", job.id, answer + 8);
}
