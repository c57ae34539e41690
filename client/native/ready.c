/* SPDX-License-Identifier: MIT */
#include "ready.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "datacrumbs-"
#define SUFFIX ".ready"

enum { MAX_FILES = 4096, MAX_BYTES = 8192, MAX_NUMBER = 0x7fffffff };

/** What a ready file says; -1 and NULL for what it does not say. */
struct dc_runtime {
  long pid;
  long uid;
  const char *run_id;
};

/** A decimal number without sign, space or needless digits; -1 for everything else. User ids above 2^31 are not ours.
 */
static long parse_number(const char *text) {
  long number = 0;
  if (!*text || (*text == '0' && text[1]))
    return -1;
  for (; *text; text++) {
    if (*text < '0' || *text > '9')
      return -1;
    number = number * 10 + (*text - '0');
    if (number > MAX_NUMBER)
      return -1;
  }
  return number;
}

/** Reads one `key=value`; false when it is wrong or a repetition. Unknown keys may come with later versions. */
static bool parse_line(char *line, struct dc_runtime *runtime) {
  char *value = strchr(line, '=');
  if (!value)
    return false;
  *value++ = '\0';
  if (strcmp(line, "pid") == 0)
    return runtime->pid < 0 && (runtime->pid = parse_number(value)) > 0;
  if (strcmp(line, "uid") == 0)
    return runtime->uid < 0 && (runtime->uid = parse_number(value)) >= 0;
  if (strcmp(line, "run_id") == 0)
    return !runtime->run_id && *(runtime->run_id = value);
  return true;
}

/** Takes the text apart in place. */
static bool parse(char *text, size_t size, struct dc_runtime *runtime) {
  *runtime = (struct dc_runtime){.pid = -1, .uid = -1};
  if (memchr(text, '\0', size))
    return false;
  text[size] = '\0';
  for (char *line = strsep(&text, "\n"); line; line = strsep(&text, "\n"))
    if (*line && !parse_line(line, runtime))
      return false;
  return runtime->pid > 0 && runtime->uid >= 0 && runtime->run_id;
}

/** Reads a whole small regular file without ever blocking on it; returns its size, or -1. */
static ssize_t read_small(int folder, const char *name, char text[static MAX_BYTES]) {
  int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  struct stat status;
  ssize_t size = -1;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
    size = read(fd, text, MAX_BYTES);
  close(fd);
  return size < MAX_BYTES ? size : -1;
}

/** The length of the run id in a ready file's name; 0 for other names. */
static size_t run_id_length(const char *name) {
  size_t length = strlen(name), around = strlen(PREFIX) + strlen(SUFFIX);
  if (length <= around || strncmp(name, PREFIX, strlen(PREFIX)) != 0 ||
      strcmp(name + length - strlen(SUFFIX), SUFFIX) != 0)
    return 0;
  return length - around;
}

static bool listens(int folder, const char *name, const char *run_id, uid_t uid) {
  char text[MAX_BYTES];
  struct dc_runtime runtime;
  ssize_t size = read_small(folder, name, text);
  if (size < 0 || !parse(text, (size_t)size, &runtime))
    return false;
  size_t length = run_id_length(name);
  if (strlen(runtime.run_id) != length || strncmp(runtime.run_id, name + strlen(PREFIX), length) != 0)
    return false;
  if (run_id && *run_id && strcmp(runtime.run_id, run_id) != 0)
    return false;
  /* The runtime is root's: EPERM is the usual answer, and means that it lives. */
  return (uid_t)runtime.uid == uid && (kill((pid_t)runtime.pid, 0) == 0 || errno != ESRCH);
}

bool dc_ready(const char *run_dir, const char *run_id, uid_t uid) {
  DIR *folder = opendir(run_dir);
  if (!folder)
    return false;
  bool found = false;
  struct dirent *entry;
  for (int seen = 0; !found && seen < MAX_FILES && (entry = readdir(folder)); seen++)
    found = run_id_length(entry->d_name) > 0 && listens(dirfd(folder), entry->d_name, run_id, uid);
  closedir(folder);
  return found;
}
