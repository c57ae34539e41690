/* SPDX-License-Identifier: MIT */
/**
 * `ask LIBFLUX RUN_DIR` in Flux's prolog, as root: does the job of FLUX_JOB_ID ask for a trace?
 *
 * For one that does not, nothing happens. For one that does, files are left in the run directory for what goes on while
 * the prolog is over (begin.sh), and a line `RUN-ID begun` or `RUN-ID asked` is printed:
 *
 *   ID.starting  the tasks of the job wait for its end: their user's, empty
 *   ID.request   the job's metadata, for datacrumbs_node
 *   ID.env       what datacrumbs@ID.service is started with
 *
 * Of several prologs of a job on one node the first one makes ID.starting, and the others leave it at that. `begun`:
 * the unit may be started at once, since nothing is wrong with what is asked for, as far as can be seen; `asked`:
 * datacrumbs_node says what is wrong.
 *
 * It starts nothing and prints why it cannot ask, if so; then it ends with 1, and the job goes on untraced.
 */
#include "lookup.h"

#include "../jobtap/metadata.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_METADATA = (64 << 10) + 1, MAX_USER = 0x7fffffff }; /* one byte more than core/metadata.py reads */

/** The job's owner from FLUX_JOB_USERID; -1 for what is no number. */
static long read_user(void) {
  const char *text = getenv("FLUX_JOB_USERID");
  if (!text || !*text || strlen(text) > 10 || strspn(text, "0123456789") != strlen(text))
    return -1;
  long long user = strtoll(text, NULL, 10);
  return user <= MAX_USER ? (long)user : -1;
}

/** Makes a file that was not there; NULL otherwise, with errno. */
static FILE *create(int folder, const char *run_id, const char *kind, mode_t mode, long owner) {
  char name[DC_RUN_ID_SIZE + 16];
  snprintf(name, sizeof(name), "%s.%s", run_id, kind);
  int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0)
    return NULL;
  FILE *file =
      fchmod(fd, mode) == 0 && (owner < 0 || fchown(fd, (uid_t)owner, (gid_t)-1) == 0) ? fdopen(fd, "w") : NULL;
  if (!file)
    close(fd);
  return file;
}

static void forget(int folder, const char *run_id, const char *kind) {
  char name[DC_RUN_ID_SIZE + 16];
  snprintf(name, sizeof(name), "%s.%s", run_id, kind);
  unlinkat(folder, name, 0);
}

/** A value as systemd.exec(5) reads it back from an EnvironmentFile=; see systemd/datacrumbs/systemd/job.py. */
static void put_quoted(FILE *file, const char *name, const char *value) {
  fprintf(file, "%s=\"", name);
  for (; *value; value++) {
    if (strchr("\\\"$`", *value))
      fputc('\\', file);
    fputc(*value, file);
  }
  fputs("\"\n", file);
}

/** Whole, or not there: its name with a dot is nobody's until it is renamed. */
static bool write_environment(int folder, const char *run_dir, const char *run_id, const char *probe_file, long user) {
  char error_file[PATH_MAX], number[16], whole[DC_RUN_ID_SIZE + 16], name[DC_RUN_ID_SIZE + 16];
  snprintf(number, sizeof(number), "%ld", user);
  snprintf(error_file, sizeof(error_file), "%s/%s.error", run_dir, run_id);
  snprintf(name, sizeof(name), "%s.env", run_id);
  snprintf(whole, sizeof(whole), "%s.env.new", run_id);
  if (faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return false;
  FILE *file = create(folder, run_id, "env.new", 0600, -1);
  if (!file)
    return false;
  put_quoted(file, "DATACRUMBS_PROBE_FILE", probe_file);
  put_quoted(file, "DATACRUMBS_USER", number);
  put_quoted(file, "DATACRUMBS_RUN_ID", run_id);
  put_quoted(file, "DATACRUMBS_ERROR_FILE", error_file);
  put_quoted(file, "DATACRUMBS_SCHEDULER", "flux");
  put_quoted(file, "DATACRUMBS_UNTIL", "0");
  if (fclose(file) == 0 && renameat(folder, whole, folder, name) == 0)
    return true;
  forget(folder, run_id, "env.new");
  return false;
}

/** `{"datacrumbs": …}` as the job has it, whatever is wrong with it. */
static bool write_request(int folder, const char *run_id, const json_t *jobspec) {
  const json_t *system = json_object_get(json_object_get(jobspec, "attributes"), "system");
  json_t *request = json_pack("{s:O?}", "datacrumbs", json_object_get(system, "datacrumbs"));
  char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
  FILE *file = text ? create(folder, run_id, "request", 0600, -1) : NULL;
  bool written = false;
  if (file) {
    size_t length = strlen(text) < MAX_METADATA ? strlen(text) : MAX_METADATA;
    written = fwrite(text, 1, length, file) == length;
    written = fclose(file) == 0 && written;
  }
  free(text);
  json_decref(request);
  return written;
}

/** Leaves the files; 1 where another prolog of the job has done so, -1 on failure. */
static int leave(const char *run_dir, const struct dc_job *job, const char *probe_file, long user) {
  int rc = -1, folder = -1;
  FILE *starting = NULL;
  if (mkdir(run_dir, 0755) && errno != EEXIST)
    goto out;
  folder = open(run_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0)
    goto out;
  starting = create(folder, job->run_id, "starting", 0400, user);
  if (!starting) {
    rc = errno == EEXIST ? 1 : -1;
    goto out;
  }
  if (!write_request(folder, job->run_id, job->jobspec)) {
    forget(folder, job->run_id, "starting");
    goto out;
  }
  bool begun = probe_file && write_environment(folder, run_dir, job->run_id, probe_file, user);
  rc = printf("%s %s\n", job->run_id, begun ? "begun" : "asked") > 0 && fflush(stdout) == 0 ? 0 : -1;
out:
  if (starting)
    fclose(starting);
  if (folder >= 0)
    close(folder);
  return rc;
}

int main(int count, char *arguments[]) {
  const char *id = getenv("FLUX_JOB_ID"), *probe_file = NULL;
  char why[DC_LOOKUP_WHY_SIZE] = "", mistake[DC_WHY_SIZE] = "";
  struct dc_job job;
  int rc = EXIT_FAILURE;
  long user = read_user();
  if (count != 3 || !id || user < 0) {
    fputs("datacrumbs: not called by Flux's prolog: docs/flux.md\n", stderr);
    return EXIT_FAILURE;
  }
  if (dc_lookup(arguments[1], id, &job, why)) {
    fprintf(stderr, "datacrumbs: a job is not traced if it asks for it: %s\n", why);
    return EXIT_FAILURE;
  }
  enum dc_wanted wanted = dc_metadata_read(job.jobspec, &probe_file, mistake);
  if (wanted == DC_OFF || leave(arguments[2], &job, wanted == DC_ON ? probe_file : NULL, user) >= 0)
    rc = EXIT_SUCCESS;
  else
    fprintf(stderr, "datacrumbs: %s is not traced: cannot write into %s: %s\n", job.run_id, arguments[2],
            strerror(errno));
  dc_lookup_done(&job);
  return rc;
}
