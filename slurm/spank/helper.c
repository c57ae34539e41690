/* SPDX-License-Identifier: MIT */
#include "plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EXEC_MS = 5000 };

static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL};

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/**
 * Becomes the program, in the child process, with nothing open but its first three and what is to stay open.
 *
 * `output`: its stdout; below 0: nobody listens. `keep`: stays open in it, too. `failed`: gets the errno if this fails.
 */
__attribute__((noreturn)) static void become(char *const arguments[], int input, int output, int keep, int failed) {
  sigset_t none;
  sigemptyset(&none);
  signal(SIGALRM, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  /* slurmstepd may have closed the first three, so that ours stand in their place. */
  input = fcntl(input, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  output = fcntl(output < 0 ? null : output, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  keep = keep < 0 ? -1 : fcntl(keep, F_DUPFD, STDERR_FILENO + 1);
  failed = failed < 0 ? -1 : fcntl(failed, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (dup2(null, STDERR_FILENO) == STDERR_FILENO || null == STDERR_FILENO)
    fcntl(STDERR_FILENO, F_SETFD, 0);
  if (dup2(input, STDIN_FILENO) == STDIN_FILENO && dup2(output, STDOUT_FILENO) == STDOUT_FILENO) {
    for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
      if (fd != keep && fd != failed)
        close(fd);
    execve(arguments[0], arguments, environment);
  }
  int error = errno;
  ssize_t told = write(failed, &error, sizeof(error));
  (void)told;
  _exit(127);
}

/** Metadata fit into a pipe (64 KiB), so this never waits; a helper that is gone shows elsewhere. */
static void write_input(int fd, const char *input) {
  struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
  sigaction(SIGPIPE, &ignore, &before);
  ssize_t written = write(fd, input, strlen(input));
  (void)written;
  sigaction(SIGPIPE, &before, NULL);
}

/** Reads until the end, or until `size` is full, but not beyond `deadline`; the text has an end in any case. */
static void read_answer(int fd, long long deadline, char *answer, size_t size) {
  size_t got = 0;
  while (got + 1 < size) {
    long long left = deadline - now_ms();
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (left <= 0 || (poll(&ready, 1, (int)left) < 0 && errno != EINTR))
      break;
    if (!ready.revents)
      continue;
    ssize_t part = read(fd, answer + got, size - 1 - got);
    if (part <= 0)
      break;
    got += (size_t)part;
  }
  answer[got] = '\0';
  answer[strcspn(answer, "\n")] = '\0';
}

static int wait_for(pid_t child, long long deadline) {
  int status = 0;
  pid_t ended;
  while ((ended = waitpid(child, &status, WNOHANG)) == 0 && now_ms() < deadline)
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
  if (ended == child)
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
  kill(-child, SIGKILL);
  waitpid(child, &status, 0);
  return -1;
}

int dc_helper_run(char *const arguments[], const char *input, int seconds, char *answer, size_t size) {
  int to[2] = {-1, -1}, from[2] = {-1, -1}, rc = -1;
  long long deadline = now_ms() + seconds * 1000LL;
  *answer = '\0';
  if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
    goto out;
  pid_t child = fork();
  if (child < 0)
    goto out;
  if (child == 0) {
    setpgid(0, 0); /* what does not end in time goes with all that it started */
    become(arguments, to[0], from[1], -1, -1);
  }
  setpgid(child, child); /* whoever of us comes first */
  close(from[1]);
  from[1] = -1;
  write_input(to[1], input);
  close(to[1]);
  to[1] = -1;
  read_answer(from[0], deadline, answer, size);
  rc = wait_for(child, deadline);
out:
  for (int i = 0; i < 2; i++) {
    if (to[i] >= 0)
      close(to[i]);
    if (from[i] >= 0)
      close(from[i]);
  }
  return rc;
}

int dc_helper_begin(char *const arguments[], const char *input, int seconds, int lock) {
  int to[2] = {-1, -1}, failed[2] = {-1, -1}, rc = -1, error = 0;
  if (pipe2(to, O_CLOEXEC) || pipe2(failed, O_CLOEXEC))
    goto out;
  pid_t child = fork();
  if (child < 0)
    goto out;
  if (child == 0) {
    setsid();                 /* slurmd kills the process group of a prolog that has ended */
    alarm((unsigned)seconds); /* outlives execve(2): it ends whatever hangs there */
    become(arguments, to[0], -1, lock, failed[1]);
  }
  close(failed[1]);
  failed[1] = -1;
  write_input(to[1], input);
  /* Nothing comes, and the pipe ends, when the program is there. It may lie on a file system that hangs: then somebody
   * else learns of it, as of any other program that does not end. */
  struct pollfd begun = {.fd = failed[0], .events = POLLIN};
  rc = 0;
  if (poll(&begun, 1, MAX_EXEC_MS) == 1 && read(failed[0], &error, sizeof(error)) > 0) {
    waitpid(child, NULL, 0);
    rc = -1;
  }
out:
  error = error ? error : errno;
  for (int i = 0; i < 2; i++) {
    if (to[i] >= 0)
      close(to[i]);
    if (failed[i] >= 0)
      close(failed[i]);
  }
  errno = error;
  return rc;
}
