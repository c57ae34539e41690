/* SPDX-License-Identifier: MIT */
/**
 * Many calls from several processes: flood CALL WORKERS EVENTS RATE FILE
 *
 * Each worker makes EVENTS calls of CALL, lseek or pread, at RATE a second (0: as fast as it can), all beginning
 * together. Prints the seconds that it took. A worker that falls behind catches up; that shows in the seconds.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS 500000 /* a paced worker makes the calls of a tick at once, then sleeps */

static long nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000 + time.tv_nsec;
}

static void sleep_until(long when) {
  struct timespec time = {.tv_sec = when / 1000000000, .tv_nsec = when % 1000000000};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void work(const char *call, long events, long rate, const char *path, long start) {
  int file = open(path, O_RDONLY);
  long per_tick = rate ? rate * (TICK_NS / 1000) / 1000000 : events;
  unsigned long offset = (unsigned long)getpid() * 7919;
  char byte[512];
  if (file < 0)
    _exit(1);
  sleep_until(start);
  for (long done = 0, tick = 1; done < events; tick++) {
    for (long i = 0; i < per_tick && done < events; i++, done++) {
      offset += 512;
      if (*call == 'l')
        syscall(SYS_lseek, file, offset & 0xfffff, SEEK_SET);
      else
        syscall(SYS_pread64, file, byte, *call == 'b' ? sizeof(byte) : 1, offset & 0xfffff);
    }
    if (rate)
      sleep_until(start + tick * TICK_NS);
  }
  _exit(0);
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: flood lseek|pread|block WORKERS EVENTS RATE FILE\n");
    return 64;
  }
  long workers = atol(argv[2]), failed = 0, start = nanoseconds() + 20000000;
  for (long i = 0; i < workers; i++)
    if (!fork())
      work(argv[1], atol(argv[3]), atol(argv[4]), argv[5], start);
  for (int status; wait(&status) > 0;)
    failed |= status;
  printf("%.6f\n", (double)(nanoseconds() - start) / 1e9);
  return failed ? 1 : 0;
}
