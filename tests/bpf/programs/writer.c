/* SPDX-License-Identifier: MIT */
/* Writes 4 KiB PER-SECOND times a second for SECONDS to FILE, and checks each call: writer FILE SECONDS PER-SECOND. */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int count, char *arguments[]) {
  static char bytes[4096];
  if (count != 4)
    return 64;
  double seconds = atof(arguments[2]), rate = atof(arguments[3]);
  int fd = open(arguments[1], O_CREAT | O_RDWR, 0600);
  if (fd < 0)
    return 2;
  long long step = (long long)(1e9 / rate), at = 0;
  struct timespec start, next;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (long i = 0; (double)at < seconds * 1e9; i++, at += step) {
    if (pwrite(fd, bytes, sizeof(bytes), (i % 64) * 4096) != sizeof(bytes))
      return 3;
    if (i % 16)
      continue;
    next.tv_sec = start.tv_sec + (start.tv_nsec + at) / 1000000000;
    next.tv_nsec = (start.tv_nsec + at) % 1000000000;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
  return close(fd) ? 4 : 0;
}
