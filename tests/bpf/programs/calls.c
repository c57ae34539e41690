/* SPDX-License-Identifier: MIT */
/*
 * A known list of calls, made from every place that a process can make them from: calls MODE FOLDER [TOKEN].
 *
 * tests/support/calls.py holds the same list as the events that must be in the trace. Whoever works says so first, in a
 * line "PID TID FOLDER" on stdout. Any call that does not return what it should ends the program with code 3.
 * Compiled with -DRAW, it makes its calls with syscall(2) instead of through the C library's functions.
 */
#include "must.h"

#include <datacrumbs/marker.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef RAW
#define open(path, flags, mode) syscall(SYS_openat, AT_FDCWD, path, flags, mode)
#define read(fd, data, size) syscall(SYS_read, fd, data, size)
#define write(fd, data, size) syscall(SYS_write, fd, data, size)
#define pread(fd, data, size, at) syscall(SYS_pread64, fd, data, size, at)
#define pwrite(fd, data, size, at) syscall(SYS_pwrite64, fd, data, size, at)
#define readv(fd, parts, count) syscall(SYS_readv, fd, parts, count)
#define writev(fd, parts, count) syscall(SYS_writev, fd, parts, count)
#define preadv(fd, parts, count, at) syscall(SYS_preadv, fd, parts, count, at, 0)
#define pwritev(fd, parts, count, at) syscall(SYS_pwritev, fd, parts, count, at, 0)
#define pwritev2(fd, parts, count, at, flags) syscall(SYS_pwritev2, fd, parts, count, at, 0, flags)
#define fsync(fd) syscall(SYS_fsync, fd)
#define close(fd) syscall(SYS_close, fd)
#define dup(fd) syscall(SYS_dup, fd)
#endif

static void work(const char *folder) {
  char data[512], other[512], moved[512], missing[512], deep[512], bytes[4096] = {0};
  snprintf(data, sizeof(data), "%s/data", folder);
  snprintf(other, sizeof(other), "%s/other", folder);
  snprintf(deep, sizeof(deep), "%s/deep", folder);
  snprintf(moved, sizeof(moved), "%s/deep/moved", folder);
  snprintf(missing, sizeof(missing), "%s/missing", folder);
  struct iovec parts[2] = {{bytes, 10}, {bytes + 10, 20}};
  struct stat status;
  dprintf(1, "%d %ld %s\n", getpid(), syscall(SYS_gettid), folder);

  int fd = MUST_OPEN(open(data, O_RDWR | O_CREAT | O_TRUNC, 0640));
  MUST(write(fd, bytes, 4096), 4096);
  MUST(write(fd, bytes, 100), 100);
  MUST(pwrite(fd, bytes, 512, 8192), 512);
  MUST(pread(fd, bytes, 1000, 8000), 704);
  MUST(lseek(fd, 4000, SEEK_SET), 4000);
  MUST(read(fd, bytes, 96), 96);
  MUST(writev(fd, parts, 2), 30);
  MUST(readv(fd, parts, 2), 30);
  MUST(preadv(fd, parts, 1, 8700), 4);
  MUST(pwritev(fd, parts, 2, 100), 30);
  MUST(pwritev2(fd, parts, 1, 9000, RWF_DSYNC), 10);
  MUST(fsync(fd), 0);
  MUST(fstat(fd, &status), 0);
  int again = MUST_OPEN(dup(fd));
  MUST(write(again, bytes, 7), 7);
  MUST(close(again), 0);
  MUST(close(fd), 0);

  MUST(stat(data, &status), 0);
  MUST(stat(missing, &status), -1);
  MUST(open(missing, O_RDONLY, 0), -1);
  MUST(mkdir(deep, 0750), 0);
  MUST(rename(data, moved), 0);
  int from = MUST_OPEN(open(moved, O_RDONLY, 0)), to = MUST_OPEN(open(other, O_WRONLY | O_CREAT, 0600));
  MUST(sendfile(to, from, NULL, 100), 100);
  MUST(copy_file_range(from, NULL, to, NULL, 50, 0), 50);
  MUST(close(from), 0);
  MUST(unlink(other), 0);
  MUST(write(to, bytes, 3), 3); /* a file without a name keeps the one it had */
  MUST(close(to), 0);
  int log = MUST_OPEN(open(moved, O_WRONLY | O_APPEND, 0));
  MUST(write(log, bytes, 5), 5);
  MUST(close(log), 0);
  MUST(unlink(moved), 0);
  MUST(rmdir(deep), 0);
}

static const char *child_folder(const char *folder, int number) {
  char *name = malloc(512);
  snprintf(name, 512, "%s/%d", folder, number);
  return name;
}

