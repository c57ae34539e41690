/* SPDX-License-Identifier: MIT */
/* Calls the client library in the situation that the argument names. strace shows which markers come of it. */
#include <datacrumbs/client.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void *start_in_thread(void *unused) {
  datacrumbs_start("thread");
  return unused;
}

static int nothing(void) { return 0; }

/* Loading the library must not show in errno. */
static int errno_at_main(void) { return errno; }

static int start_stop(void) {
  errno = 0;
  datacrumbs_start("foobar");
  datacrumbs_start("");
  datacrumbs_start(NULL);
  datacrumbs_stop();
  return errno;
}

static int threads(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    if (pthread_create(&threads[i], NULL, start_in_thread, NULL))
      return 1;
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  return 0;
}

static int in_child(pid_t child) {
  if (child == 0) {
    datacrumbs_start("child");
    _exit(0);
  }
  int status = 1;
  return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}

static int forked(void) { return in_child(fork()); }

static int vforked(void) { return in_child(vfork()); }

static int executed(void) { return execve("/proc/self/exe", (char *[]){"again", "nothing", NULL}, environ); }

static int region(void) {
  struct datacrumbs_region region;
  errno = 0;
  datacrumbs_region_begin(&region, "checkpoint");
  datacrumbs_region_integer(&region, "step", 3);
  datacrumbs_region_number(&region, "loss", 0.1);
  datacrumbs_region_text(&region, "file", "a b");
  datacrumbs_region_end(&region);
  printf("%p %llu\n", (void *)&region.start, region.size);
  return errno;
}

int main(int count, char *arguments[]) {
  static const struct {
    const char *name;
    int (*run)(void);
  } cases[] = {
      {"nothing", nothing}, {"errno", errno_at_main}, {"start-stop", start_stop}, {"threads", threads},
      {"fork", forked},     {"vfork", vforked},       {"exec", executed},         {"region", region},
  };
  for (size_t i = 0; count > 1 && i < sizeof(cases) / sizeof(*cases); i++)
    if (strcmp(arguments[1], cases[i].name) == 0)
      return cases[i].run();
  return 64;
}
