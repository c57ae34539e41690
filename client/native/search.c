/* SPDX-License-Identifier: MIT */
#include "search.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHELL "/bin/sh"
#define DEFAULT_PATH "/bin:/usr/bin" /* glibc's, where PATH is not set: execvp(3) */

static int check_program(const char *path) {
  struct stat status;
  if (stat(path, &status))
    return errno;
  if (!S_ISREG(status.st_mode))
    return EACCES;
  return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) ? errno : 0;
}

int dc_search(const char *command, char path[static PATH_MAX]) {
  if (strchr(command, '/')) {
    int length = snprintf(path, PATH_MAX, "%s", command);
    return length < PATH_MAX ? check_program(path) : ENAMETOOLONG;
  }
  const char *folders = getenv("PATH");
  if (!folders)
    folders = DEFAULT_PATH;
  int why = ENOENT;
  for (const char *folder = folders; *command; folder++) {
    int length = (int)strcspn(folder, ":");
    int wanted = length ? snprintf(path, PATH_MAX, "%.*s/%s", length, folder, command)
                        : snprintf(path, PATH_MAX, "./%s", command); /* an empty entry is the working directory */
    int result = wanted < PATH_MAX ? check_program(path) : ENAMETOOLONG;
    if (result == 0)
      return 0;
    if (result == EACCES)
      why = EACCES; /* as execvp: worth telling, unless a later entry does it */
    folder += length;
    if (!*folder)
      break;
  }
  return why;
}

int dc_execute(const char *path, char *const arguments[]) {
  execv(path, arguments);
  if (errno != ENOEXEC)
    return errno;
  /* A script without "#!" is the shell's. */
  size_t count = 0;
  while (arguments[count])
    count++;
  char **shell = calloc(count + 3, sizeof(*shell));
  if (!shell)
    return ENOMEM;
  shell[0] = SHELL;
  shell[1] = (char *)path;
  for (size_t i = 1; i < count; i++)
    shell[i + 1] = arguments[i];
  execv(SHELL, shell);
  free(shell);
  return errno;
}
