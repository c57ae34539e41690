/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef DC_RUN_DIR
#define DC_RUN_DIR "/run/datacrumbs"
#endif

enum { MOST_SECONDS = 45, PAUSE_NS = 5000000 };

static bool is_there(const char *prefix, const char *run_id, const char *kind) {
  char path[PATH_MAX];
  snprintf(path, sizeof(path), DC_RUN_DIR "/%s%s.%s", prefix, run_id, kind);
  return access(path, F_OK) == 0;
}

enum dc_state dc_state(const char *run_id) {
  /* In this order: what says that a start is under way goes when the rest is there and told. */
  bool starting = is_there("", run_id, "starting");
  if (is_there("datacrumbs-", run_id, "ready"))
    return DC_READY;
  if (starting)
    return DC_STARTING;
  return is_there("", run_id, "why") ? DC_REFUSED : DC_NEVER;
}

/** Whether whoever began the start is gone without a word. The lock counts once there is a byte: hooks/begin.sh. */
static bool is_dead(int fd) {
  struct stat status;
  if (fstat(fd, &status) || status.st_nlink == 0)
    return false; /* it is not there: it came to its end in order */
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec - status.st_ctim.tv_sec > MOST_SECONDS)
    return true;
  if (status.st_size == 0 || flock(fd, LOCK_SH | LOCK_NB))
    return false;
  return fstat(fd, &status) == 0 && status.st_nlink > 0;
}

/** Whether the job is to end. The shell itself looks at its signals between the steps of its own loop only. */
static bool is_signalled(void) {
  sigset_t pending;
  return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

enum dc_state dc_wait(const char *run_id) {
  char path[PATH_MAX];
  snprintf(path, sizeof(path), DC_RUN_DIR "/%s.starting", run_id);
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  enum dc_state state = dc_state(run_id);
  sigset_t ending, before;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  sigprocmask(SIG_BLOCK, &ending, &before); /* they stay pending, and are the shell's afterwards */
  for (int left = MOST_SECONDS * (1000000000 / PAUSE_NS); state == DC_STARTING && fd >= 0 && left > 0; left--) {
    if (is_dead(fd))
      break;
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    nanosleep(&pause, NULL);
    state = is_signalled() ? DC_SIGNALLED : dc_state(run_id);
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (fd >= 0)
    close(fd);
  return state;
}
