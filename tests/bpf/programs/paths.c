/* SPDX-License-Identifier: MIT */
/*
 * Calls whose files are named, or come to the process, in every way but a plain absolute path: paths FOLDER.
 * tests/support/calls.py holds the same list as the events that must be in the trace.
 */
#include "must.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void relative_paths(const char *folder) {
  struct stat status;
  MUST(chdir(folder), 0);
  int fd = MUST_OPEN(open("rel", O_CREAT | O_WRONLY, 0600));
  MUST(close(fd), 0);
  MUST(mkdir("sub", 0700), 0);
  MUST(stat("./sub/..//rel", &status), 0);
  int dir = MUST_OPEN(open("sub", O_DIRECTORY | O_RDONLY));
  fd = MUST_OPEN(openat(dir, "inner", O_CREAT | O_WRONLY, 0600));
  MUST(unlinkat(dir, "inner", 0), 0);
  MUST(write(fd, "x", 1), 1);
  MUST(close(fd), 0);
  MUST(mkdirat(dir, "low", 0700), 0);
  MUST(fchdir(dir), 0);
  MUST(open("../missing", O_RDONLY), -1);
  MUST(renameat(dir, "low", AT_FDCWD, "../high"), 0);
  MUST(chdir(".."), 0);
  MUST(chdir("high"), 0);
  MUST(access("nothing", R_OK), -1);
  MUST(chdir(".."), 0);
  MUST(close(dir), 0);
}

static void redirected(void) {
  int fd = MUST_OPEN(open("out", O_CREAT | O_WRONLY | O_APPEND, 0600)), saved = MUST_OPEN(dup(1));
  MUST(dup2(fd, 1), 1);
  MUST(close(fd), 0);
  MUST(write(1, "hello\n", 6), 6);
  MUST(dup2(saved, 1), 1);
  MUST(close(saved), 0);
}

static void inherited(void) {
  char bytes[3];
  MUST(read(0, bytes, 3), 3); /* opened by the parent, before the process was tagged */
}

static void renamed(void) {
  char byte;
  int fd = MUST_OPEN(open("before", O_CREAT | O_RDWR, 0600));
  MUST(rename("before", "after"), 0);
  MUST(write(fd, "y", 1), 1);
  MUST(close(fd), 0);
  fd = MUST_OPEN(open("after", O_RDONLY));
  MUST(read(fd, &byte, 1), 1);
  MUST(close(fd), 0);
}

static void linked(void) {
  MUST(symlink("after", "soft"), 0);
  MUST(link("after", "hard"), 0);
  int fd = MUST_OPEN(open("soft", O_RDONLY));
  MUST(close(fd), 0);
}

static void piped(void) {
  int ends[2];
  char bytes[4];
  struct stat status;
  MUST(pipe(ends), 0);
  MUST(fstat(ends[0], &status), 0);
  MUST(write(ends[1], "pipe", 4), 4);
  MUST(read(ends[0], bytes, 4), 4);
  MUST(close(ends[0]), 0);
  MUST(close(ends[1]), 0);
  printf("%lu\n", (unsigned long)status.st_ino);
}

int main(int count, char *arguments[]) {
  if (count != 2)
    return 64;
  relative_paths(arguments[1]);
  redirected();
  inherited();
  renamed();
  linked();
  piped();
  return 0;
}
