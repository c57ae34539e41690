/* SPDX-License-Identifier: MIT */
/**
 * Many threads on many files: many FOLDER FILES THREADS MILLISECONDS
 *
 * Makes FILES files of 100 bytes, then each thread opens, reads and closes one after the other until the time is over.
 * Says how many calls of each kind succeeded on files in the folder: "open64 N", "pread64 N", "close N", "bytes N".
 */
#include "must.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 100

static int folder, files, threads;
static long end;
static long reads;

static long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *work(void *argument) {
  long done = 0, index = (long)argument;
  char block[BLOCK], name[32];
  /* The clock is not asked for each file, and each thread makes at least one round. */
  do {
    for (int i = 0; i < 16; i++, done++) {
      snprintf(name, sizeof(name), "f%ld", (index + done * threads) % files);
      int file = MUST_OPEN(openat(folder, name, O_RDONLY));
      MUST(pread(file, block, BLOCK, 0), BLOCK);
      MUST(close(file), 0);
    }
  } while (nanoseconds() < end);
  __sync_fetch_and_add(&reads, done);
  return NULL;
}

int main(int argc, char **argv) {
  char name[32], block[BLOCK] = "";
  if (argc != 5)
    return 64;
  folder = MUST_OPEN(open(argv[1], O_RDONLY | O_DIRECTORY));
  files = atoi(argv[2]);
  threads = atoi(argv[3]);
  for (int i = 0; i < files; i++) {
    snprintf(name, sizeof(name), "f%d", i);
    int file = MUST_OPEN(openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    MUST(write(file, block, BLOCK), BLOCK);
    MUST(close(file), 0);
  }
  end = nanoseconds() + atol(argv[4]) * 1000000;
  pthread_t *handles = calloc((size_t)threads, sizeof(*handles));
  for (long i = 0; i < threads; i++)
    pthread_create(&handles[i], NULL, work, (void *)i);
  for (int i = 0; i < threads; i++)
    pthread_join(handles[i], NULL);
  printf("open64 %ld\npread64 %ld\nclose %ld\nbytes %ld\n", reads + files, reads, reads + files, reads * BLOCK);
  return 0;
}