static void reap(void) {
  int status;
  while (wait(&status) > 0)
    MUST(status, 0);
}

static void fork_children(const char *folder) {
  for (int i = 0; i < 3; i++)
    if (!fork()) {
      work(child_folder(folder, i));
      _exit(0);
    }
  work(child_folder(folder, 3));
  reap();
}

/* A child whose parent is gone before it works. */
static void orphan(const char *folder) {
  int gone[2];
  MUST(pipe(gone), 0);
  pid_t middle = fork();
  if (!middle) {
    if (fork())
      _exit(0);
    char byte;
    syscall(SYS_close, gone[1]);
    syscall(SYS_read, gone[0], &byte, 1);
    work(folder);
    _exit(0);
  }
  waitpid(middle, NULL, 0);
}

static char *self;

static void spawn_child(const char *folder) {
  pid_t child;
  char *arguments[] = {self, "direct", (char *)folder, NULL}, *environment[] = {NULL};
  MUST(posix_spawn(&child, self, NULL, NULL, arguments, environment), 0);
  reap();
}

static void vfork_child(const char *folder) {
  pid_t child = vfork();
  if (!child) {
    execl(self, self, "direct", folder, NULL);
    _exit(3);
  }
  reap();
}

static pthread_barrier_t begin, end;

static void *thread(void *folder) {
  pthread_barrier_wait(&begin);
  work(folder);
  pthread_barrier_wait(&end);
  return NULL;
}

/* With a token, the threads are there before the process tags itself, and after it ends that. */
static void threads(const char *folder, const char *token) {
  pthread_t all[3];
  pthread_barrier_init(&begin, NULL, 4);
  pthread_barrier_init(&end, NULL, 4);
  for (int i = 0; i < 3; i++)
    MUST(pthread_create(&all[i], NULL, thread, (void *)child_folder(folder, i)), 0);
  if (token) {
    work(child_folder(folder, 3));
    prctl(DC_MARKER, DC_MARKER_START, strtoull(token, NULL, 0), 0, 0);
  }
  pthread_barrier_wait(&begin);
  pthread_barrier_wait(&end);
  if (token) {
    prctl(DC_MARKER, DC_MARKER_STOP, 0, 0, 0);
    work(child_folder(folder, 3));
  }
  for (int i = 0; i < 3; i++)
    pthread_join(all[i], NULL);
}

static void *exec_direct(void *folder) {
  execl(self, self, "direct", folder, NULL);
  _exit(3);
}

/* A program started by a thread takes over the number of the process. */
static void exec_from_thread(const char *folder) {
  pthread_t one;
  pthread_create(&one, NULL, exec_direct, (void *)folder);
  pause();
}

static void work_both_sides_of_setuid(const char *folder) {
  work(child_folder(folder, 0));
  MUST(setresuid(getuid(), getuid(), getuid()), 0);
  work(child_folder(folder, 1));
}

static void work_as(const char *folder, const char *user) {
  work(child_folder(folder, 0));
  uid_t uid = (uid_t)strtoul(user, NULL, 0);
  MUST(setresuid(uid, uid, uid), 0);
  work(child_folder(folder, 1));
}

int main(int count, char *arguments[]) {
  if (count < 3)
    return 64;
  self = arguments[0];
  const char *mode = arguments[1], *folder = arguments[2], *more = count > 3 ? arguments[3] : NULL;
  if (!strcmp(mode, "direct"))
    work(folder);
  else if (!strcmp(mode, "fork"))
    fork_children(folder);
  else if (!strcmp(mode, "orphan"))
    orphan(folder);
  else if (!strcmp(mode, "exec"))
    exec_direct((void *)folder);
  else if (!strcmp(mode, "spawn"))
    spawn_child(folder);
  else if (!strcmp(mode, "vfork"))
    vfork_child(folder);
  else if (!strcmp(mode, "threads"))
    threads(folder, more);
  else if (!strcmp(mode, "thread-exec"))
    exec_from_thread(folder);
  else if (!strcmp(mode, "setuid"))
    work_both_sides_of_setuid(folder);
  else if (!strcmp(mode, "become"))
    work_as(folder, more);
  else if (!strcmp(mode, "killed")) {
    work(folder);
    kill(getpid(), SIGKILL);
  } else if (!strcmp(mode, "loop")) { /* works until its stdin ends */
    fcntl(0, F_SETFL, O_NONBLOCK);
    char byte;
    while (syscall(SYS_read, 0, &byte, 1) != 0)
      work(folder);
  } else
    return 64;
  return 0;
}
