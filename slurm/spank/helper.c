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

static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL};

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

__attribute__((noreturn)) static void become(char *const arguments[], int input, int output) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setpgid(0, 0); /* what does not end in time goes with all that it started */
  /* slurmstepd may have closed the first three, so that the pipes stand in their place. */
  input = fcntl(input, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  output = fcntl(output, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (dup2(null, STDERR_FILENO) == STDERR_FILENO || null == STDERR_FILENO)
    fcntl(STDERR_FILENO, F_SETFD, 0);
  if (dup2(input, STDIN_FILENO) == STDIN_FILENO && dup2(output, STDOUT_FILENO) == STDOUT_FILENO) {
    for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
      close(fd);
    execve(arguments[0], arguments, environment);
  }
  _exit(127);
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
  if (child == 0)
    become(arguments, to[0], from[1]);
  setpgid(child, child); /* whoever of us comes first */
  close(from[1]);
  from[1] = -1;
  /* Metadata fit into a pipe (64 KiB), so this never waits; a helper that is gone shows in its answer. */
  struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
  sigaction(SIGPIPE, &ignore, &before);
  ssize_t written = write(to[1], input, strlen(input));
  (void)written;
  sigaction(SIGPIPE, &before, NULL);
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
