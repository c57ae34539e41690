/* SPDX-License-Identifier: MIT */
#include "plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
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

/** RUN_DIR/ID.KIND; false where that is too long for a path. */
static bool name_file(const struct dc_settings *settings, const struct job *job, const char *kind,
                      char path[static PATH_MAX]) {
  return snprintf(path, PATH_MAX, "%s/%s.%s", settings->run_dir, job->id, kind) < PATH_MAX;
}

/**
 * Makes RUN_DIR/ID.starting, the job's own, which its tasks take for a sign to wait as long as somebody has its lock.
 *
 * Returns the locked descriptor, or -1: then they do not wait, as when another start of this job is under way.
 */
static int begin(const struct dc_settings *settings, const struct job *job) {
  static char path[PATH_MAX];
  if (!name_file(settings, job, "starting", path))
    return -1;
  mkdir(settings->run_dir, 0755);
  /* O_TRUNC: its time is now, also where an attempt that was requeued has left one. */
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0400);
  if (fd < 0 || fchown(fd, (uid_t)strtoul(job->user, NULL, 10), (gid_t)-1) || flock(fd, LOCK_EX | LOCK_NB)) {
    slurm_verbose("datacrumbs: %s: %s", path, strerror(errno));
    if (fd >= 0)
      close(fd);
    return -1;
  }
  return fd;
}

static bool asks(const char *comment) { return comment && strcasestr(comment, "datacrumbs"); }

void dc_node_start(spank_t spank, const struct dc_settings *settings) {
  static struct dc_request request;
  static char written[MAX_METADATA];
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
  int lock = begin(settings, &job);
  char *const arguments[] = {(char *)settings->helper,
                             "start",
                             "--detached",
                             "--job",
                             job.id,
                             "--user",
                             job.user,
                             "--scheduler",
                             "slurm",
                             "--until",
                             (char *)until,
                             NULL};
  /* Where it cannot be run, the file stays, without a lock: so the job's tasks tell its owner. */
  if (dc_helper_begin(arguments, metadata, settings->timeout, lock))
    slurm_error("datacrumbs: job %s is not traced: cannot run %s: %s", job.id, settings->helper, strerror(errno));
  if (lock >= 0)
    close(lock);
}

void dc_node_stop(spank_t spank, const struct dc_settings *settings) {
  static char starting[PATH_MAX], environment[PATH_MAX], answer[MAX_ANSWER];
  struct job job;
  if (!read_number(spank, S_JOB_ID, "SLURM_JOB_ID", job.id))
    return;
  /* The comment may have changed meanwhile: what counts is what was started here. */
  if (!name_file(settings, &job, "starting", starting) || !name_file(settings, &job, "env", environment) ||
      (access(starting, F_OK) && access(environment, F_OK)))
    return;
  char *const arguments[] = {(char *)settings->helper, "stop", "--job", job.id, NULL};
  if (dc_helper_run(arguments, "", settings->timeout, answer, sizeof(answer)))
    slurm_error("datacrumbs: the trace of job %s may not be closed: %s failed or took more than %d s", job.id,
                settings->helper, settings->timeout);
  else if (strncmp(answer, "failed: ", 8) == 0)
    slurm_error("datacrumbs: job %s: %s", job.id, answer + 8);
  unlink(starting); /* the helper has done so, if it came so far */
}
