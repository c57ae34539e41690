/* SPDX-License-Identifier: MIT */
#include "plugin.h"

#include <datacrumbs/mark.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

#define LIBRARY "libdatacrumbs_client.so"

enum { MAX_PRELOAD = 64 << 10, MAX_REASON = 8192, PATH_LEFT = PATH_MAX - 16 };

/** Puts the library behind what the user has there. */
static void preload(spank_t spank, const char *library) {
  static char own[MAX_PRELOAD], list[MAX_PRELOAD + PATH_MAX + 1];
  if (!*library || strpbrk(library, " :$") || access(library, R_OK))
    return;
  spank_err_t rc = spank_getenv(spank, "LD_PRELOAD", own, sizeof(own));
  if (rc == ESPANK_NOSPACE || (rc == ESPANK_SUCCESS && strstr(own, "/" LIBRARY)))
    return;
  if (rc != ESPANK_SUCCESS)
    *own = '\0';
  snprintf(list, sizeof(list), "%s%s%s", own, *own ? ":" : "", library);
  spank_setenv(spank, "LD_PRELOAD", list, 1);
}

/**
 * Waits as long as the job's trace is about to begin, which is as long as somebody has the lock of `path` (node.c).
 *
 * Returns false when that did not end well: whoever had the lock is gone and has left the file, or did not end in time.
 */
static bool wait_for_start(const char *path, int seconds) {
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  struct stat status = {0};
  if (fd < 0 || fstat(fd, &status)) {
    if (fd >= 0)
      close(fd);
    return true; /* nothing is under way */
  }
  /* From when it began: a later step does not wait again for what never ends. */
  time_t now = time(NULL), deadline = (status.st_mtime < now ? status.st_mtime : now) + seconds;
  /* proctrack/linuxproc kills nothing that is called slurmstepd, and a job that is cancelled must end. */
  char name[16] = "";
  prctl(PR_GET_NAME, name);
  prctl(PR_SET_NAME, "datacrumbs_wait");
  bool free = false;
  while (!free && status.st_nlink && time(NULL) <= deadline) {
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    free = flock(fd, LOCK_SH | LOCK_NB) == 0;
    fstat(fd, &status);
  }
  prctl(PR_SET_NAME, name);
  close(fd);
  return status.st_nlink == 0;
}

static void tell(const char *reason) { dprintf(STDERR_FILENO, "datacrumbs: %s\n", reason); }

/** The first task of a step on a node tells why there is no trace; the file is its owner's alone. */
static void tell_reason(spank_t spank, const char *path, const struct dc_request *request, const char *id, bool began) {
  int local = -1;
  if (spank_get_item(spank, S_TASK_ID, &local) != ESPANK_SUCCESS || local != 0)
    return;
  char reason[MAX_REASON];
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
  ssize_t size = fd < 0 ? 0 : read(fd, reason, sizeof(reason) - 1);
  if (fd >= 0)
    close(fd);
  if (size > 0) {
    reason[size] = '\0';
    reason[strcspn(reason, "\n")] = '\0';
    tell(reason);
    return;
  }
  char text[512];
  if (!began)
    snprintf(text, sizeof(text),
             "job %s is not traced on this node: the node helper failed or did not end; slurmd's log and journalctl "
             "JOB_ID=%s tell the administrator more",
             id, id);
  else
    snprintf(text, sizeof(text),
             "job %s is not traced on this node: a trace begins with its job, so give the options to sbatch or salloc; "
             "if you did, journalctl JOB_ID=%s tells the administrator more",
             id, id);
  if (!began || request->enable)
    tell(text);
}

void dc_task_init(spank_t spank, const struct dc_settings *settings, const struct dc_request *request) {
  uint32_t number = 0;
  char id[16], path[PATH_MAX];
  if (spank_get_item(spank, S_JOB_ID, &number) != ESPANK_SUCCESS)
    return;
  snprintf(id, sizeof(id), "%u", number);
  if (snprintf(path, sizeof(path), "%s/%s.starting", settings->run_dir, id) >= PATH_LEFT)
    return;
  bool began = wait_for_start(path, settings->timeout);
  snprintf(path, sizeof(path), "%s/datacrumbs-%s.ready", settings->run_dir, id);
  if (access(path, F_OK)) {
    snprintf(path, sizeof(path), "%s/%s.why", settings->run_dir, id);
    tell_reason(spank, path, request, id, began);
    return;
  }
  const char *disable = NULL;
  char value[8];
  if (spank_getenv(spank, "DATACRUMBS_DISABLE", value, sizeof(value)) == ESPANK_SUCCESS)
    disable = value;
  if (disable && strcmp(disable, "1") == 0)
    return;
  spank_setenv(spank, "DATACRUMBS_RUN_ID", id, 1);
  preload(spank, settings->library);
  dc_mark_start(id); /* last: nothing of Slurm's own is in the trace but the exec */
}
