/* SPDX-License-Identifier: MIT */
/**
 * What one call costs, on demand: percall FILE [LIBRARY]
 *
 * Says "ready PID", then answers each line "NAME COUNT" with the ns per call of the batch at the tenth percentile of
 * 200 batches of COUNT calls: batches in which somebody else had the processor do not count. NAME is pread (4 KiB of
 * FILE), pread-libc (the same, where preloaded tools see it), getppid, or a function of LIBRARY. One process serves
 * before and after a tracer comes, so that both figures have the same caches and the same file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 200
#define BLOCK 4096

typedef int function(int);

static int file;
static char block[BLOCK];

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double batch(const char *name, function *call, long count) {
  double start = now();
  if (call)
    for (long i = 0; i < count; i++)
      call((int)i);
  else if (!strcmp(name, "pread"))
    for (long i = 0; i < count; i++)
      syscall(SYS_pread64, file, block, BLOCK, (i & 15) * BLOCK);
  else if (!strcmp(name, "pread-libc"))
    for (long i = 0; i < count && pread(file, block, BLOCK, (i & 15) * BLOCK) > 0; i++)
      ;
  else
    for (long i = 0; i < count; i++)
      syscall(SYS_getppid);
  return (now() - start) / (double)count;
}

int main(int argc, char **argv) {
  void *library = argc > 2 ? dlopen(argv[2], RTLD_NOW) : NULL;
  char line[256], name[128];
  double times[BATCHES];
  long count;
  file = argc > 1 ? open(argv[1], O_RDONLY) : -1;
  if (file < 0 || (argc > 2 && !library)) {
    fprintf(stderr, "percall: cannot open %s\n", argc > 1 ? argv[argc - 1] : "nothing");
    return 1;
  }
  printf("ready %d\n", (int)getpid());
  fflush(stdout);
  while (fgets(line, sizeof(line), stdin) && sscanf(line, "%127s %ld", name, &count) == 2) {
    function *call = library ? (function *)(uintptr_t)dlsym(library, name) : NULL;
    batch(name, call, count); /* warms up */
    for (int i = 0; i < BATCHES; i++)
      times[i] = batch(name, call, count);
    qsort(times, BATCHES, sizeof(*times), ascending);
    printf("%.2f\n", times[BATCHES / 10]);
    fflush(stdout);
  }
  return 0;
}
